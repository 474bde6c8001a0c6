"""The relay's own promises; that calls behave on it as without it is what the suites with `transport` prove."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.wrappers_pb2 import StringValue

from chassis import errors
from chassis.client import Channel
from chassis.context import METADATA_KEY, Keyring, Signer
from chassis.flow import Enough, pour, pushing
from chassis.relay.frames import TRAFFIC, Opened
from chassis.relay.rules import Rules
from chassis.settings import RelaySettings
from deploy.local.process import free_port
from tests.promptness import PATIENCE
from tests.standins.echo_service import CALLING, CONFIG, NAME, PATIENT, ROOT, SERVICE, Echo, EchoStub, Served, served

WINDOW = PATIENT.model_copy(update={"window_bytes": 100_000})


def relayed(service: Served, settings: RelaySettings = PATIENT) -> Channel:
    keyring = Keyring("gateway", root=ROOT.encode())
    return Channel(service.address, keyring=keyring, callee=NAME, service_config=CONFIG, relay=settings)


def sent() -> int:
    return TRAFFIC.sent_messages


@dataclass
class Cable:
    """Stands between a channel and a service's relay, and can be cut."""

    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    def cut(self) -> None:
        for writer in self.writers:
            writer.transport.abort()


@asynccontextmanager
async def cable(service: Served) -> AsyncIterator[Cable]:
    plugged, port = Cable(), service.relay.port

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        plugged.writers.append(writer)
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
        writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pump(reader, there_writer), pump(there_reader, writer))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    # What the service tells its callers.
    service.relay.port = server.sockets[0].getsockname()[1]
    yield plugged
    plugged.cut()
    server.close()


class Counting(Echo):
    """Answers a stream of `size` bytes a message, and counts those that it got rid of."""

    def __init__(self, messages: int, size: int) -> None:
        super().__init__()
        self.produced = 0
        self._messages = messages
        self._size = size

    async def server_stream(self, request: StringValue, servicer_context: Any) -> AsyncIterator[StringValue]:
        for number in range(self._messages):
            yield StringValue(value=f"{number:08}".ljust(self._size, "."))
            self.produced += 1


async def test_what_waits_is_joined() -> None:
    async with served(Echo()) as service, relayed(service) as channel:
        stub = EchoStub(channel)
        await stub.call("Unary", "first")
        before = sent()
        answers = await asyncio.gather(*(stub.call("Unary", str(number)) for number in range(200)))
        assert answers == [[str(number)] for number in range(200)]
        # 200 calls and their 200 answers, both sides of which count in this process.
        assert sent() - before < 40


async def test_nothing_waits_to_be_joined() -> None:
    async with served(Echo()) as service, relayed(service) as channel:
        stub = EchoStub(channel)
        await stub.call("Unary", "first")
        before = sent()
        for number in range(5):
            await stub.call("Unary", str(number))
        assert sent() - before == 10


async def test_a_slow_reader_holds_back_its_own_call_only() -> None:
    echo = Counting(1000, 10_000)
    async with served(echo) as service, relayed(service, WINDOW) as channel:
        stub = EchoStub(channel)
        stream = stub.server_stream(StringValue(value="a"), context=CALLING)
        first = await anext(stream)
        for _ in range(5):
            assert await stub.call("Unary", "others go on") == ["others go on"]
        await asyncio.sleep(0.05)
        assert echo.produced <= 12
        rest = [message async for message in stream]
        assert [int(message.value[:8]) for message in (first, *rest)] == list(range(1000))


async def test_leaving_a_stream_cancels_it_at_the_service() -> None:
    ended = asyncio.Event()

    class Endless(Echo):
        async def server_stream(self, request: StringValue, servicer_context: Any) -> AsyncIterator[StringValue]:
            try:
                while True:
                    yield request
                    await asyncio.sleep(0)
            finally:
                ended.set()

    async with served(Endless()) as service, relayed(service) as channel:
        stream = EchoStub(channel).server_stream(StringValue(value="a"), context=CALLING)
        await anext(stream)
        await stream.aclose()
        await asyncio.wait_for(ended.wait(), PATIENCE)
        assert await EchoStub(channel).call("Unary", "still there") == ["still there"]


async def test_a_broken_link_fails_its_calls_as_unavailable_and_is_opened_again() -> None:
    started = asyncio.Event()

    async def behave(text: str) -> str:
        if text == "wait":
            started.set()
            await asyncio.sleep(60)
        return text

    async with served(Echo(behave)) as service, cable(service) as plugged, relayed(service) as channel:
        call = asyncio.create_task(EchoStub(channel).call("Unary", "wait"))
        await started.wait()
        plugged.cut()
        with pytest.raises(errors.Unavailable):
            await call
        before = sent()
        assert await EchoStub(channel).call("Unary", "again") == ["again"]
        assert sent() > before, "over a new link"


