"""The cache of answers: what is the same, whose it is, and that a question is asked once at a time."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

import orjson
import pytest

from llm_service.domain.cache import KeptAnswer
from llm_service.domain.calls import Answer, Caching, Call, Dialect, Ending, Format, Served, Sink, Tokens
from llm_service.domain.errors import ModelNotAllowed, ProviderUnavailable
from llm_service.domain.models import Deployment
from llm_service.service.broadcast import AHEAD_BYTES, Broadcast
from llm_service.service.caching import Cached, CacheRules
from llm_service.service.router import Route
from llm_service.service.streams import pulled

pytestmark = pytest.mark.usefixtures("leaping")

ENDING = Ending(Tokens(5, 0, 7), "stop")
SERVED = Served("m", Deployment("openai", "upstream"), 1)
DAY = Caching(86_400)


class Memory:
    """A cache in memory, which says for how long it was told to keep something."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], KeptAnswer] = {}
        self.seconds: list[int] = []

    async def get(self, tenant_id: str, name: str) -> KeptAnswer | None:
        return self.kept.get((tenant_id, name))

    async def put(self, tenant_id: str, name: str, answer: KeptAnswer, seconds: int) -> None:
        self.kept[tenant_id, name] = answer
        self.seconds.append(seconds)


class Model:
    """Counts what it is asked; waits for `go` between the pieces of a stream."""

    def __init__(self, error: Exception | None = None) -> None:
        self.asked = 0
        self.left = 0
        self.go = asyncio.Event()
        self._error = error

    async def complete(self, call: Call) -> tuple[Answer, Served]:
        self.asked += 1
        number = self.asked
        await self.go.wait()
        if self._error:
            raise self._error
        return Answer(b'{"number":%d}' % number, ENDING), SERVED

    async def stream(self, call: Call, sink: Sink) -> Ending:
        self.asked += 1
        try:
            sink.begin(SERVED)
            sink.write(b"data: one\n\n")
            await self.go.wait()
            if self._error:
                raise self._error
            sink.write(b"data: two\n\n")
            return ENDING
        finally:
            self.left += 1


class House:
    """A cached generator with its parts."""

    def __init__(self, *, error: Exception | None = None, max_bytes: int = 1000) -> None:
        self.now = 1000.0
        self.allowed = True
        self.model = Model(error)
        self.memory = Memory()
        self.cached = Cached(
            self.model, self.memory, self._route, CacheRules(max_seconds=7200, max_bytes=max_bytes), lambda: self.now
        )

    async def _route(self, call: Call) -> Route:
        if not self.allowed:
            raise ModelNotAllowed
        return Route(call.model, [])


def call(**changes: Any) -> Call:
    body = orjson.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}]})
    return replace(Call("m", body, tenant_id="t", caching=DAY), **changes)


async def streamed(house: House, asking: Call) -> list[Any]:
    return [event async for event in pulled(house.cached, asking)]


@pytest.fixture
def house() -> House:
    made = House()
    made.model.go.set()
    return made


async def test_the_same_question_gets_the_same_answer_and_its_age(house: House) -> None:
    first, served = await house.cached.complete(call())
    assert served.age_seconds is None
    house.now += 90
    second, hit = await house.cached.complete(call())
    assert (second, hit.age_seconds, hit.attempts, hit.provider) == (first, 90, 0, "openai")
    assert house.model.asked == 1
    assert house.memory.seconds == [7200]


async def test_a_stream_is_kept_as_it_came(house: House) -> None:
    first = await streamed(house, call())
    assert first == [SERVED, b"data: one\n\n", b"data: two\n\n", ENDING]
    second = await streamed(house, call())
    assert b"".join(event for event in second if isinstance(event, bytes)) == b"data: one\n\ndata: two\n\n"
    assert (second[0].age_seconds, second[-1], house.model.asked) == (0, ENDING, 1)


async def test_nothing_is_kept_or_given_where_nobody_asks(house: House) -> None:
    await house.cached.complete(call(caching=None))
    await house.cached.complete(call())
    await house.cached.complete(call(caching=None))
    await streamed(house, call(caching=None))
    assert house.model.asked == 4
    assert len(house.memory.kept) == 1


SAME = b'{ "messages": [{"content": "hi", "role": "user"}], "model": "m" }'


