"""Erasure: documents are hidden at once, removed with everything that was made of them, and then looked for; behind
them go the files that they were made of, or their collection, where that was asked for.

Removed are original and text, chunks and their words, vectors, cached vectors, quotes in answers' receipts, what
conversations and stored answers keep of it. The probes are searches of the store with the deleted vectors. A worker
that dies goes on with the document that it was at.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from chassis.errors import Unavailable
from chassis.job import Job
from rag_service.domain.chunks import TextMark
from rag_service.domain.collections import DEFAULT_COLLECTION, Collection
from rag_service.domain.documents import Doomed, ObjectStore, folder
from rag_service.domain.erasures import PLACES, ErasedDocument, Erasure, StoredAnswers
from rag_service.domain.errors import (
    CollectionNotFound,
    DefaultCollectionStays,
    DocumentNotFound,
    ErasureNotFound,
    FileNotThere,
    bad,
)
from rag_service.domain.filters import Filter
from rag_service.domain.jobs import ERASE, INGEST
from rag_service.domain.store import Store
from rag_service.domain.vectors import Embedder, VectorStores
from rag_service.policy.chunking import embedded_text
from rag_service.service.collections import Collections
from rag_service.service.documents import LOOK_SECONDS, new_id
from rag_service.service.originals import Originals

log = structlog.get_logger()

MAX_IDS = 1000
TEXT_ROWS = 500
CHUNK_ROWS = 8192
"""Removed at once: as many as share their lists in the lexical index."""
STOP_SECONDS = 60
"""So long an erasure waits for an ingestion that is under way to let go, before it comes back later."""


class Erasures:
    """Asked for by clients, done by the worker. `probes`: with how many vectors of a document it is looked for."""

    def __init__(
        self, store: Store, collections: Collections, clock: Callable[[], datetime], wait_seconds: float
    ) -> None:
        self._store = store
        self._collections = collections
        self._clock = clock
        self._wait_seconds = wait_seconds

    async def delete(self, tenant_id: str, document_id: str) -> Erasure:
        """One document; returns when it is gone, or after a while anyway: it is hidden at once. DocumentNotFound."""
        erasure = await self._begin(tenant_id, Doomed(ids=[document_id]))
        if not erasure.documents:
            raise DocumentNotFound
        return await self._ended(erasure)

    async def delete_file(self, tenant_id: str, file_id: str) -> Erasure:
        """A file and the documents that were made of it, or a document that is one itself; as above. FileNotThere."""
        async with self._store.transaction(tenant_id) as repository:
            found = await repository.get_file(tenant_id, file_id)
        if found is None:
            raise FileNotThere
        return await (
            self.delete(tenant_id, file_id) if found.status else self.begin_file(tenant_id, file_id, wait=True)
        )

    async def begin_file(self, tenant_id: str, file_id: str, *, wait: bool = False) -> Erasure:
        """An uploaded file; hidden at once. FileNotThere, if there is nothing to hide (any more)."""
        erasure = await self._begin(tenant_id, Doomed(file_id=file_id))
        return await self._ended(erasure) if wait else erasure

    async def delete_collection(self, tenant_id: str, collection: Collection) -> Erasure:
        """A collection and all that it has; hidden at once. CollectionNotFound, DefaultCollectionStays."""
        if collection.name == DEFAULT_COLLECTION:
            raise DefaultCollectionStays
        return await self._begin(tenant_id, Doomed(collection_id=collection.id), whole=True)

    async def empty(self, tenant_id: str, collection_id: str) -> Erasure:
        """The documents of a collection, which stays."""
        return await self._begin(tenant_id, Doomed(collection_id=collection_id))

    async def _ended(self, erasure: Erasure) -> Erasure:
        """When it is done, or after a while anyway."""
        tenant_id = erasure.tenant_id
        deadline = asyncio.get_running_loop().time() + self._wait_seconds
        while erasure.ended_at is None and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(LOOK_SECONDS / 2)
            erasure = await self.get(tenant_id, erasure.id)
        return erasure

    async def delete_many(self, tenant_id: str, ids: Sequence[str], collection: str, wanted: Filter | None) -> Erasure:
        """Those of these ids, or of a collection (with a filter: of the default one, if it is not named), all or those
        that fit the filter. BadRequest, CollectionNotFound.
        """
        if bool(ids) == bool(collection or wanted):
            raise bad("filter", "or collection must be given, or ids, and then nothing else")
        if len(ids) > MAX_IDS:
            raise bad("id", f"must be at most {MAX_IDS}")
        if ids:
            return await self._begin(tenant_id, Doomed(ids=ids))
        collection_id = (await self._collections.find(tenant_id, collection)).id
        return await self._begin(tenant_id, Doomed(collection_id=collection_id, wanted=wanted))

    async def get(self, tenant_id: str, erasure_id: str) -> Erasure:
        """ErasureNotFound."""
        async with self._store.transaction(tenant_id) as repository:
            found = await repository.get_erasure(tenant_id, erasure_id)
        if found is None:
            raise ErasureNotFound
        return found

    async def _begin(self, tenant_id: str, which: Doomed, *, whole: bool = False) -> Erasure:
        """`whole`: with the collection itself."""
        erasure_id = new_id()
        async with self._store.transaction(tenant_id) as repository:
            # First what they belong to: whoever adds to it waits for this, and sees that it is gone.
            if which.file_id and not await repository.mark_file_erased(tenant_id, erasure_id, which.file_id):
                raise FileNotThere
            if whole and not await repository.mark_collection_erased(tenant_id, erasure_id, which.collection_id):
                raise CollectionNotFound
            hidden = await repository.mark_erased(tenant_id, erasure_id, which)
            one = hidden[0] if len(hidden) == 1 else ""
            erasure = Erasure(erasure_id, tenant_id, self._clock(), len(hidden), one)
            if hidden or not which.ids:
                await repository.add_erasure(tenant_id, erasure)
                await repository.enqueue(ERASE, {"erasure_id": erasure_id}, name=erasure_id)
        return erasure


@dataclass(frozen=True, slots=True)
class Places:
    """Where things of a document can be."""

    objects: ObjectStore
    vectors: VectorStores
    embedder: Embedder
    answers: StoredAnswers


class Eraser:
    """Does the jobs of kind erase."""

    def __init__(
        self, store: Store, places: Places, originals: Originals, clock: Callable[[], datetime], probes: int
    ) -> None:
        self._store = store
        self._objects = places.objects
        self._vectors = places.vectors
        self._embedder = places.embedder
        self._answers = places.answers
        self._originals = originals
        self._clock = clock
        self._probes = probes

    async def run(self, job: Job) -> None:
        """Document by document."""
        tenant_id, erasure_id = job.tenant_id, str(job.payload["erasure_id"])
        while True:
            async with self._store.transaction(tenant_id) as repository:
                document = await repository.next_erased(tenant_id, erasure_id)
            if document is None:
                break
            await self._erase(document, erasure_id)
        await self._erase_files(tenant_id, erasure_id)
        async with self._store.transaction(tenant_id) as repository:
            removed = await repository.remove_collections(tenant_id, erasure_id)
        if removed is None:
            raise Unavailable("Documents of the collection are still being erased.", retry_after=1)
        if removed:
            await self._drop_lanes(tenant_id)
        async with self._store.transaction(tenant_id) as repository:
            await repository.end_erasure(tenant_id, erasure_id, self._clock())
            erasure = await repository.get_erasure(tenant_id, erasure_id)
        if erasure is not None:
            log.info("documents erased", erasure_id=erasure_id, **erasure.counts)

    async def _erase(self, document: ErasedDocument, erasure_id: str) -> None:
        await self._let_go(document)
        store = self._vectors[document.vector_store]
        probes = await self._keep_probes(document, erasure_id)
        counts = {"documents": 1, "probes": len(probes)}
        counts["cached"], counts["found_cached"] = await self._forget_cached(document)
        await store.delete_document(document.tenant_id, document.id)
        counts["chunks"] = counts["vectors"] = await self._delete_chunks(document)
        counts["bytes"], counts["objects"] = await self._delete_objects(document.tenant_id, document.id)
        counts["answers"] = await self._answers.forget(document.tenant_id, document.id)
        async with self._store.transaction(document.tenant_id) as repository:
            quotes, messages = await repository.erase_quotes(document.tenant_id, document.id)
        counts |= {"quotes": quotes, "messages": messages}
        counts |= await self._probe(document, probes)
        counts["found"] = sum(counts[f"found_{place}"] for place in PLACES)
        async with self._store.transaction(document.tenant_id) as repository:
            if await repository.remove_document(document.tenant_id, document.id):
                await repository.add_counts(document.tenant_id, erasure_id, counts)
        if counts["found"]:
            log.error("erased documents are still found", erasure_id=erasure_id, document_id=document.id, **counts)

    async def _drop_lanes(self, tenant_id: str) -> None:
        async with self._store.transaction(tenant_id) as repository:
            if not await repository.drop_lanes():
                log.warning("indexes of vectors that no collection has were not dropped")

    async def _erase_files(self, tenant_id: str, erasure_id: str) -> None:
        """Behind the documents that were made of them: those of other erasures are waited for."""
        async with self._store.transaction(tenant_id) as repository:
            file_ids = await repository.erased_files(tenant_id, erasure_id)
        for file_id in file_ids:
            async with self._store.transaction(tenant_id) as repository:
                if await repository.count_made(tenant_id, file_id):
                    raise Unavailable("Documents of the file are still being erased.", retry_after=1)
            counts = dict(zip(("bytes", "objects"), await self._delete_objects(tenant_id, file_id), strict=True))
            counts["answers"] = await self._answers.forget(tenant_id, file_id)
            async with self._store.transaction(tenant_id) as repository:
                if await repository.remove_file(tenant_id, file_id):
                    await repository.add_counts(tenant_id, erasure_id, counts)

    async def _let_go(self, document: ErasedDocument) -> None:
        """Until no worker ingests it any more: what it still wrote would stay behind. Unavailable."""
        deadline = asyncio.get_running_loop().time() + STOP_SECONDS
        while True:
            async with self._store.transaction(document.tenant_id) as repository:
                if not await repository.is_asked_for(INGEST, document.id):
                    return
            if asyncio.get_running_loop().time() >= deadline:
                raise Unavailable("The document is still being ingested.", retry_after=1)
            await asyncio.sleep(LOOK_SECONDS / 2)

    async def _keep_probes(self, document: ErasedDocument, erasure_id: str) -> Sequence[tuple[str, bytes]]:
        async with self._store.transaction(document.tenant_id) as repository:
            kept = await repository.kept_probes(document.tenant_id, document.id)
        if kept:
            return kept
        found = await self._vectors[document.vector_store].sample(document.tenant_id, document.id, self._probes)
        async with self._store.transaction(document.tenant_id) as repository:
            await repository.keep_probes(document.tenant_id, erasure_id, document.id, found)
        return found

    async def _forget_cached(self, document: ErasedDocument) -> tuple[int, int]:
        """Vectors by content, which the embedding service keeps for a while; how many there were, and are still."""
        store, model = self._vectors[document.vector_store], document.embedding_model
        forgotten, left = 0, 0
        after: TextMark | None = None
        while True:
            async with self._store.transaction(document.tenant_id) as repository:
                rows = await repository.embedded_texts(document.tenant_id, document.id, after, TEXT_ROWS)
            if not rows:
                return forgotten, left
            after = rows[-1].mark
            texts = [embedded_text(title, row.heading, row.text) for title in document.titles for row in rows]
            forgotten += await self._embedder.forget(model, texts)
            left += await self._embedder.forget(model, texts)
            if not store.capabilities.reads_own_writes:
                # By id: what was written a moment ago is not found by document yet.
                await store.delete_chunks(document.tenant_id, [row.chunk_id for row in rows])

    async def _delete_chunks(self, document: ErasedDocument) -> int:
        removed = 0
        while True:
            async with self._store.transaction(document.tenant_id) as repository:
                some = await repository.delete_chunks_of(document.tenant_id, document.id, CHUNK_ROWS)
            if not some:
                return removed
            removed += some

    async def _delete_objects(self, tenant_id: str, owner_id: str) -> tuple[int, int]:
        """Bytes given back, and objects removed, of a document or a file."""
        keys = await self._objects.list(folder(tenant_id, owner_id))
        async with self._store.transaction(tenant_id) as repository:
            originals = await repository.originals_of(tenant_id, owner_id)
        for original in originals:
            await self._originals.release(original)
        await self._objects.delete(keys)
        return sum(original.bytes for original in originals), len(keys)

    async def _probe(self, document: ErasedDocument, probes: Sequence[tuple[str, bytes]]) -> dict[str, int]:
        """How much of it is still there, wherever it was."""
        tenant_id, store = document.tenant_id, self._vectors[document.vector_store]
        erased = {chunk_id for chunk_id, _ in probes}
        found = {"found_objects": len(await self._objects.list(folder(tenant_id, document.id)))}
        found["found_vectors"] = len(await store.sample(tenant_id, document.id, self._probes))
        for _, vector in probes:
            near = await store.search(tenant_id, document.collection_id, vector, len(erased) + 1, None)
            found["found_vectors"] += sum(chunk_id in erased for chunk_id, _ in near)
        async with self._store.transaction(tenant_id) as repository:
            found["found_chunks"] = len(await repository.embedded_texts(tenant_id, document.id, None, 1))
            found["found_quotes"] = await repository.count_quotes(tenant_id, document.id)
        # Asked again, it tells what came since.
        found["found_answers"] = await self._answers.forget(tenant_id, document.id)
        return found