async def test_a_service_that_goes_away_is_unavailable() -> None:
    started = asyncio.Event()

    async def behave(text: str) -> str:
        started.set()
        await asyncio.sleep(60)
        return text

    async with served(Echo(behave)) as service, relayed(service) as channel:
        calls = [asyncio.create_task(EchoStub(channel).call(kind, "a")) for kind in ("Unary", "ServerStream")]
        await started.wait()
        await asyncio.gather(service.relay.stop(0), service.server.stop(None))
        told = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(error) for error in told] == [errors.Unavailable, errors.Unavailable]


async def test_a_drain_ends_what_is_open_and_begins_nothing() -> None:
    started, release = asyncio.Event(), asyncio.Event()

    async def behave(text: str) -> str:
        started.set()
        await release.wait()
        return text

    async with served(Echo(behave)) as service, relayed(service) as channel:
        stub = EchoStub(channel)
        late = asyncio.create_task(stub.call("Unary", "late"))
        await started.wait()
        service.relay.drain()
        # Refused on the stream before anything was done; the server still takes calls by themselves.
        new = asyncio.create_task(stub.call("Unary", "new"))
        await asyncio.sleep(0.05)
        release.set()
        assert (await late, await new) == (["late"], ["new"])
        # The links end by themselves: nothing holds up the stop.
        await asyncio.wait_for(asyncio.gather(service.relay.stop(30), service.server.stop(600)), PATIENCE)


async def test_a_service_without_a_relay_is_called_in_the_plain_way() -> None:
    async with served(Echo(), relay={"enabled": False}) as service, relayed(service) as channel:
        stub = EchoStub(channel)
        assert await stub.call("Unary", "a") == ["a"]
        assert await stub.call("ServerStream", "a") == ["a0", "a1", "a2"]
        assert channel._relay is not None
        assert not channel._relay.usable


async def test_large_messages() -> None:
    async def behave(text: str) -> str:
        return text * 40

    settings = PATIENT.model_copy(update={"max_request_bytes": 1_000_000})
    async with served(Echo(behave)) as service, relayed(service, settings) as channel:
        stub = EchoStub(channel)
        await channel.wait_ready()
        before = sent()
        assert len((await stub.call("Unary", "x" * 800_000))[0]) == 32_000_000
        assert sent() - before == 2
        with pytest.raises(errors.ResourceExhausted):
            await stub.call("Unary", "x" * 900_000)
        before = sent()
        with pytest.raises(errors.ResourceExhausted):
            await stub.call("Unary", "x" * 1_000_001)
        assert sent() == before, "a larger request goes by itself"


async def test_more_calls_than_a_stream_may_hold() -> None:
    release = asyncio.Event()

    async def behave(text: str) -> str:
        await release.wait()
        return text

    async with served(Echo(behave), relay={"max_calls": 2}) as service, relayed(service) as channel:
        calls = [asyncio.create_task(EchoStub(channel).call("Unary", "a")) for _ in range(3)]
        with pytest.raises(errors.ResourceExhausted):
            await calls[2]
        release.set()
        assert (await calls[0], await calls[1]) == (["a"], ["a"])


@pytest.mark.parametrize(
    ("method", "signed", "expected"),
    [
        ("Unary", False, errors.Unauthenticated),
        ("NoSuchMethod", True, errors.Unimplemented),
        ("ClientStream", True, errors.Unimplemented),
    ],
)
async def test_each_call_is_judged_by_itself(method: str, signed: bool, expected: type[errors.PlatformError]) -> None:
    path = f"/{SERVICE}/{method}"
    async with served(Echo()) as service, relayed(service) as channel:
        await channel.wait_ready()
        assert channel._relay is not None
        signature = Signer(Keyring("gateway", root=ROOT.encode()), NAME).sign(CALLING, path)
        metadata = ((METADATA_KEY, signature),) if signed else ()
        opened = Opened(5000, 0, path, metadata, StringValue(value="a").SerializeToString())
        with pytest.raises(expected):
            await (await channel._relay.call(opened, 5)).answer()


async def test_more_links_than_there_may_be() -> None:
    async with served(Echo(), relay={"max_links": 1}) as service, relayed(service) as first, relayed(service) as second:
        for channel in (first, second):
            assert await EchoStub(channel).call("Unary", "a") == ["a"]
        assert [channel._relay.usable for channel in (first, second) if channel._relay] == [True, False]


