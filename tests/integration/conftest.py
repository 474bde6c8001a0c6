"""Migrated databases, and services in this process behind a real wire."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from pydantic import SecretStr

from chassis.client import Channel, read_service_config
from chassis.context import Keyring
from chassis.server import listening
from chassis.settings import DatabaseSettings, Endpoint, RedisSettings, ServiceSettings
from deploy.local.valkey import Valkey
from tests.conftest import SERVERS
from tests.integration.meter_clock import clocked_library

ROOT = b"a root secret for tests, of some length"


@pytest.fixture(scope="session")
def migrated(postgres: DatabaseSettings) -> Callable[[str], DatabaseSettings]:
    """Migrates a service's database, once."""
    done: set[str] = set()

    def migrate(name: str) -> DatabaseSettings:
        if name not in done:
            environment = os.environ | {
                "AI_PLATFORM_DATABASE__HOST": postgres.host,
                "AI_PLATFORM_DATABASE__PORT": str(postgres.port),
                "AI_PLATFORM_DATABASE__PASSWORD": postgres.password.get_secret_value(),
                "AI_PLATFORM_DATABASE__OWNER_PASSWORD": postgres.owner_password.get_secret_value(),
            }
            subprocess.run([sys.executable, "-m", name, "migrate"], check=True, env=environment, capture_output=True)
            done.add(name)
        return postgres

    return migrate


Serve = Callable[..., AbstractAsyncContextManager[Channel]]


class Clock:
    """The auth service's, which tests set forward."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("auth_service.app.now", made)
    return made


@pytest.fixture
def serve() -> Serve:
    """Serves an app on a free port and gives a channel to it, as from the gateway."""

    @asynccontextmanager
    async def serving(name: str, settings: ServiceSettings, compose: Any) -> AsyncIterator[Channel]:
        endpoint = Endpoint(address="127.0.0.1:0")
        async with (
            compose(settings) as app,
            listening(name, settings, endpoint, app) as (_server, _health, _relay, port),
        ):
            keyring = Keyring("gateway", root=ROOT)
            address = f"127.0.0.1:{port}"
            config = read_service_config()
            async with Channel(
                address, keyring=keyring, callee=name, service_config=config, relay=settings.relay
            ) as channel:
                yield channel

    return serving


@pytest.fixture(scope="session", params=list(SERVERS))
def clocked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisSettings]:
    """A Valkey, and Debian's Redis 7, with the library on a clock that tests set: the key test:now, in milliseconds."""
    program = SERVERS[request.param]
    if program is None:
        pytest.skip("Debian's Redis is not installed (apt-get install redis-server)")
    directory = tmp_path_factory.mktemp("clocked")
    options = ("--maxmemory-policy", "noeviction", "--appendonly", "no")
    server = Valkey("clocked", directory / "data", options, "test-password", directory / "log", Path(program))
    server.start()
    try:
        asyncio.run(server.wait_ready())
        with redis.Redis(host="127.0.0.1", port=server.port, password=server.password) as client:
            client.function_load(clocked_library())
        yield RedisSettings(host="127.0.0.1", port=server.port, password=SecretStr(server.password))
    finally:
        server.process.stop()
