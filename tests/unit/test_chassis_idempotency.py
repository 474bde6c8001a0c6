"""Idempotency-Key: the same answer once, and never somebody else's."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from google.protobuf.wrappers_pb2 import StringValue
from redis.exceptions import ConnectionError as RedisConnectionError

from chassis import context, errors, idempotency
from chassis.context import Keyring, MissingKey, RequestContext
from chassis.idempotency import AnswersUnavailable, IdempotencyInterceptor, MemoryAnswerStore, ValkeyAnswerStore
from tests.promptness import PATIENCE
from tests.standins.echo_service import CALLING, NAME, ROOT, Echo, EchoStub, Served, served

pytestmark = pytest.mark.usefixtures("transport")

KEYED = CALLING._replace(idempotency_key="once", fingerprint="a" * 64)
RING = Keyring(NAME, root=ROOT.encode())


class Counting(Echo):
    """Answers with the number of the call; does what `next_error` says first."""

    def __init__(self) -> None:
        super().__init__(self.answer)
        self.calls = 0
        self.keys: list[str] = []
        self.next_error: Exception | None = None

    async def answer(self, text: str) -> str:
        self.calls += 1
        self.keys.append(context.current().idempotency_key)
        if self.next_error is not None:
            error, self.next_error = self.next_error, None
            raise error
        return f"{text}#{self.calls}"


@pytest.fixture
def echo() -> Counting:
    return Counting()


@pytest.fixture
def store() -> MemoryAnswerStore:
    return MemoryAnswerStore()


@pytest.fixture
async def stub(echo: Counting, store: MemoryAnswerStore) -> AsyncIterator[EchoStub]:
    async with served(echo, (IdempotencyInterceptor(store, RING),)) as service, service.channel() as channel:
        yield EchoStub(channel)


REPLAYABLE = ("Unary", "ServerStream", "ClientStream", "BothStream")


@pytest.mark.parametrize("kind", REPLAYABLE)
async def test_the_answer_is_replayed(kind: str, stub: EchoStub, echo: Counting) -> None:
    told: list[Any] = []
    first = await stub.call(kind, "a", context=KEYED, on_trailers=told.append)
    calls = echo.calls
    assert await stub.call(kind, "a", context=KEYED, on_trailers=told.append) == first
    assert echo.calls == calls
    assert [idempotency.REPLAYED_KEY in trailers for trailers in told] == [False, True]


async def test_without_a_key_every_call_runs(stub: EchoStub) -> None:
    assert await stub.call("Unary", "a") != await stub.call("Unary", "a")
    assert await stub.call("ServerStream", "a") != await stub.call("ServerStream", "a")


@pytest.mark.parametrize("kind", ["Unary", "ServerStream"])
async def test_another_body_under_the_key_is_refused(kind: str, stub: EchoStub) -> None:
    await stub.call(kind, "a", context=KEYED)
    with pytest.raises(errors.InvalidArgument) as caught:
        await stub.call(kind, "b", context=KEYED._replace(fingerprint="b" * 64))
    assert caught.value.reason == "IDEMPOTENCY_MISMATCH"


@pytest.mark.parametrize("other", [KEYED._replace(tenant_id="tenant-2"), KEYED._replace(idempotency_key="twice")])
async def test_another_tenant_or_key_is_another_answer(other: RequestContext, stub: EchoStub) -> None:
    assert await stub.call("Unary", "a", context=KEYED) != await stub.call("Unary", "a", context=other)


async def test_another_method_is_another_answer(stub: EchoStub) -> None:
    await stub.call("Unary", "a", context=KEYED)
    assert len(await stub.call("ServerStream", "a", context=KEYED)) == 3


async def test_while_the_first_runs_its_twin_waits(store: MemoryAnswerStore) -> None:
    started, release = asyncio.Event(), asyncio.Event()

    async def behave(text: str) -> str:
        started.set()
        await release.wait()
        return text

    async with served(Echo(behave), (IdempotencyInterceptor(store, RING),)) as service, service.channel() as channel:
        stub = EchoStub(channel)
        first = asyncio.create_task(stub.call("Unary", "a", context=KEYED))
        await started.wait()
        with pytest.raises(errors.Aborted) as caught:
            await stub.call("Unary", "a", context=KEYED)
        release.set()
        assert await first == await stub.call("Unary", "a", context=KEYED) == ["a"]
    assert (caught.value.reason, caught.value.retry_after) == ("IDEMPOTENCY_IN_FLIGHT", 1)


@pytest.mark.parametrize("kind", ["Unary", "ServerStream"])
@pytest.mark.parametrize("error", [errors.ResourceExhausted(), ValueError("a defect")], ids=["typed", "unexpected"])
async def test_a_failure_frees_the_key(kind: str, error: Exception, stub: EchoStub, echo: Counting) -> None:
    echo.next_error = error
    with pytest.raises(errors.PlatformError):
        await stub.call(kind, "a", context=KEYED)
    first = await stub.call(kind, "a", context=KEYED)
    assert await stub.call(kind, "a", context=KEYED) == first


@pytest.mark.parametrize("kind", ["Unary", "ServerStream"])
async def test_a_caller_that_leaves_frees_the_key(kind: str, store: MemoryAnswerStore) -> None:
    started = asyncio.Event()

    async def behave(text: str) -> str:
        started.set()
        await asyncio.sleep(60)
        return text

    async with served(Echo(behave), (IdempotencyInterceptor(store, RING),)) as service, service.channel() as channel:
        call = asyncio.create_task(EchoStub(channel).call(kind, "a", context=KEYED))
        await started.wait()
        assert store._values
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        async with asyncio.timeout(PATIENCE):
            while store._values:
                await asyncio.sleep(0.005)


async def test_an_empty_stream_is_an_answer_too(store: MemoryAnswerStore) -> None:
    class Silent(Echo):
        async def server_stream(self, request: StringValue, servicer_context: Any) -> AsyncIterator[StringValue]:
            self.seen.append(servicer_context)
            nothing: tuple[StringValue, ...] = ()
            for message in nothing:
                yield message

    silent = Silent()
    async with served(silent, (IdempotencyInterceptor(store, RING),)) as service, service.channel() as channel:
        for _ in range(2):
            assert await EchoStub(channel).call("ServerStream", "a", context=KEYED) == []
    assert len(silent.seen) == 1


async def test_stored_answers_cannot_be_read(stub: EchoStub, store: MemoryAnswerStore) -> None:
    await stub.call("Unary", "words of a customer", context=KEYED)
    (value,) = store._values.values()
    assert b"words" not in value
    (name,) = store._values
    assert "once" not in name


async def test_an_answer_too_large_to_keep_frees_the_key(
    stub: EchoStub, store: MemoryAnswerStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "MAX_ANSWER_BYTES", 10)
    await stub.call("Unary", "a" * 20, context=KEYED)
    assert not store._values


class Broken:
    """A client of a store that is away, wholly or for some commands."""

    def __init__(self, *works: str) -> None:
        self._works = works
        self.commands: list[str] = []

    async def _do(self, command: str) -> None:
        self.commands.append(command)
        if command not in self._works:
            raise RedisConnectionError("Connection refused to 10.0.0.9")

    async def set(self, *_arguments: Any, nx: bool = False, **_options: Any) -> None:
        await self._do("claim" if nx else "put")

    async def delete(self, _name: str) -> None:
        await self._do("drop")


async def asked(client: Broken, echo: Echo) -> tuple[Served, list[str]]:
    interceptor = IdempotencyInterceptor(ValkeyAnswerStore(client), RING)
    async with served(echo, (interceptor,)) as service, service.channel() as channel:
        return service, await EchoStub(channel).call("Unary", "a", context=KEYED)


async def test_with_the_store_away_nothing_runs_twice() -> None:
    echo = Counting()
    with pytest.raises(errors.Unavailable) as caught:
        await asked(Broken(), echo)
    assert (caught.value.reason, echo.calls) == (AnswersUnavailable.reason, 0)


async def test_an_answer_is_not_lost_because_it_cannot_be_kept() -> None:
    client = Broken("claim")
    assert (await asked(client, Counting()))[1] == ["a#1"]
    assert client.commands == ["claim", "put"]


async def test_a_key_that_cannot_be_freed_hides_no_error() -> None:
    echo = Counting()
    echo.next_error = errors.OutOfRange()
    with pytest.raises(errors.OutOfRange):
        await asked(Broken("claim"), echo)


def test_answers_are_encrypted_or_not_kept() -> None:
    with pytest.raises(MissingKey, match="echo_service>echo_service"):
        IdempotencyInterceptor(MemoryAnswerStore(), Keyring(NAME))


@pytest.mark.parametrize("kind", ["Unary", "ServerStream"])
async def test_a_key_is_held_for_as_long_as_its_call_runs(
    kind: str, store: MemoryAnswerStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not for much longer: who holds it says so again and again."""
    monkeypatch.setattr(idempotency, "LOCK_SECONDS", 0.03)
    held: list[str] = []

    async def hold(name: str, _seconds: int) -> None:
        held.append(name)

    monkeypatch.setattr(store, "hold", hold)

    async def slow(text: str) -> str:
        async with asyncio.timeout(PATIENCE):
            while len(held) < 3:
                await asyncio.sleep(0.01)
        return text

    async with served(Echo(slow), (IdempotencyInterceptor(store, RING),)) as service, service.channel() as channel:
        await EchoStub(channel).call(kind, "a", context=KEYED)
        count = len(held)
        await asyncio.sleep(0.1)
        assert len(held) == count


@pytest.mark.parametrize("kind", REPLAYABLE)
async def test_what_a_call_asks_of_others_is_not_asked_under_its_key(kind: str, stub: EchoStub, echo: Counting) -> None:
    await stub.call(kind, "x", context=KEYED)
    assert set(echo.keys) == {""}
