"""Fixtures for every suite: event loops that clean up, and the engines, started once per process that asks.

AISP_POSTGRES names the directory of another PostgreSQL's programs (14 or newer), AISP_METER the program of another
Valkey or Redis: all suites then run on those (`make test-oldest`).
"""

import asyncio
import secrets
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from pydantic import SecretStr

from chassis.settings import DatabaseSettings, RedisSettings
from deploy.local.databases import ensure_databases
from deploy.local.postgres import Postgres, binaries
from deploy.local.valkey import METER, Valkey, binary
from tests.standins.echo_service import PATIENT, Transport

# The same examples at every run; how long one takes says how busy the machine is.
settings.register_profile("aisp", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("aisp")

HAS_PGVECTOR = any(binaries().parent.rglob("vector.control"))
NEEDS_PGVECTOR = pytest.mark.skipif(not HAS_PGVECTOR, reason="this PostgreSQL has no pgvector")
"""What is of pgvector itself. Everything else goes with arrays in its place, too."""
PASSWORD = "test-" + secrets.token_hex(8)
DAY = 86_400
LAST_OF_A_DAY = 90
"""Seconds in which no test begins that counts by days."""
COUNTING = ("chaos", "e2e", "integration")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """What is used before midnight and asked for after it is another day's, rightly: such a test waits for the day."""
    left = DAY - time.time() % DAY
    if left < LAST_OF_A_DAY and item.path.parent.name in COUNTING:
        time.sleep(left + 1)


@pytest.fixture
async def leaping(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """For tests whose tasks meet in memory: where all of them wait, the loop's clock leaps to the first that wakes.

    Nothing takes time, and on no machine, however busy, does a timer overtake what is ready to go on.
    """
    loop: Any = asyncio.get_running_loop()
    now, select = loop.time(), loop._selector.select

    def leap(timeout: float | None = None) -> Any:
        nonlocal now
        found = select(0 if timeout else timeout)
        if not found and timeout:
            now += timeout
        return found

    monkeypatch.setattr(loop, "time", lambda: now)
    monkeypatch.setattr(loop._selector, "select", leap)
    yield
    monkeypatch.undo()


@pytest.fixture(params=["grpc", "relay"])
def transport(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Runs a test of channels and servers twice: each call by itself, and over the relay."""
    name: str = request.param
    monkeypatch.setattr(Transport, "relay", PATIENT.model_copy(update={"enabled": name == "relay"}))
    return name


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A directory for Unix sockets: pytest's own have paths that are too long."""
    with tempfile.TemporaryDirectory(prefix="aisp-") as directory:
        yield Path(directory)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabaseSettings]:
    """A PostgreSQL of this test process, with every database and role, not yet migrated."""
    directory = tmp_path_factory.mktemp("postgres")
    _open_to_nobody(directory)
    server = Postgres(directory / "cluster", directory / "postgres.log")
    server.start()
    try:
        settings = DatabaseSettings(
            host="127.0.0.1",
            port=server.port,
            password=SecretStr(PASSWORD),
            owner_password=SecretStr(PASSWORD + "-owner"),
            pool_size=8,
        )

        async def prepare() -> None:
            await server.wait_ready()
            await ensure_databases(server.admin_dsn, settings)

        asyncio.run(prepare())
        yield settings
    finally:
        server.process.stop()


SERVERS = {"valkey": str(binary()), "redis": shutil.which("redis-server")}
BOTH_SERVERS = pytest.mark.parametrize("valkey", SERVERS, indirect=True)
"""Of a module: its tests run on Valkey, and again on Debian's Redis 7."""


@pytest.fixture(scope="session")
def valkey(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisSettings]:
    """A Valkey (or what BOTH_SERVERS names) of this test process, set up as the meter's."""
    with store_of(getattr(request, "param", "valkey"), tmp_path_factory.mktemp("valkey")) as settings:
        yield settings


@contextmanager
def store_of(kind: str, directory: Path) -> Iterator[RedisSettings]:
    """A server of one of the SERVERS; the test is skipped where the machine has none."""
    program = SERVERS[kind]
    if program is None:
        pytest.skip("Debian's Redis is not installed (apt-get install redis-server)")
    server = Valkey("valkey-test", directory / "data", METER, "test-password", directory / "valkey.log", Path(program))
    server.start()
    try:
        asyncio.run(server.wait_ready())
        yield RedisSettings(host="127.0.0.1", port=server.port, password=SecretStr("test-password"))
    finally:
        server.process.stop()


def _open_to_nobody(directory: Path) -> None:
    """PostgreSQL does not run as root but as nobody, who must be able to reach its directory."""
    for path in (directory, *directory.parents):
        if path.stat().st_mode & 0o011 != 0o011 and path.owner() == Path.home().owner():
            path.chmod(path.stat().st_mode | 0o011)