async def test_calls_go_by_themselves_until_a_socket_can_be_had() -> None:
    async with served(Echo()) as service, relayed(service, RelaySettings(connect_seconds=0.3)) as channel:
        real, service.relay.port = service.relay.port, free_port()
        stub = EchoStub(channel)
        before = sent()
        assert await stub.call("Unary", "a") == ["a"]
        assert await stub.call("ServerStream", "a") == ["a0", "a1", "a2"]
        assert sent() == before
        service.relay.port = real
        async with asyncio.timeout(PATIENCE):
            while sent() == before:
                assert await stub.call("Unary", "a") == ["a"]
                await asyncio.sleep(0.02)


async def test_a_caller_on_the_services_machine_takes_its_socket(short_path: Path) -> None:
    def peers(service: Served) -> list[str]:
        return [line.link.peer for line in service.relay._lines]

    async with served(Echo(), relay={"sockets": str(short_path)}) as service:
        async with relayed(service) as channel:
            assert await EchoStub(channel).call("ServerStream", "a") == ["a0", "a1", "a2"]
            assert peers(service) == ["unix:"]
        # Where there is no such path, as on another machine, the port is there.
        path, service.relay.socket = service.relay.socket, str(short_path / "none.sock")
        async with relayed(service) as channel:
            assert await EchoStub(channel).call("Unary", "a") == ["a"]
            assert "ipv4" in {peer.partition(":")[0] for peer in peers(service)}
        service.relay.socket = path


def test_the_nearest_rule_of_the_service_config_holds() -> None:
    rules = Rules(
        '{"methodConfig": [{"name": [{}], "timeout": "10s"}, {"name": [{"service": "a.B"}], "timeout": "0.5s"},'
        '{"name": [{"service": "a.B", "method": "C"}], "timeout": "600s"}]}'
    )
    assert [rules.of(path).timeout for path in ("/a.B/C", "/a.B/D", "/x.Y/Z")] == [600, 0.5, 10]


class Written(Echo):
    """Writes its stream without waiting, as far as it may."""

    def __init__(self, messages: int, size: int) -> None:
        super().__init__()
        self.produced = 0
        self.ended = asyncio.Event()
        self._messages = messages
        self._size = size

    async def server_stream(self, request: StringValue, servicer_context: Any) -> None:  # type: ignore[override]
        try:
            async with pushing(servicer_context) as push:
                for number in range(self._messages):
                    hold = push(StringValue(value=f"{number:08}".ljust(self._size, ".")))
                    self.produced += 1
                    if hold is not None:
                        await asyncio.wait({hold})
        finally:
            self.ended.set()


@pytest.mark.parametrize("settings", [WINDOW, RelaySettings(enabled=False)])
class TestPouring:
    async def test_a_stream_is_poured(self, settings: RelaySettings) -> None:
        async with served(Written(1000, 1000)) as service, relayed(service, settings) as channel:
            stream = EchoStub(channel).server_stream(StringValue(value="a"), context=CALLING)
            took = [await anext(stream)]
            await pour(stream, took.append)
            assert [int(message.value[:8]) for message in took] == list(range(1000))

    async def test_who_does_not_read_holds_it_back(self, settings: RelaySettings) -> None:
        echo, took = Written(1000, 10_000), []
        hold: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def take(message: StringValue) -> asyncio.Future[None] | None:
            took.append(message)
            return None if hold.done() else hold

        async with served(echo) as service, relayed(service, settings) as channel:
            stream = EchoStub(channel).server_stream(StringValue(value="a"), context=CALLING)
            pouring = asyncio.create_task(pour(stream, take))
            await asyncio.sleep(0.1)
            assert len(took) <= 12
            # gRPC's own windows are larger.
            assert echo.produced < (13 if settings.enabled else 1000)
            hold.set_result(None)
            await pouring
            assert len(took) == 1000

    async def test_who_has_enough_ends_it(self, settings: RelaySettings) -> None:
        echo, took = Written(100_000, 100), []

        def take(message: StringValue) -> None:
            took.append(message)
            if len(took) == 5:
                raise Enough

        async with served(echo) as service, relayed(service, settings) as channel:
            stream = EchoStub(channel).server_stream(StringValue(value="a"), context=CALLING)
            with pytest.raises(Enough):
                await pour(stream, take)
            await stream.aclose()
            await asyncio.wait_for(echo.ended.wait(), PATIENCE)
            assert len(took) == 5
            assert echo.produced < 100_000

    async def test_what_fails_fails_it(self, settings: RelaySettings) -> None:
        async def behave(text: str) -> str:
            if text == "a2":
                raise errors.Unavailable
            return text

        took: list[StringValue] = []
        async with served(Echo(behave)) as service, relayed(service, settings) as channel:
            with pytest.raises(errors.Unavailable):
                await pour(EchoStub(channel).server_stream(StringValue(value="a"), context=CALLING), took.append)
        assert [message.value for message in took] == ["a0", "a1"]
