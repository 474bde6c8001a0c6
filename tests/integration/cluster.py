"""Identity as it runs: PostgreSQL, two Valkeys, the auth, usage, llm and embedding services and several gateways, as
processes of their own, with the launcher's own settings and keys. No language model is started.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from unittest import mock
from uuid import uuid4

import httpx

from deploy.local.databases import ensure_databases
from deploy.local.platform import Platform
from deploy.local.process import Process, free_port
from deploy.local.settings import load_local

ROOT = Path(__file__).parents[2]
START_SECONDS = 300
OPERATOR, OPERATORS_PASSWORD = "operator@example.com", "battery staple of an operator"
SERVICES = ("auth_service", "usage_service", "embedding_service", "llm_service")


class Cluster:
    """Started by `running`."""

    def __init__(self, directory: Path, gateways: int, settings: Mapping[str, str]) -> None:
        self._settings = {"AI_PLATFORM_LLM__LOCAL__ENABLED": "false", **settings}
        known = {"AI_PLATFORM_DATA_DIR": str(directory / "data"), "AI_PLATFORM_MODELS_DIR": models()}
        with mock.patch.dict(os.environ, known):
            self.platform = Platform(load_local(), port=0)
        self.urls: list[str] = []
        self.processes: dict[str, Process] = {}
        for name in SERVICES:
            self.add(name, name)
        self.add("usage_service", "usage_service-worker", verb="worker")
        for number in range(gateways):
            port = free_port()
            self.urls.append(f"http://127.0.0.1:{port}")
            self.add("gateway", f"gateway-{number}", port=port)

    def add(self, name: str, label: str, *, verb: str = "serve", port: int = 0, **settings: str) -> None:
        """A process, as it will be started."""
        ops_port = free_port()
        environment = self.platform.environment(name, ops_port) | self._settings | settings
        environment |= {"AI_PLATFORM_GATEWAY__PORT": str(port), "PYTHONPATH": os.environ.get("PYTHONPATH", str(ROOT))}
        command = [sys.executable, "-m", name, verb]
        log = self.platform.logs / f"{label}.log"
        process = self.processes[label] = Process(label, command, log=log, environment=environment)
        process.ops_url = f"http://127.0.0.1:{ops_port}"  # type: ignore[attr-defined]  # beside it, for `ready`

    def start(self) -> None:
        """Everything."""
        platform = self.platform
        platform.meter.start()
        platform.cache.start()
        platform.postgres.start()

        async def prepare() -> None:
            stores = (platform.postgres, platform.meter, platform.cache)
            await asyncio.gather(*(store.wait_ready() for store in stores))
            await ensure_databases(platform.postgres.admin_dsn, platform.database, platform.role_passwords)

        asyncio.run(prepare())
        for name in ("auth_service", "usage_service", "llm_service"):
            self.command(name, "migrate")
        self.command("auth_service", "operator", "--email", OPERATOR)
        for process in self.processes.values():
            process.start()
        for label in self.processes:
            self.ready(label)

    def ready(self, label: str) -> None:
        """Waits until the process can work."""
        process, deadline = self.processes[label], time.monotonic() + START_SECONDS
        while True:
            assert process.exit_code is None, (label, process.last_words())
            try:
                if httpx.get(f"{process.ops_url}/readyz").status_code == 200:  # type: ignore[attr-defined]
                    return
            except httpx.TransportError:
                pass
            assert time.monotonic() < deadline, (label, process.last_words())
            time.sleep(0.1)

    def restart(self, *labels: str, **settings: str) -> None:
        """Stops them, and starts them with other settings."""
        chosen = [self.processes[label] for label in labels]
        for process in chosen:
            process.ask_to_stop()
        for process in chosen:
            process.stop()
            process._environment |= settings  # what a deployment would change
            process.start()
        for label in (*labels, *(name for name in self.processes if name.startswith("gateway"))):
            self.ready(label)

    def command(self, name: str, *arguments: str, **settings: str) -> str:
        """What `python -m NAME ...` prints."""
        migrates = arguments[:1] == ("migrate",)
        told = self.platform.migrating if migrates else self.platform.environment(name) | self._settings
        told |= {"AI_PLATFORM_OPERATOR__PASSWORD": OPERATORS_PASSWORD, **settings}
        command = [sys.executable, "-m", name, *arguments]
        done = subprocess.run(command, env=told, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def stop(self) -> None:
        """Everything."""
        for process in self.processes.values():
            process.ask_to_stop()
        for process in [*self.processes.values(), *self.platform.engines]:
            process.stop()

    def operator(self) -> httpx.Client:
        """Logged in, at the first gateway."""
        body = {"email": OPERATOR, "password": OPERATORS_PASSWORD}
        token = httpx.post(f"{self.urls[0]}/api/v1/auth/token", json=body, timeout=30).raise_for_status().json()
        headers = {"Authorization": f"Bearer {token['access_token']}"}
        return httpx.Client(base_url=self.urls[0], headers=headers, timeout=30)

    def register(self) -> dict[str, str]:
        """A new tenant: its id, its owner's user_id, address, password and tokens."""
        email, password = f"{uuid4().hex}@example.com", f"correct horse {uuid4().hex}"
        body = {"email": email, "password": password, "tenant_name": "Engines"}
        made = httpx.post(f"{self.urls[0]}/api/v1/auth/register", json=body, timeout=30).raise_for_status().json()
        own = {"id": made["tenant"]["id"], "user_id": made["user"]["id"], "email": email, "password": password}
        return own | {name: made[name] for name in ("access_token", "refresh_token")}

    def log_in(self, owner: Mapping[str, str]) -> dict[str, str]:
        """New tokens for somebody who has registered."""
        login = {"email": owner["email"], "password": owner["password"]}
        told = httpx.post(f"{self.urls[0]}/api/v1/auth/token", json=login, timeout=30).raise_for_status().json()
        return {name: told[name] for name in ("access_token", "refresh_token")}

    def key(self, owner: Mapping[str, str]) -> str:
        """An API key with the usual scopes."""
        headers = {"Authorization": f"Bearer {owner['access_token']}"}
        made = httpx.post(f"{self.urls[0]}/api/v1/api-keys", json={"name": "a"}, headers=headers).raise_for_status()
        return str(made.json()["key"])

    def join(self, owner: Mapping[str, str], role: str) -> dict[str, str]:
        """Another member."""
        headers = {"Authorization": f"Bearer {owner['access_token']}"}
        body = {"email": f"{uuid4().hex}@example.com", "role": role}
        invited = httpx.post(f"{self.urls[0]}/api/v1/invitations", json=body, headers=headers).raise_for_status().json()
        accepting = {"token": invited["token"], "password": "battery staple horse", "full_name": "Grace"}
        path = f"{self.urls[0]}/api/v1/invitations/accept"
        joined = httpx.post(path, json=accepting, timeout=30).raise_for_status().json()
        return {"user_id": joined["user"]["id"], "access_token": joined["access_token"]}


def models() -> str:
    """Where the model files are."""
    return os.environ.get("AI_PLATFORM_MODELS_DIR", str(ROOT / ".data" / "models"))


@contextmanager
def running(directory: Path, *, gateways: int, **settings: str) -> Iterator[Cluster]:
    """A cluster in a directory of its own; `settings` for all of its processes."""
    for path in (directory, *directory.parents):
        # PostgreSQL does not run as root but as nobody, who must be able to reach its directory.
        if path.stat().st_mode & 0o011 != 0o011 and path.owner() == Path.home().owner():
            path.chmod(path.stat().st_mode | 0o011)
    cluster = Cluster(directory, gateways, settings)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
