"""Fixtures for every suite: event loops that clean up, and the engines, started once per process that asks."""

import asyncio
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from chassis.settings import DatabaseSettings, RedisSettings, RelaySettings
from deploy.local.databases import ensure_databases
from deploy.local.postgres import Postgres
from deploy.local.valkey import METER, Valkey
from tests.standins.echo_service import Transport

PASSWORD = "test-" + secrets.token_hex(8)


@pytest.fixture(params=["grpc", "relay"])
def transport(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Runs a test of channels and servers twice: each call by itself, and over the relay."""
    name: str = request.param
    monkeypatch.setattr(Transport, "relay", RelaySettings(enabled=name == "relay"))
    return name


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


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisSettings]:
    """A Valkey of this test process, set up as the meter's."""
    directory = tmp_path_factory.mktemp("valkey")
    server = Valkey("valkey-test", directory / "data", METER, "test-password", directory / "valkey.log")
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
