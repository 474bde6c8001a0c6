"""The whole platform as processes, over HTTP: started by `deploy.local run`, or the one that AISP_BASE_URL names.

Every test gets tenants of its own. Each of their secrets is a canary: once all tests of the run are done, everything
that the platform wrote or tells is searched for them.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from tests.standins.openai_provider import Behaviour, OpenAIProvider, chunks, events, in_thread, sends

ROOT = Path(__file__).parents[2]
START_SECONDS = 300
REWRITER = "rewriter"
"""The model that writes queries anew: one that adds nothing, unless a test says otherwise."""


SETTINGS = {
    "AI_PLATFORM_GATEWAY__ATTEMPTS_PER_MINUTE": "100000",
    "AI_PLATFORM_GATEWAY__DRAIN_SECONDS": "2",
    "AI_PLATFORM_GATEWAY__CORS_ORIGINS": '["https://app.example"]',
    "AI_PLATFORM_GATEWAY__DRAINED_PLANS": '["enterprise"]',
    "AI_PLATFORM_GATEWAY__DRAINED_SECONDS": "3",
    "AI_PLATFORM_RAG__REWRITE_MODEL": f"openai/{REWRITER}",
    "AI_PLATFORM_GATEWAY__CACHE_PRICED_PLANS": '["enterprise"]',
    "AI_PLATFORM_AUTH__ERASURE_SETTLE_SECONDS": "3",
    "AI_PLATFORM_IDENTITY__ERASURE_SECONDS": "0.3",
}
"""Of the platform that this suite starts."""


@dataclass(frozen=True)
class Platform:
    """Where it is, and its operator. `directory` is its data, where this suite started it."""

    base_url: str
    operator_email: str
    operator_password: str
    directory: Path | None = None
    canaries: set[str] = field(default_factory=set)
    """Passwords, tokens and keys that were in use."""

    @property
    def run(self) -> dict[str, object]:
        assert self.directory is not None
        document: dict[str, object] = json.loads((self.directory / "run.json").read_text())
        return document


@dataclass(frozen=True)
class Tenant:
    """A customer of a test: a client with an access token, one with an API key, one without anything."""

    id: str
    email: str
    password: str
    refresh_token: str
    token: str
    key: str
    client: httpx.Client
    base_url: str

    def with_key(self) -> httpx.Client:
        return httpx.Client(base_url=self.base_url, headers={"x-api-key": self.key}, timeout=120)


@dataclass(frozen=True)
class Colleague:
    """Another member of a tenant, logged in to it."""

    user_id: str
    email: str
    password: str
    client: httpx.Client


def join(tenant: Tenant, role: str) -> Colleague:
    """Invites somebody new into the tenant, who accepts."""
    email, password = f"{uuid4().hex}@example.com", "battery staple horse"
    invited = tenant.client.post("/api/v1/invitations", json={"email": email, "role": role})
    assert invited.status_code == 201, invited.text
    body = {"token": invited.json()["token"], "password": password, "full_name": "Grace"}
    joined = httpx.post(f"{tenant.base_url}/api/v1/invitations/accept", json=body, timeout=60)
    assert joined.status_code == 201, joined.text
    told = joined.json()
    headers = {"Authorization": f"Bearer {told['access_token']}"}
    client = httpx.Client(base_url=tenant.base_url, headers=headers, timeout=60)
    return Colleague(told["user"]["id"], email, password, client)


@pytest.fixture(scope="session")
def provider() -> Iterator[OpenAIProvider]:
    """What the platform that this suite starts knows as openai, as anthropic, and as hf."""
    if "AISP_BASE_URL" in os.environ:
        pytest.skip("a platform that runs elsewhere does not know our stand-in")
    with in_thread() as provider:
        provider.behaviours[REWRITER] = sends(events(chunks("")))
        yield provider


@pytest.fixture
def served(provider: OpenAIProvider) -> Callable[[Behaviour], str]:
    """Has the stand-in behave so under a name of its own; the name, without a provider's prefix."""

    def serve(behaviour: Behaviour) -> str:
        name = f"m-{uuid4().hex[:8]}"
        provider.behaviours[name] = behaviour
        return name

    return serve


