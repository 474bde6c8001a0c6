"""A channel: deadlines and retries are data, errors come back as classes, cancelling reaches the other side."""

import asyncio
import json
from typing import Any

import pytest
from google.protobuf.wrappers_pb2 import StringValue

from chassis import context, errors
from chassis.client import Channel, read_service_config
from chassis.context import Keyring, MissingKey
from chassis.errors import Internal
from tests.promptness import PATIENCE
from tests.standins.echo_service import CALLING, CONFIG, KINDS, NAME, ROOT, SERVICE, Echo, EchoStub, Transport, served

pytestmark = pytest.mark.usefixtures("transport")


def config(**method: Any) -> str:
    return json.dumps({"methodConfig": [{"name": [{"service": SERVICE}], **method}]})


RETRIES = {
    "maxAttempts": 3,
    "initialBackoff": "0.01s",
    "maxBackoff": "0.02s",
    "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE"],
}


async def test_the_four_kinds() -> None:
    async with served(Echo()) as service, service.channel() as channel:
        stub = EchoStub(channel)
        assert [await stub.call(kind, "a") for kind in KINDS] == [["a"], ["a+a"], ["a0", "a1", "a2"], ["a", "a"]]


@pytest.mark.parametrize("kind", KINDS)
async def test_the_deadline_of_the_service_config_binds(kind: str) -> None:
    async def behave(text: str) -> str:
        await asyncio.sleep(600)
        return text

    async with served(Echo(behave)) as service, service.channel(config=config(timeout="0.05s")) as channel:
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(errors.DeadlineExceeded):
                await EchoStub(channel).call(kind, "a")


async def test_a_shorter_deadline_may_be_asked_for() -> None:
    async def behave(text: str) -> str:
        await asyncio.sleep(30)
        return text

    async with served(Echo(behave)) as service, service.channel() as channel:
        with pytest.raises(errors.DeadlineExceeded):
            await EchoStub(channel).call("Unary", "a", timeout=0.05)


async def test_what_is_unavailable_is_tried_again() -> None:
    attempts = 0

    async def behave(text: str) -> str:
        nonlocal attempts
        attempts += 1
        if attempts < 3:
            raise errors.Unavailable
        return text

    async with served(Echo(behave)) as service:
        async with service.channel(config=config(timeout="5s", retryPolicy=RETRIES)) as channel:
            assert await EchoStub(channel).call("Unary", "a") == ["a"]
    assert attempts == 3


@pytest.mark.parametrize("error", [errors.Internal, errors.Aborted, errors.ResourceExhausted])
async def test_nothing_else_is_tried_again(error: type[errors.PlatformError]) -> None:
    attempts = 0

    async def behave(text: str) -> str:
        nonlocal attempts
        attempts += 1
        raise error

    async with served(Echo(behave)) as service:
        async with service.channel(config=config(timeout="5s", retryPolicy=RETRIES)) as channel:
            with pytest.raises(error):
                await EchoStub(channel).call("Unary", "a")
    assert attempts == 1


async def test_without_a_policy_nothing_is_tried_again() -> None:
    attempts = 0

    async def behave(text: str) -> str:
        nonlocal attempts
        attempts += 1
        raise errors.Unavailable

    async with served(Echo(behave)) as service, service.channel() as channel:
        with pytest.raises(errors.Unavailable):
            await EchoStub(channel).call("Unary", "a")
    assert attempts == 1


async def test_nobody_there_is_unavailable_and_names_no_address() -> None:
    async with served(Echo()) as service:
        address = service.address
    ring = Keyring("gateway", root=ROOT.encode())
    async with Channel(address, keyring=ring, callee=NAME, service_config=CONFIG, relay=Transport.relay) as channel:
        with pytest.raises(errors.Unavailable) as caught:
            await EchoStub(channel).call("Unary", "a", timeout=5)
    assert address not in caught.value.message


@pytest.mark.parametrize("kind", KINDS)
async def test_a_machine_too_busy_to_answer_at_once_is_waited_for(kind: str) -> None:
    """A connection that is taken, and on which nothing is said for longer than a quiet machine ever needs."""

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.3)
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", service.port)
        await asyncio.gather(_pump(reader, there_writer), _pump(there_reader, writer))

    ring = Keyring("gateway", root=ROOT.encode())
    async with served(Echo()) as service, await asyncio.start_server(late, "127.0.0.1", 0) as busy:
        address = f"127.0.0.1:{busy.sockets[0].getsockname()[1]}"
        async with Channel(address, keyring=ring, callee=NAME, service_config=CONFIG, relay=Transport.relay) as channel:
            assert await EchoStub(channel).call(kind, "a")


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


async def test_a_service_that_comes_back_is_found_again() -> None:
    async with served(Echo()) as first, first.channel() as channel:
        await channel.wait_ready()
        assert await EchoStub(channel).call("Unary", "a") == ["a"]


async def test_the_context_served_is_passed_on() -> None:
    """Without an explicit context the one of the running call travels; outside of a call there is none to send."""
    async with served(Echo()) as service, service.channel() as channel:
        stub = EchoStub(channel)
        with pytest.raises(Internal):
            await stub.unary(StringValue(value="a"))
        context.enter(CALLING)
        assert (await stub.unary(StringValue(value="a"))).value == "a"


async def test_trailers_are_told() -> None:
    class Telling(Echo):
        async def unary(self, request: StringValue, servicer_context: Any) -> StringValue:
            servicer_context.set_trailing_metadata((("served-by", "echo"),))
            return request

        async def server_stream(self, request: StringValue, servicer_context: Any) -> Any:
            servicer_context.set_trailing_metadata((("served-by", "stream"),))
            yield request

    told: list[dict[str, str | bytes]] = []
    async with served(Telling()) as service, service.channel() as channel:
        for kind in ("Unary", "ServerStream"):
            await EchoStub(channel).call(kind, "a", on_trailers=told.append)
    assert [trailers["served-by"] for trailers in told] == ["echo", "stream"]


def test_a_channel_needs_its_pairs_key() -> None:
    with pytest.raises(MissingKey, match="gateway>echo_service"):
        Channel("127.0.0.1:1", keyring=Keyring("gateway"), callee=NAME, service_config=CONFIG)


class TestServiceConfig:
    """The deadlines and retries of the real contracts."""

    CONFIG = json.loads(read_service_config())

    def test_it_is_the_one_that_stands_beside_the_contracts(self) -> None:
        from pathlib import Path

        assert json.loads((Path(__file__).parents[2] / "protos/service_config.json").read_text()) == self.CONFIG

    def test_every_name_exists(self) -> None:
        from importlib import import_module

        for row in self.CONFIG["methodConfig"]:
            for named in row["name"]:
                if not named:
                    continue
                short = named["service"].split(".")[1]
                module = import_module(f"aisp.{short}.v1.{short}_service_pb2")
                service = module.DESCRIPTOR.services_by_name[named["service"].rsplit(".", 1)[1]]
                if "method" in named:
                    assert named["method"] in service.methods_by_name, named

    def test_nobody_waits_for_ever(self) -> None:
        assert all("timeout" in row for row in self.CONFIG["methodConfig"])
        assert any({} in row["name"] for row in self.CONFIG["methodConfig"])

    def test_only_what_may_be_repeated_is_retried(self) -> None:
        retried = {
            named.get("method", "*")
            for row in self.CONFIG["methodConfig"]
            if "retryPolicy" in row
            for named in row["name"]
        }
        harmless = ("Check", "Get", "List", "Verify", "Embed", "Rerank", "Forget", "*")
        assert all(method.startswith(harmless) for method in retried), retried