@pytest.mark.parametrize(
    ("changes", "asked"),
    [
        ({"body": SAME}, 1),
        ({"tenant_id": "another"}, 2),
        ({"model": "another"}, 2),
        ({"format": Format.MESSAGES}, 2),
        ({"dialect": Dialect("2023-06-01")}, 2),
        ({"include_usage": True}, 2),
        ({"body": SAME.replace(b"hi", b"ho")}, 2),
        ({"body": SAME.replace(b'"m" }', b'"m", "seed": 1}')}, 2),
        ({"caching": Caching(60)}, 2),
        ({"caching": Caching(200)}, 1),
        ({"caching": Caching(200, refresh=True)}, 2),
    ],
)
async def test_what_is_the_same(house: House, changes: Any, asked: int) -> None:
    await house.cached.complete(call())
    house.now += 100
    await house.cached.complete(call(**changes))
    assert house.model.asked == asked


async def test_what_a_tenant_may_not_use_any_more_is_not_given_out_of_the_cache(house: House) -> None:
    await house.cached.complete(call())
    house.allowed = False
    with pytest.raises(ModelNotAllowed):
        await house.cached.complete(call())


async def test_at_the_same_time_a_question_is_asked_once() -> None:
    house = House()
    calls = [asyncio.create_task(house.cached.complete(call())) for _ in range(50)]
    await asyncio.sleep(0.01)
    house.model.go.set()
    answers = await asyncio.gather(*calls)
    assert house.model.asked == 1
    assert len({answer.body for answer, _ in answers}) == 1
    assert sorted(served.age_seconds is None for _, served in answers) == [False] * 49 + [True]


async def test_who_comes_second_reads_a_stream_while_it_comes_and_outlives_the_first() -> None:
    house = House()
    first = pulled(house.cached, call())
    assert [await anext(first), await anext(first)] == [SERVED, b"data: one\n\n"]
    second = pulled(house.cached, call())
    assert (await anext(second)).age_seconds == 0  # type: ignore[union-attr]  # it tells who answers first
    assert await anext(second) == b"data: one\n\n"
    await first.aclose()
    assert house.model.left == 0
    house.model.go.set()
    assert [event async for event in second] == [b"data: two\n\n", ENDING]
    assert (house.model.asked, house.model.left) == (1, 1)


async def test_the_model_is_left_when_everybody_went() -> None:
    house = House()
    readers = [pulled(house.cached, call()) for _ in range(3)]
    for reader in readers:
        await anext(reader)
        await anext(reader)
    for reader in readers:
        await reader.aclose()
    assert (house.model.asked, house.model.left) == (1, 1)
    assert house.memory.kept == {}


async def test_a_failure_is_everybodys_and_is_not_kept() -> None:
    house = House(error=ProviderUnavailable())
    calls = [asyncio.create_task(streamed(house, call())) for _ in range(3)]
    await asyncio.sleep(0.01)
    house.model.go.set()
    for told in await asyncio.gather(*calls, return_exceptions=True):
        assert isinstance(told, ProviderUnavailable)
    assert house.memory.kept == {}
    with pytest.raises(ProviderUnavailable):
        await streamed(house, call())
    assert house.model.asked == 2


async def test_an_answer_that_is_too_large_passes_and_is_not_kept() -> None:
    house = House(max_bytes=10)
    house.model.go.set()
    assert len(await streamed(house, call())) == 4
    await house.cached.complete(call())
    assert house.memory.kept == {}


async def test_a_slow_reader_holds_the_source_and_not_the_memory() -> None:
    made = 0

    async def source() -> AsyncGenerator[bytes, None]:
        nonlocal made
        for _ in range(100):
            made += 1
            yield b"x" * (AHEAD_BYTES // 4)

    stream: Broadcast[bytes] = Broadcast(source(), most=AHEAD_BYTES)
    slow, fast = stream.read(), stream.read()
    await anext(slow)
    for _ in range(4):
        await anext(fast)
    await asyncio.sleep(0.01)
    assert made <= 6

    async def rest(reader: AsyncGenerator[bytes, None]) -> int:
        return len([item async for item in reader])

    assert list(await asyncio.gather(rest(slow), rest(fast))) == [99, 96]
    assert not stream.open
    assert stream.whole is None
