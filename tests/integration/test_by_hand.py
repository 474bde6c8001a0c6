"""The way by hand, as the README tells it: Debian's PostgreSQL and Redis, one command for the databases, `alembic
upgrade head`, each service by `python -m NAME`, the gateway by uvicorn, and a user who registers, chats and looks up
what it cost. Where those programs are not installed, it is skipped, and says so.
"""

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.local.process import free_port
from tests.promptness import PATIENCE

ROOT = Path(__file__).parents[2]
POSTGRES = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
REDIS = shutil.which("redis-server")
MODELS = ROOT / ".data/models"
WITH_TABLES = ("auth", "usage", "rag", "llm")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not POSTGRES, reason="Debian's PostgreSQL is not installed (apt-get install postgresql)"),
    pytest.mark.skipif(not REDIS, reason="Debian's Redis is not installed (apt-get install redis-server)"),
    pytest.mark.skipif(not MODELS.exists(), reason="the model files are not there (make models)"),
]


@dataclass
class Hand:
    """Somebody at a terminal: a working directory with a `.env`, and programs that were started."""

    home: Path
    started: dict[str, subprocess.Popen[bytes]]

    def start(self, name: str, *command: str, **options: Any) -> None:
        log = (self.home / f"{name}.log").open("wb")
        self.started[name] = subprocess.Popen(command, cwd=self.home, stdout=log, stderr=log, **options)

    def listen(self, name: str, *command: str, **options: Any) -> int:
        """Starts a server on a free port, the last argument. Somebody may be faster to the port: then on another."""
        for _ in range(5):
            port = free_port()
            self.start(name, *command, str(port), **options)
            deadline = time.monotonic() + PATIENCE
            while time.monotonic() < deadline and self.started[name].poll() is None:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        return port
                time.sleep(0.05)
            self.started[name].kill()
            self.started[name].wait()
        pytest.fail(f"{name} does not listen:\n{self.log(name)}")

    def run(self, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = clean() | variables
        return subprocess.run(
            command, cwd=self.home, env=environment, capture_output=True, text=True, timeout=120, check=False
        )

    def wait(self, name: str, url: str, seconds: float = PATIENCE) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.started[name].poll() is None:
            try:
                if httpx.get(url, timeout=2).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        pytest.fail(f"{name} is not ready:\n{self.log(name)}")

    def log(self, name: str) -> str:
        return (self.home / f"{name}.log").read_text()[-3000:]

    def stop(self) -> None:
        for child in reversed(self.started.values()):
            child.terminate()
        for child in self.started.values():
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()


def clean() -> dict[str, str]:
    """The environment without settings of ours: they come from the file."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("AI_PLATFORM_", "OPENAI_", "HF_"))}


@pytest.fixture(scope="module")
def hand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hand]:
    home = tmp_path_factory.mktemp("hand")
    hand = Hand(home, {})
    try:
        yield hand
    finally:
        hand.stop()


@pytest.fixture(scope="module")
def servers(hand: Hand) -> dict[str, int]:
    """Somebody's own PostgreSQL and Redis."""
    programs = POSTGRES[-1].parent
    cluster = hand.home / "cluster"
    cluster.mkdir()
    options: dict[str, Any] = {}
    if os.getuid() == 0:
        user = pwd.getpwnam("postgres")
        options = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        os.chown(cluster, user.pw_uid, user.pw_gid)
        for path in (hand.home, *hand.home.parents):
            if path.owner() == "root" and path.stat().st_mode & 0o011 != 0o011:
                path.chmod(path.stat().st_mode | 0o011)
    initdb = [str(programs / "initdb"), "-D", str(cluster), "-U", "postgres", "--auth=trust", "--encoding=UTF8"]
    subprocess.run(initdb, check=True, capture_output=True, cwd=cluster, **options)
    settings = ("fsync=off", f"unix_socket_directories={cluster}", "listen_addresses=127.0.0.1")
    flags = [item for setting in settings for item in ("-c", setting)]
    postgres = (str(programs / "postgres"), "-D", str(cluster), *flags, "-p")
    redis = (str(REDIS), "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes", "--dir", str(hand.home))
    return {
        "postgres": hand.listen("postgres", *postgres, **options),
        "redis": hand.listen("redis", *redis, "--requirepass", "by-hand", "--port"),
    }


@pytest.fixture(scope="module")
def ports(hand: Hand, servers: dict[str, int]) -> dict[str, int]:
    """`.env`, from `.env.example` and what is different here. Gives the operations ports."""
    services = ("auth", "usage", "rag", "llm", "embedding", "speech")
    ops = {short: free_port() for short in (*services, "gateway", "usage_worker", "rag_worker")}
    rows = {
        "AI_PLATFORM_DATABASE__HOST": "127.0.0.1",
        "AI_PLATFORM_DATABASE__PORT": servers["postgres"],
        "AI_PLATFORM_DATABASE__PASSWORD": secrets.token_hex(16),
        "AI_PLATFORM_DATABASE__OWNER_PASSWORD": secrets.token_hex(16),
        "AI_PLATFORM_REDIS__HOST": "127.0.0.1",
        "AI_PLATFORM_REDIS__PORT": servers["redis"],
        "AI_PLATFORM_REDIS__PASSWORD": "by-hand",
        "AI_PLATFORM_MODELS_DIR": MODELS,
        "AI_PLATFORM_USAGE__WORKER_OPS_PORT": ops["usage_worker"],
        "AI_PLATFORM_RAG__WORKER_OPS_PORT": ops["rag_worker"],
        "AI_PLATFORM_GATEWAY__OPS_PORT": ops["gateway"],
    }
    for short in services:
        rows[f"AI_PLATFORM_{short.upper()}__ADDRESS"] = f"127.0.0.1:{free_port()}"
        rows[f"AI_PLATFORM_{short.upper()}__OPS_PORT"] = ops[short]
    example = (ROOT / ".env.example").read_text()
    (hand.home / ".env").write_text(example + "".join(f"{name}={value}\n" for name, value in rows.items()))
    for name in ("deploy", "chassis", "alembic.ini", *(f"{short}_service" for short in WITH_TABLES)):
        (hand.home / name).symlink_to(ROOT / name)
    return ops


@pytest.fixture(scope="module")
def migrated(hand: Hand, servers: dict[str, int], ports: dict[str, int]) -> bool:
    """The databases and their tables; Debian 12's PostgreSQL has no pgvector, and does without."""
    dsn = f"postgresql://postgres@127.0.0.1:{servers['postgres']}/postgres"
    for _ in range(2):
        made = hand.run(sys.executable, "-m", "deploy.local", "databases", "--admin-dsn", dsn)
        assert made.returncode == 0, made.stderr
    upgraded = hand.run(sys.executable, "-m", "alembic", "upgrade", "head")
    assert upgraded.returncode == 0, upgraded.stderr
    for short in WITH_TABLES:
        one = hand.run(sys.executable, "-m", "alembic", "-n", short, "upgrade", "head")
        assert one.returncode == 0, one.stderr
    return True


@pytest.fixture(scope="module")
def client(hand: Hand, ports: dict[str, int], migrated: bool) -> Iterator[httpx.Client]:
    """Every process by its command; the gateway by uvicorn's."""
    verbs = {"usage_worker": ("usage_service", "worker"), "rag_worker": ("rag_service", "worker")}
    for name in ports:
        if name == "gateway":
            continue
        hand.start(name, sys.executable, "-m", *verbs.get(name, (f"{name}_service",)), env=clean())
    for name, port in ports.items():
        if name in hand.started:
            hand.wait(name, f"http://127.0.0.1:{port}/readyz")
    public = free_port()
    uvicorn = ("-m", "uvicorn", "gateway.app:app", "--port", str(public))
    hand.start("gateway", sys.executable, *uvicorn, env=clean())
    hand.wait("gateway", f"http://127.0.0.1:{ports['gateway']}/readyz")
    with httpx.Client(base_url=f"http://127.0.0.1:{public}", timeout=120) as client:
        yield client


@pytest.fixture(scope="module")
def token(client: httpx.Client) -> str:
    person = {"email": "ada@example.com", "password": "correct horse battery staple", "tenant_name": "Ada"}
    answer = client.post("/api/v1/auth/register", json=person)
    assert answer.status_code == 201, answer.text
    found: str = answer.json()["access_token"]
    return found


def test_the_databases_are_made_and_migrated(migrated: bool) -> None:
    assert migrated


def test_a_developer_chats_with_a_key_and_sees_what_it_cost(client: httpx.Client, token: str) -> None:
    bearer = {"Authorization": f"Bearer {token}"}
    key = client.post("/api/v1/api-keys", json={"name": "by hand"}, headers=bearer).json()["key"]
    body = {
        "model": "local/smollm2-135m-instruct",
        "messages": [{"role": "user", "content": "Say hello."}],
        "max_tokens": 16,
    }
    answer = client.post("/v1/chat/completions", json=body, headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 200, answer.text
    used = answer.json()["usage"]
    assert used["completion_tokens"] > 0
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        totals = client.get("/api/v1/usage/summary", headers=bearer).json()["totals"]
        if totals["requests"]:
            break
        time.sleep(0.2)
    assert (totals["requests"], totals["input_tokens"], totals["output_tokens"]) == (
        1,
        used["prompt_tokens"],
        used["completion_tokens"],
    )


def test_text_becomes_a_vector(client: httpx.Client, token: str) -> None:
    body = {"model": "local/all-minilm-l6-v2", "input": "a house by the sea"}
    answer = client.post("/v1/embeddings", json=body, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["data"][0]["embedding"]) == 384


def test_a_document_is_found(client: httpx.Client, token: str) -> None:
    bearer = {"Authorization": f"Bearer {token}"}
    sent = client.post(
        "/api/v1/services/rag/documents", json={"text": "The cellar key is under the blue pot."}, headers=bearer
    )
    assert sent.status_code == 202, sent.text
    document = client.get(f"/api/v1/services/rag/documents/{sent.json()['id']}", params={"wait": 60}, headers=bearer)
    assert document.json()["status"] == "ready", document.text
    found = client.post("/api/v1/services/rag/search", params={"query": "Where is the key?"}, headers=bearer)
    assert found.status_code == 200, found.text
    assert "blue pot" in found.json()["results"][0]["text"]


def test_sigterm_ends_every_process_cleanly(hand: Hand, client: httpx.Client) -> None:
    ours = {name: child for name, child in hand.started.items() if name not in ("postgres", "redis")}
    for child in ours.values():
        child.terminate()
    codes = {name: child.wait(PATIENCE) for name, child in ours.items()}
    # uvicorn's command shuts down in order and then ends by the signal that it was sent.
    assert codes.pop("gateway") in (0, -signal.SIGTERM)
    assert "Application shutdown complete" in hand.log("gateway")
    assert codes == dict.fromkeys(codes, 0), {name: hand.log(name) for name, code in codes.items() if code}
