"""A Valkey on the same machine, reached by the path of its socket."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from chassis import valkey
from chassis.settings import RedisSettings
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
