"""Migrated databases, and services in this process behind a real wire."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from chassis.client import Channel, read_service_config
from chassis.context import Keyring
from chassis.server import listening
from chassis.settings import DatabaseSettings, Endpoint, ServiceSettings

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
