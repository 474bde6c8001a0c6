"""Vectors of a document's staged chunks: made, or taken from a chunk that says the same, written, and marked."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from chassis import context
from chassis.errors import DeadlineExceeded, ResourceExhausted
from rag_service.domain.chunks import Staged
from rag_service.domain.documents import Document, DocumentStatus
from rag_service.domain.errors import ExtractionFailed
from rag_service.domain.store import Store
from rag_service.domain.vectors import ChunkVector, VectorStores
from rag_service.policy.chunking import embedded_text
from rag_service.service.embedding import Batches, Caller
from rag_service.service.watching import RunOver

CALLS_OF_ONE = 2
ALIKE = 8
"""Texts for so many calls are sorted by length: a model pads the shorter ones of a call, a twentieth of its work."""
LEAST_SHARE, MOST_SHARE = 30, 90
"""Per cent of the whole work before the first, and behind the last vector."""


@dataclass(slots=True)
class _Tally:
    """How many of a document's chunks have their vectors."""

    all: int
    embedded: int
    told: int = 0

    def grown(self, count: int) -> int:
        """Per cent of the whole work, if that is more than was told last, else 0."""
        self.embedded += count
        share = LEAST_SHARE + (MOST_SHARE - LEAST_SHARE) * self.embedded // max(1, self.all)
        if share <= self.told:
            return 0
        self.told = share
        return share


class Vectorizing:
    """`batch`: how many chunks of a document are embedded at once, in two calls."""

    def __init__(self, store: Store, vectors: VectorStores, batches: Batches, batch: int) -> None:
        self._store = store
        self._vectors = vectors
        self._batches = batches
        self._batch = batch

    async def run(self, document: Document) -> None:
        """Two calls at a time: while one is computed, the vectors of the other are written and marked."""
        async with self._store.transaction(document.tenant_id) as repository:
            count = await repository.count_staged(document.tenant_id, document.id)
        tally, after = _Tally(count.all, count.embedded), -1
        size = max(1, self._batch // CALLS_OF_ONE)
        running: set[asyncio.Task[None]] = set()
        waiting: list[list[Staged]] = []
        try:
            while True:
                if not waiting:
                    async with self._store.transaction(document.tenant_id) as repository:
                        rows = await repository.next_staged(document.tenant_id, document.id, after, ALIKE * size)
                    after = rows[-1].ordinal if rows else after
                    waiting = _alike(rows, size)
                if waiting:
                    running.add(asyncio.create_task(self._embed_within(document, waiting.pop(0), tally)))
                if not running:
                    return
                if len(running) == CALLS_OF_ONE or not (waiting or rows):
                    done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                    for error in [task.exception() for task in done]:
                        if error is not None:
                            raise error
        except ResourceExhausted:
            # What is on its way is paid for.
            await asyncio.gather(*running, return_exceptions=True)
            raise
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _embed_within(self, document: Document, rows: Sequence[Staged], tally: _Tally) -> None:
        """What a limit of the plan does not let through at once, or a busy model does not make in time, goes half by
        half: a minute may have fewer tokens than a call would take. Each half that is through is kept.
        """
        try:
            await self._embed_rows(document, rows, tally)
        except (ResourceExhausted, DeadlineExceeded) as error:
            if len(rows) == 1:
                if error.metadata.get("alone"):
                    why = f"{error.message} Have the limit raised, then try the document again."
                    raise ExtractionFailed(why) from error
                raise
            half = len(rows) // 2
            await self._embed_within(document, rows[:half], tally)
            await self._embed_within(document, rows[half:], tally)

    async def _embed_rows(self, document: Document, rows: Sequence[Staged], tally: _Tally) -> None:
        latest, store = document.latest, self._vectors[document.vector_store]
        known = {row.id: await self._known(document, row) for row in rows if row.like}
        missing = [row for row in rows if not known.get(row.id)]
        texts = [embedded_text(latest.title, row.heading, row.text) for row in missing]
        if texts:
            calling = context.current()
            caller = Caller(document.tenant_id, calling.user_id, calling.key_id, document.embedding_model)
            made = await self._batches.embed(caller, texts)
            known |= {row.id: vector for row, vector in zip(missing, made, strict=True)}
        vectors = [ChunkVector(row.id, document.id, known[row.id], latest.metadata) for row in rows]
        await store.upsert(document.tenant_id, document.collection_id, vectors)
        # Whoever is told that the document is ready finds it, on a store that applies writes late, too.
        await store.visible(document.tenant_id, document.collection_id, vectors)
        async with self._store.transaction(document.tenant_id) as repository:
            held = await repository.mark_embedded(document.tenant_id, document, [row.ordinal for row in rows])
            if not held:
                await repository.disown(document.tenant_id, document.id, [row.id for row in rows])
            elif share := tally.grown(len(rows)):
                going_on = document.at(DocumentStatus.RUNNING, "embedding", share)
                await repository.set_progress(document.tenant_id, going_on)
        if not held:
            raise RunOver

    async def _known(self, document: Document, row: Staged) -> bytes:
        """The vector of a visible chunk that says the same under other metadata."""
        store = self._vectors[document.vector_store]
        found = await store.vectors(document.tenant_id, document.collection_id, [row.like])
        return found[0] if found else b""


def _alike(rows: Sequence[Staged], size: int) -> list[list[Staged]]:
    """So many in a call, those of like length together."""
    ordered = sorted(rows, key=lambda row: len(row.text))
    return [ordered[start : start + size] for start in range(0, len(ordered), size)]
