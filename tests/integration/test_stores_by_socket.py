"""Stores on the same machine, reached by the paths of their sockets."""

from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from pydantic import SecretStr

from chassis import valkey
from chassis.settings import RedisSettings, kept_secret
from deploy.local.postgres import ADMIN, Postgres
from deploy.local.valkey import METER, Valkey
from gateway.limits.resp import RespClient, StoreUnavailable


@pytest.fixture
def server(short_path: Path) -> Iterator[Valkey]:
    server = Valkey("valkey", short_path / "data", METER, "secret", short_path / "valkey.log")
    server.start()
    try:
        yield server
    finally:
        server.process.stop(5)


async def test_both_clients_take_it(server: Valkey) -> None:
    await server.wait_ready()
    assert server.host.endswith("/valkey.sock")
    place = RedisSettings(host=server.host, port=1, password=SecretStr("secret"))
    client = valkey.connect(place, connect_seconds=3, reply_seconds=3)
    await client.set("a", "1")
    await client.aclose()
    lean = RespClient(place)
    assert await lean.call("GET", "a") == b"1"
    lean.close()


async def test_a_socket_that_is_not_there_is_a_store_that_is_away(short_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        await RespClient(RedisSettings(host=str(short_path / "none.sock"))).call("PING")


@pytest.fixture
def cluster(short_path: Path) -> Iterator[Postgres]:
    # Where it does not run as root, but as nobody.
    short_path.chmod(0o755)
    server = Postgres(short_path / "cluster", short_path / "postgres.log")
    server.start()
    try:
        yield server
    finally:
        server.process.stop()


async def test_postgresql_is_reached_by_its_socket_and_asks_for_a_password_there_too(
    cluster: Postgres, short_path: Path
) -> None:
    await cluster.wait_ready()
    assert cluster.host.endswith("/cluster")
    place = {"host": cluster.host, "port": cluster.port, "user": ADMIN, "database": "postgres"}
    connection = await asyncpg.connect(**place, password=kept_secret(short_path, "postgres_admin_password"))
    assert await connection.fetchval("SELECT inet_server_addr()") is None
    await connection.close()
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(**place, password="wrong")


def test_where_a_sockets_path_would_be_too_long_a_port_is_taken(tmp_path: Path) -> None:
    assert Postgres(tmp_path / ("x" * 100), tmp_path / "log").host == "127.0.0.1"
