"""Embedding calls of ingestion: texts of several documents of one caller in one call, callers in turn.

Texts that fill less than half a call wait while another call of their caller is on its way: so many small documents
share calls, and a large document's go out two at a time.
A call is admitted and settled by itself, under the context of those whose texts it has. Few calls are on their way at
once, so a tenant with a huge document never has more than its turn before another one's small document.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from contextvars import Context, copy_context
from dataclasses import dataclass, field

from rag_service.domain.usage import Meter, Tally
from rag_service.domain.vectors import Embedder
from rag_service.policy.chunking import weight


@dataclass(slots=True, eq=False)
class _Wish:
    """Texts of one document that wait for their vectors."""

    texts: Sequence[str]
    context: Context
    vectors: asyncio.Future[list[bytes]]


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose texts may share a call: of one tenant, one key or user, for one model."""

    tenant_id: str
    user_id: str
    key_id: str
    model: str


@dataclass(slots=True)
class _Queue:
    """What one caller waits for."""

    waiting: deque[_Wish] = field(default_factory=deque)


class Batches:
    """`most_texts` a call, `most_calls` on their way at once."""

    def __init__(self, embedder: Embedder, meter: Meter, most_texts: int, most_calls: int) -> None:
        self._embedder = embedder
        self._meter = meter
        self._most_texts = most_texts
        self._most_calls = most_calls
        self._queues: dict[Caller, _Queue] = {}
        self._turns: deque[str] = deque()
        """Tenants that wait, the next one first."""
        self._calls: dict[asyncio.Task[None], Caller] = {}

    async def embed(self, caller: Caller, texts: Sequence[str]) -> list[bytes]:
        """The vectors, in order. Cancelled, it stops its call too, unless others have texts in it."""
        wish = _Wish(texts, copy_context(), asyncio.get_running_loop().create_future())
        self._queues.setdefault(caller, _Queue()).waiting.append(wish)
        if caller.tenant_id not in self._turns:
            self._turns.append(caller.tenant_id)
        self._send()
        return await wish.vectors

    def _send(self) -> None:
        passed = 0
        while len(self._calls) < self._most_calls and passed < len(self._turns):
            tenant_id = self._turns.popleft()
            began = self._send_of(tenant_id)
            if any(known.tenant_id == tenant_id for known in self._queues):
                self._turns.append(tenant_id)
                passed = 0 if began else passed + 1

    def _send_of(self, tenant_id: str) -> bool:
        """The tenant's turn: one call of one of its callers, if one is due."""
        for caller in [known for known in self._queues if known.tenant_id == tenant_id]:
            if self._waits(caller):
                continue
            wishes = self._taken(caller)
            # Another caller of this tenant has its turn when the tenant has.
            queue = self._queues.pop(caller)
            if queue.waiting:
                self._queues[caller] = queue
            if wishes:
                self._start(caller, wishes)
                return True
        return False

    def _waits(self, caller: Caller) -> bool:
        """Whether it has little to ask for, and will soon have more."""
        if caller not in self._calls.values():
            return False
        return 2 * sum(len(wish.texts) for wish in self._queues[caller].waiting) < self._most_texts

    def _taken(self, caller: Caller) -> list[_Wish]:
        wishes: list[_Wish] = []
        waiting = self._queues[caller].waiting
        room = self._most_texts
        while waiting and (not wishes or len(waiting[0].texts) <= room):
            wish = waiting.popleft()
            if not wish.vectors.done():
                wishes.append(wish)
                room -= len(wish.texts)
        return wishes

    def _start(self, caller: Caller, wishes: list[_Wish]) -> None:
        call = asyncio.create_task(self._call(caller.model, wishes), context=wishes[0].context)
        self._calls[call] = caller
        call.add_done_callback(self._ended)
        for wish in wishes:
            wish.vectors.add_done_callback(lambda _: _stop_if_unwanted(call, wishes))

    def _ended(self, call: asyncio.Task[None]) -> None:
        self._calls.pop(call, None)
        self._send()

    async def _call(self, model: str, wishes: Sequence[_Wish]) -> None:
        texts = [text for wish in wishes for text in wish.texts]
        try:
            vectors = iter(await self._embed(model, texts))
        except Exception as error:  # noqa: BLE001  # each of those who wait gets it
            for wish in wishes:
                if not wish.vectors.done():
                    wish.vectors.set_exception(error)
            return
        for wish in wishes:
            found = [next(vectors) for _ in wish.texts]
            if not wish.vectors.done():
                wish.vectors.set_result(found)

    async def _embed(self, model: str, texts: Sequence[str]) -> list[bytes]:
        tally = Tally()
        lease = await self._meter.reserve(sum(map(weight, texts)))
        try:
            return await self._embedder.embed_documents(model, texts, tally)
        finally:
            await asyncio.shield(self._meter.settle(lease, tally))

    async def close(self) -> None:
        """Stops what is on its way."""
        for call in list(self._calls):
            call.cancel()
            with suppress(asyncio.CancelledError):
                await call


def _stop_if_unwanted(call: asyncio.Task[None], wishes: Sequence[_Wish]) -> None:
    if all(wish.vectors.cancelled() for wish in wishes):
        call.cancel()
