"""Ingestion: stored -> extracting -> chunking -> embedding -> indexing -> done.

A worker that dies loses little: chunks are staged in the database, and each batch is marked once its vectors are in
the store, so the next worker goes on behind the last mark. Of many chunks most are then written ahead, part by part,
where no search sees them. All become the visible ones in one short transaction, after all vectors are there: a search
never sees half a document, nor two versions of one.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from uuid import uuid4

import structlog

from chassis.errors import DeadlineExceeded, PlatformError, ResourceExhausted, Unavailable
from chassis.job import Job
from rag_service.domain.chunks import Chunk
from rag_service.domain.documents import FINAL, Document, DocumentStatus, Text
from rag_service.domain.errors import ExtractionFailed
from rag_service.domain.store import Store
from rag_service.domain.vectors import VectorStores
from rag_service.policy.chunking import Source, chunks, segments
from rag_service.service.announcing import announce
from rag_service.service.originals import release
from rag_service.service.texts import Texts
from rag_service.service.vectorizing import LEAST_SHARE, MOST_SHARE, Vectorizing
from rag_service.service.watching import RunOver, Watch

log = structlog.get_logger()

STAGE_ROWS = 200
STALE_ROWS = 1000
CLEARED_ROWS = 5000
STAGED = frozenset(("embedding", "indexing"))
"""Stages at which all chunks are staged."""
ALMOST_ALL = 99
"""Per cent of the whole work before the swap."""
MAX_REASON_CHARACTERS = 1000


@dataclass(frozen=True, slots=True)
class IngestionRules:
    """How many chunks a document may have, and how long it waits for a limit."""

    max_chunks: int
    longest_wait: timedelta = timedelta(days=7)


class Ingestion:
    """Does the jobs of kind ingest."""

    def __init__(
        self,
        store: Store,
        texts: Texts,
        vectors: VectorStores,
        vectorizing: Vectorizing,
        watch: Watch,
        rules: IngestionRules,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._texts = texts
        self._vectors = vectors
        self._vectorizing = vectorizing
        self._watch = watch
        self._rules = rules
        self._clock = clock

    async def run(self, job: Job) -> None:
        """Ingests the job's document. A document from which nothing can be had fails, with the reason in its row."""
        document = await self._get(job)
        if document is None or document.run != job.payload.get("run", 1):
            return
        try:
            if document.status in (DocumentStatus.QUEUED, DocumentStatus.RUNNING):
                async with self._watch.over(document):
                    await self._ingest(await self._claimed(document))
        except ExtractionFailed as error:
            await self._fail(document, str(error), error.fault)
        except ResourceExhausted as error:
            if await self._waits(document, f"{error.message} It goes on by itself as soon as that allows it."):
                raise
            why = f"It has waited for too long. {error.message} Have the limit raised, then try the document again."
            await self._fail(document, why)
        except (Unavailable, DeadlineExceeded) as error:
            with suppress(PlatformError):  # it may be the database
                await self._waits(document, f"{error.message} It is tried again by itself.", limited=False)
            raise
        except RunOver:
            log.info("ingestion stopped", document_id=document.id, run=document.run)
            # What is stale is left to whoever took over.
            await self._leave(document)
            return
        await self._tidy(job)

    async def failed(self, job: Job, error: PlatformError) -> None:
        """Marks the document of a job that was given up."""
        document = await self._get(job)
        if document is not None and document.run == job.payload.get("run", 1):
            await self._fail(document, error.message)
        await self._tidy(job)

    async def _ingest(self, document: Document) -> None:
        if document.stage not in STAGED:
            document = await self._stage(document)
        await self._vectorizing.run(document)
        document = await self._write_ahead(await self._progress(document, "indexing", MOST_SHARE))
        began = time.monotonic()
        async with self._store.transaction(document.tenant_id) as repository:
            ready = await repository.swap_chunks(document.tenant_id, document)
            if ready is None:
                raise RunOver
            await announce(repository, ready)
            for original in await repository.originals_of(document.tenant_id, document.id):
                if original.version < ready.version:
                    await release(repository, document.id, original.version)
            if ready.file_id and ready.version > 1:
                await release(repository, document.id, 1)
        told = {"version": ready.version, "chunks": ready.chunks, "swap_seconds": round(time.monotonic() - began, 3)}
        log.info("document ready", document_id=document.id, **told)

    async def _claimed(self, document: Document) -> Document:
        """From here on only what this worker writes counts: one that was thought dead may still be at it."""
        async with self._store.transaction(document.tenant_id) as repository:
            claimed = await repository.claim_document(document.tenant_id, document, str(uuid4()))
        if claimed is None:
            raise RunOver
        return claimed

    async def _stage(self, document: Document) -> Document:
        """Text out of the original, chunks out of the text, into the database."""
        document = await self._progress(document, "extracting", 5)
        async with self._texts.extracted(document) as text:
            document = await self._progress(document, "chunking", 20)
            if not await self._clear(document):
                raise RunOver
            await self._stage_chunks(document, text)
        return await self._progress(document, "embedding", LEAST_SHARE)

    async def _stage_chunks(self, document: Document, text: Text) -> None:
        latest = document.latest
        source = Source(document.id, latest.title, latest.metadata, text.page_starts, text.headings, document.chunking)
        count = 0
        with text.path.open(encoding="utf-8", newline="") as file:
            found = chunks(source, segments(file.read))
            while rows := await asyncio.to_thread(_some, found):
                count += len(rows)
                if count > self._rules.max_chunks:
                    why = f"The document has more than {self._rules.max_chunks} passages: upload it in several parts."
                    raise ExtractionFailed(why)
                async with self._store.transaction(document.tenant_id) as repository:
                    if not await repository.stage_chunks(document.tenant_id, document, rows):
                        raise RunOver
        if not count:
            raise ExtractionFailed("The document has no text.")

    async def _write_ahead(self, document: Document) -> Document:
        async with self._store.transaction(document.tenant_id) as repository:
            count = (await repository.count_staged(document.tenant_id, document.id)).all
        written = 0
        while True:
            async with self._store.transaction(document.tenant_id) as repository:
                some = await repository.write_ahead(document.tenant_id, document)
                if not some:
                    return document
                written += some
                share = MOST_SHARE + (ALMOST_ALL - MOST_SHARE) * written // count
                document = document.at(DocumentStatus.RUNNING, "indexing", share)
                if not await repository.set_progress(document.tenant_id, document):
                    raise RunOver

    async def _progress(self, document: Document, stage: str, progress: int) -> Document:
        going_on = document.at(DocumentStatus.RUNNING, stage, progress)
        async with self._store.transaction(document.tenant_id) as repository:
            if not await repository.set_progress(document.tenant_id, going_on):
                raise RunOver
        return going_on

    async def _waits(self, document: Document, why: str, *, limited: bool = True) -> bool:
        """Says what it waits for, until it goes on; False if it has waited for a limit for too long."""
        async with self._store.transaction(document.tenant_id) as repository:
            now = await repository.get_document(document.tenant_id, document.id, lock=True)
            if now is None or now.run != document.run or now.status is not DocumentStatus.RUNNING:
                return True
            since = (now.waits_since or self._clock()) if limited else now.waits_since
            if limited and since and self._clock() - since >= self._rules.longest_wait:
                return False
            waiting = now.at(now.status, now.stage, now.progress, why)
            await repository.set_progress(document.tenant_id, replace(waiting, waits_since=since))
            return True

    async def _fail(self, document: Document, reason: str, fault: str = "server_error") -> None:
        log.warning("document failed", document_id=document.id, why=reason)
        async with self._store.transaction(document.tenant_id) as repository:
            held = await repository.claim_document(document.tenant_id, document, str(uuid4()))
            failed = (held or document).at(DocumentStatus.FAILED, "done", 100, reason[:MAX_REASON_CHARACTERS], fault)
            if await repository.set_progress(document.tenant_id, failed):
                await announce(repository, failed)

    async def _tidy(self, job: Job) -> None:
        """Takes vectors out of the store that belong to no chunk (any more): of what was replaced, or given up."""
        document = await self._get(job)
        if document is None:
            return  # what is being erased goes whole
        if document.status in FINAL:
            await self._clear(document)
        while True:
            async with self._store.transaction(document.tenant_id) as repository:
                ids = await repository.stale_vectors(document.tenant_id, document.id, STALE_ROWS)
            if not ids:
                return
            await self._vectors[document.vector_store].delete_chunks(document.tenant_id, ids)
            async with self._store.transaction(document.tenant_id) as repository:
                await repository.forget_stale(document.tenant_id, document.id, ids)

    async def _clear(self, document: Document) -> bool:
        """Forgets what is staged or hidden, part by part; False if another run, or another worker, has begun to stage
        its own.
        """
        while True:
            async with self._store.transaction(document.tenant_id) as repository:
                await repository.one_writer(document.collection_id)
                now = await repository.get_document(document.tenant_id, document.id, lock=True)
                if now is None or (now.run, now.claim) != (document.run, document.claim):
                    return False
                left = await repository.clear_staged(document.tenant_id, document.id, CLEARED_ROWS)
                if not left and not await repository.clear_hidden(document.tenant_id, document):
                    return True

    async def _leave(self, document: Document) -> None:
        """Where the document is gone, so is what was made of it."""
        async with self._store.transaction(document.tenant_id) as repository:
            if await repository.get_document(document.tenant_id, document.id) is not None:
                return
        await self._vectors[document.vector_store].delete_document(document.tenant_id, document.id)
        await self._texts.forget(document)

    async def _get(self, job: Job) -> Document | None:
        async with self._store.transaction(job.tenant_id) as repository:
            return await repository.get_document(job.tenant_id, str(job.payload["document_id"]))


def _some(found: Iterator[Chunk]) -> list[Chunk]:
    return list(islice(found, STAGE_ROWS))