@pytest.fixture(scope="session")
def upstreams(request: pytest.FixtureRequest) -> dict[str, str]:
    """The variables by which the platform finds the stand-in."""
    address = request.getfixturevalue("provider").address
    return {
        "OPENAI_BASE_URL": address,
        "OPENAI_API_KEY": "sk-upstream-canary",
        "ANTHROPIC_BASE_URL": address.removesuffix("/v1"),
        "ANTHROPIC_API_KEY": "sk-upstream-canary",
        "HF_BASE_URL": address,
    }


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Platform]:
    if url := os.environ.get("AISP_BASE_URL"):
        yield Platform(url, os.environ["AISP_OPERATOR_EMAIL"], os.environ["AISP_OPERATOR_PASSWORD"])
        return
    directory = tmp_path_factory.mktemp("platform")
    for path in (directory, *directory.parents):
        # PostgreSQL does not run as root but as nobody, who must be able to reach its directory.
        if path.stat().st_mode & 0o011 != 0o011 and path.owner() == Path.home().owner():
            path.chmod(path.stat().st_mode | 0o011)
    environment = (
        os.environ
        | request.getfixturevalue("upstreams")
        | SETTINGS
        | {
            "AI_PLATFORM_DATA_DIR": str(directory / "data"),
            "AI_PLATFORM_MODELS_DIR": os.environ.get("AI_PLATFORM_MODELS_DIR", str(ROOT / ".data" / "models")),
            "AI_PLATFORM_GATEWAY__PORT": "0",
        }
    )
    log = (directory / "run.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "deploy.local", "run"], cwd=ROOT, env=environment, stdout=log, stderr=log
    )
    try:
        run_file = directory / "data" / "run.json"
        deadline = time.monotonic() + START_SECONDS
        while not run_file.exists():
            assert process.poll() is None, (directory / "run.log").read_text()
            assert time.monotonic() < deadline, (directory / "run.log").read_text()
            time.sleep(0.2)
        run = json.loads(run_file.read_text())
        found = Platform(run["base_url"], run["operator"]["email"], run["operator"]["password"], directory / "data")
        found.canaries.update((run["operator"]["password"], "sk-upstream-canary"))
        yield found
        leaks = sorted(_leaks(found))
        assert not leaks, f"secrets were told: {leaks}"
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(15)
        finally:
            process.kill()
            log.close()


def _leaks(platform: Platform) -> Iterator[str]:
    """Where a canary is in a log or a metric, and how it begins."""
    assert platform.directory is not None
    written = {path.name: path.read_text(errors="replace") for path in (platform.directory / "logs").glob("*")}
    written["metrics"] = httpx.get(f"{platform.run['ops_url']}/metrics").text
    for name, text in written.items():
        for secret in platform.canaries:
            if secret in text:
                yield f"{secret[:12]}… in {name}"


class LoggedIn(httpx.Auth):
    """The operator's access token; another one before it expires, however long the run takes."""

    requires_response_body = True

    def __init__(self, platform: Platform) -> None:
        login = {"email": platform.operator_email, "password": platform.operator_password}
        self._login = httpx.Request("POST", f"{platform.base_url}/api/v1/auth/token", json=login)
        self._token, self._until = "", 0.0

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if time.monotonic() >= self._until:
            told = (yield self._login).raise_for_status().json()
            self._token, self._until = told["access_token"], time.monotonic() + told["expires_in"] / 2
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request


@pytest.fixture(scope="session")
def operator(platform: Platform) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=platform.base_url, timeout=60) as client:
        client.auth = LoggedIn(platform)
        yield client


@pytest.fixture
def new_tenant(platform: Platform, operator: httpx.Client) -> Iterator[Callable[..., Tenant]]:
    clients = []

    def make(plan: str = "pro") -> Tenant:
        client = httpx.Client(base_url=platform.base_url, timeout=120)
        clients.append(client)
        email, password = f"{uuid4().hex}@example.com", f"correct horse {uuid4().hex}"
        body = {"email": email, "password": password, "full_name": "Ada", "tenant_name": "Engines"}
        made = client.post("/api/v1/auth/register", json=body)
        assert made.status_code == 201, made.text
        told = made.json()
        client.headers["Authorization"] = f"Bearer {told['access_token']}"
        if plan != "free":
            changed = operator.patch(f"/api/v1/admin/tenants/{told['tenant']['id']}", json={"plan": plan})
            assert changed.status_code == 200, changed.text
        key = client.post("/api/v1/api-keys", json={"name": "test"}).raise_for_status().json()["key"]
        platform.canaries.update((password, told["access_token"], told["refresh_token"], key))
        return Tenant(
            told["tenant"]["id"], email, password, told["refresh_token"], told["access_token"], key, client,
            platform.base_url,
        )  # fmt: skip

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def tenant(new_tenant: Callable[..., Tenant]) -> Tenant:
    return new_tenant()
