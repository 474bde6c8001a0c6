"""Calls that are begun before they are admitted: what the service does meanwhile, and what becomes of them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import structlog
from google.protobuf.wrappers_pb2 import StringValue

from chassis import errors
from chassis.client import Channel
from chassis.context import Keyring
from chassis.flow import admission
from chassis.relay.calls import Begun
from tests.promptness import PATIENCE
from tests.standins.echo_service import CALLING, CONFIG, NAME, PATIENT, ROOT, Echo, EchoStub, Served, served
from tests.unit.test_chassis_relay import cable

KINDS = ("Unary", "ServerStream")
METHODS = {"Unary": "unary", "ServerStream": "server_stream"}


class Careful(Echo):
    """Gets ready, waits until the call is admitted, and only then does what cannot be undone."""

    def __init__(self) -> None:
        super().__init__()
        self.ready = asyncio.Event()
        self.left = asyncio.Event()
        self.done: list[str] = []

    async def unary(self, request: StringValue, servicer_context: Any) -> StringValue:
        await self._admitted(request, servicer_context)
        return StringValue(value=await self.behave(request.value))

    async def server_stream(self, request: StringValue, servicer_context: Any) -> AsyncIterator[StringValue]:
        await self._admitted(request, servicer_context)
        for number in range(3):
            yield StringValue(value=f"{request.value}{number}")

    async def _admitted(self, request: StringValue, servicer_context: Any) -> None:
        self.ready.set()
        try:
            if (hold := admission(servicer_context)) is not None:
                await hold
        except asyncio.CancelledError:
            self.left.set()
            raise
        self.done.append(request.value)


class Party:
    """A caller of the service."""

    def __init__(self, service: Served, *, relay: bool = True) -> None:
        keyring, settings = Keyring("gateway", root=ROOT.encode()), PATIENT.model_copy(update={"enabled": relay})
        self.channel = Channel(service.address, keyring=keyring, callee=NAME, service_config=CONFIG, relay=settings)
        self.stub = EchoStub(self.channel)

    async def begin(self, kind: str) -> Begun:
        await self.channel.wait_ready()
        begun = getattr(self.stub, METHODS[kind]).ahead(StringValue(value="a"), CALLING)
        assert isinstance(begun, Begun)
        return begun


@pytest.fixture
async def echo() -> Careful:
    return Careful()


@pytest.mark.parametrize(("kind", "expected"), [("Unary", ["a"]), ("ServerStream", ["a0", "a1", "a2"])])
async def test_the_service_gets_ready_and_goes_on_when_told(echo: Careful, kind: str, expected: list[str]) -> None:
    async with served(echo) as service:
        party = Party(service)
        async with party.channel:
            begun = await party.begin(kind)
            await asyncio.wait_for(echo.ready.wait(), PATIENCE)
            # Another call goes and comes meanwhile: this one was not forgotten, it waits.
            assert await party.stub.call("BothStream", "b") == ["b", "b"]
            assert not echo.done
            begun.go()
            assert await party.stub.call(kind, "a", begun=begun) == expected
            assert echo.done == ["a"]


@pytest.mark.parametrize("kind", KINDS)
async def test_who_is_refused_leaves_and_nothing_was_done(echo: Careful, kind: str) -> None:
    async with served(echo) as service:
        party = Party(service)
        async with party.channel:
            begun = await party.begin(kind)
            await asyncio.wait_for(echo.ready.wait(), PATIENCE)
            begun.leave()
            await asyncio.wait_for(echo.left.wait(), PATIENCE)
            assert not echo.done


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("goes", "code"), [(False, "NOT_ADMITTED"), (True, "CANCELLED")])
async def test_who_was_not_let_in_did_not_fail(kind: str, goes: bool, code: str) -> None:
    waiting = asyncio.Event()

    async def stays(_text: str) -> str:
        waiting.set()
        await asyncio.sleep(600)
        return ""

    class Staying(Careful):
        async def server_stream(self, request: StringValue, servicer_context: Any) -> AsyncIterator[StringValue]:
            await self._admitted(request, servicer_context)
            yield StringValue(value=await self.behave(request.value))

    echo = Staying()
    echo.behave = stays
    with structlog.testing.capture_logs() as lines:
        async with served(echo) as service:
            party = Party(service)
            async with party.channel:
                begun = await party.begin(kind)
                await asyncio.wait_for(echo.ready.wait(), PATIENCE)
                if goes:
                    begun.go()
                    await asyncio.wait_for(waiting.wait(), PATIENCE)
                begun.leave()
                async with asyncio.timeout(PATIENCE):
                    while not (codes := [line["code"] for line in lines if line["event"] == "call"]):
                        await asyncio.sleep(0.005)
    assert codes == [code]


@pytest.mark.parametrize("kind", KINDS)
async def test_leaving_what_was_made_does_nothing(echo: Careful, kind: str) -> None:
    async with served(echo) as service:
        party = Party(service)
        async with party.channel:
            begun = await party.begin(kind)
            begun.go()
            await party.stub.call(kind, "a", begun=begun)
            begun.leave()
            assert await party.stub.call("BothStream", "b") == ["b", "b"]


async def test_what_ends_before_it_is_made_ends_so_when_it_is() -> None:
    async def fails(_text: str) -> str:
        raise errors.NotFound

    async with served(Echo(fails)) as service:
        party = Party(service)
        async with party.channel:
            begun = await party.begin("Unary")
            await asyncio.wait({begun.call.ended}, timeout=PATIENCE)
            begun.go()
            with pytest.raises(errors.NotFound):
                await party.stub.call("Unary", "a", begun=begun)


async def test_a_link_that_breaks_meanwhile_is_unavailable_as_ever(echo: Careful) -> None:
    async with served(echo) as service, cable(service) as plugged:
        party = Party(service)
        async with party.channel:
            begun = await party.begin("Unary")
            await asyncio.wait_for(echo.ready.wait(), PATIENCE)
            plugged.cut()
            await asyncio.wait_for(echo.left.wait(), PATIENCE)
            begun.go()
            with pytest.raises(errors.Unavailable):
                await party.stub.call("Unary", "a", begun=begun)
            assert not echo.done


async def test_a_service_that_begins_nothing_more_is_called_in_the_plain_way(echo: Careful) -> None:
    async with served(echo) as service:
        party = Party(service)
        async with party.channel:
            await party.channel.wait_ready()
            # What says so is still on its way when the call is begun.
            service.relay.drain()
            begun = await party.begin("Unary")
            begun.go()
            assert await party.stub.call("Unary", "a", begun=begun) == ["a"]
            assert echo.done == ["a"]


async def test_without_a_link_nothing_is_begun(echo: Careful) -> None:
    async with served(echo) as service:
        party = Party(service)
        async with party.channel:
            assert party.stub.unary.ahead(StringValue(value="a"), CALLING) is None
            assert await party.stub.call("Unary", "a") == ["a"]


async def test_a_request_that_goes_by_itself_is_not_begun(echo: Careful) -> None:
    async with served(echo) as service:
        party = Party(service)
        async with party.channel:
            await party.channel.wait_ready()
            assert party.stub.unary.ahead(StringValue(value="a" * 300_000), CALLING) is None
