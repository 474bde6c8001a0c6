"""Embedding calls of ingestion: shared by documents of one caller, tenants in turn, stopped when nobody wants them."""

import asyncio
from collections.abc import Sequence

import pytest

from rag_service.domain.usage import Tally
from rag_service.service.embedding import Batches, Caller

pytestmark = pytest.mark.usefixtures("leaping")


class Model:
    """One call after the other; each text takes a tick."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.cancelled = 0
        self.free = asyncio.Lock()
        self.fails = False

    async def embed_documents(self, _model: str, texts: Sequence[str], _tally: Tally) -> list[bytes]:
        self.calls.append(list(texts))
        try:
            async with self.free:
                for _ in texts:
                    await asyncio.sleep(0)
                await asyncio.sleep(0.001)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.fails:
            raise ValueError
        return [text.encode() for text in texts]

    async def embed_query(self, *_: object) -> bytes:
        raise NotImplementedError

    async def forget(self, *_: object) -> int:
        raise NotImplementedError


class Leases:
    """Counts what is open."""

    def __init__(self) -> None:
        self.open = 0
        self.made = 0

    async def reserve(self, tokens: int = 0, stored_bytes: int = 0) -> str:
        self.open, self.made = self.open + 1, self.made + 1
        return str(tokens + stored_bytes)

    async def settle(self, _lease: str, _tally: Tally) -> None:
        self.open -= 1

    async def settle_stored(self, _lease: str, _stored: int) -> None:
        raise NotImplementedError


def caller(tenant: str, key: str = "") -> Caller:
    return Caller(tenant, "u", key, "m")


async def test_documents_of_one_caller_share_calls_and_get_their_own_vectors() -> None:
    model, leases = Model(), Leases()
    batches = Batches(model, leases, 10, 1)
    found = await asyncio.gather(*(batches.embed(caller("a"), [f"{n}.1", f"{n}.2"]) for n in range(10)))
    assert found == [[f"{n}.1".encode(), f"{n}.2".encode()] for n in range(10)]
    # The first goes at once; what came meanwhile is joined.
    assert [len(call) for call in model.calls] == [2, 10, 8]
    assert (leases.open, leases.made) == (0, 3)


async def test_small_documents_wait_for_each_other_while_a_call_is_on_its_way() -> None:
    model = Model()
    batches = Batches(model, Leases(), 10, 3)
    await model.free.acquire()
    waiting = [asyncio.create_task(batches.embed(caller("a"), [f"{n}"])) for n in range(6)]
    other = asyncio.create_task(batches.embed(caller("b"), ["b"]))
    await asyncio.sleep(0.01)
    # Others have their calls at once; five texts are half a call, and go out beside the first.
    assert [len(call) for call in model.calls] == [1, 5, 1]
    waiting += [asyncio.create_task(batches.embed(caller("a"), [f"{n}"])) for n in range(6, 10)]
    await asyncio.sleep(0.01)
    assert len(model.calls) == 3
    model.free.release()
    assert await asyncio.gather(*waiting, other) == [*([str(n).encode()] for n in range(10)), [b"b"]]
    assert [len(call) for call in model.calls] == [1, 5, 1, 4]


async def test_callers_do_not_share_calls() -> None:
    model = Model()
    batches = Batches(model, Leases(), 100, 1)
    names = [("a", ""), ("a", "k"), ("b", ""), ("a", ""), ("b", "")]
    await asyncio.gather(*(batches.embed(caller(*name), ["/".join(name)]) for name in names))
    assert all(len(set(call)) == 1 for call in model.calls)
    assert sum(map(len, model.calls)) == len(names)


async def test_a_small_document_does_not_wait_behind_anothers_huge_one() -> None:
    model = Model()
    batches = Batches(model, Leases(), 8, 2)
    ended: list[str] = []

    async def work(tenant: str, parts: int) -> None:
        await asyncio.gather(*(batches.embed(caller(tenant), [tenant] * 8) for _ in range(parts)))
        ended.append(tenant)

    huge = asyncio.create_task(work("huge", 60))
    await asyncio.sleep(0.005)
    before = len(model.calls)
    await work("small", 1)
    # Two are on their way, the huge one has its turn, then the small one, and one more may have begun.
    assert len(model.calls) - before <= 5
    await huge
    assert ended == ["small", "huge"]


async def test_nobody_wants_it_any_more_so_it_stops_and_is_settled() -> None:
    model, leases = Model(), Leases()
    batches = Batches(model, leases, 100, 1)
    await model.free.acquire()
    alone = asyncio.create_task(batches.embed(caller("a"), ["x"]))
    await asyncio.sleep(0.01)
    waiting = asyncio.create_task(batches.embed(caller("b"), ["y"]))
    await asyncio.sleep(0.01)
    for task in (alone, waiting):
        task.cancel()
    await asyncio.gather(alone, waiting, return_exceptions=True)
    await asyncio.sleep(0.01)
    assert (model.cancelled, leases.open) == (1, 0)
    assert model.calls == [["x"]], "what had not been sent is not sent"
    model.free.release()
    assert await batches.embed(caller("a"), ["z"]) == [b"z"]


async def test_a_shared_call_goes_on_for_the_others_and_its_error_is_everybodys() -> None:
    model = Model()
    batches = Batches(model, Leases(), 100, 1)
    first = asyncio.create_task(batches.embed(caller("a"), ["1"]))
    others = [asyncio.create_task(batches.embed(caller("a"), [str(n)])) for n in (2, 3)]
    await asyncio.sleep(0)
    others[0].cancel()
    assert await others[1] == [b"3"]
    assert await first == [b"1"]
    model.fails = True
    both = await asyncio.gather(*(batches.embed(caller("a"), ["x"]) for _ in range(3)), return_exceptions=True)
    assert all(isinstance(error, ValueError) for error in both)
    model.fails = False
    with pytest.raises(asyncio.TimeoutError):
        async with asyncio.timeout(0):
            await batches.embed(caller("a"), ["late"])
    await batches.close()
