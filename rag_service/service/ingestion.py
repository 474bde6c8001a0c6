"""Ingestion: stored -> extracting -> chunking -> embedding -> indexing -> done.

A worker that dies loses little: chunks are staged in the database, and each batch is marked once its vectors are in
the store, so the next worker goes on behind the last mark. Of many chunks most are then written ahead, part by part,
where no search sees them. All become the visible ones in one short transaction, after all vectors are there: a search
never sees half a document, nor two versions of one.
"""

import asyncio
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from uuid import uuid4

import structlog

from chassis import context
from chassis.errors import PlatformError, ResourceExhausted
from chassis.job import Job
from rag_service.domain.chunks import Chunk, Staged
from rag_service.domain.documents import FINAL, Document, DocumentStatus, Extractor, ObjectStore, Text
from rag_service.domain.errors import ExtractionFailed
from rag_service.domain.store import Store
from rag_service.domain.vectors import ChunkVector, VectorStores
from rag_service.policy.chunking import Source, chunks, embedded_text, segments
from rag_service.service.announcing import announce
from rag_service.service.embedding import Batches, Caller
from rag_service.service.originals import release
from rag_service.service.watching import RunOver, Watch

log = structlog.get_logger()

STAGE_ROWS = 200
STALE_ROWS = 1000
CLEARED_ROWS = 5000
CALLS_OF_ONE = 2
STAGED = frozenset(("embedding", "indexing"))
"""Stages at which all chunks are staged."""
LEAST_SHARE, MOST_SHARE, ALMOST_ALL = 30, 90, 99
"""Per cent of the whole work before the first, behind the last vector, and before the swap."""
MAX_REASON_CHARACTERS = 1000


@dataclass(frozen=True, slots=True)
class IngestionRules:
    """How many chunks of a document are embedded at once, in two calls, and how large a document may be."""

    batch: int
    max_text_characters: int
    max_chunks: int


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


class Ingestion:
    """Does the jobs of kind ingest."""

    def __init__(
        self,
        store: Store,
        objects: ObjectStore,
        vectors: VectorStores,
        batches: Batches,
        extractor: Extractor,
        watch: Watch,
        rules: IngestionRules,
        scratch: Path,
    ) -> None:
        """`scratch` is a directory for files of the moment."""
        self._store = store
        self._objects = objects
        self._vectors = vectors
        self._batches = batches
        self._extractor = extractor
        self._watch = watch
        self._rules = rules
        self._scratch = scratch

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
            await self._fail(document, str(error))
        except ResourceExhausted as error:
            await self._wait(document, error)
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
        await self._embed(document)
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
        with tempfile.TemporaryDirectory(dir=self._scratch) as name:
            text = await self._extract(document, Path(name))
            await self._objects.put(document.text_key(), text.path)
            document = await self._progress(document, "chunking", 20)
            if not await self._clear(document):
                raise RunOver
            await self._stage_chunks(document, text)
        return await self._progress(document, "embedding", LEAST_SHARE)

    async def _extract(self, document: Document, directory: Path) -> Text:
        original = directory / "original"
        try:
            with original.open("wb") as file:
                async for part in self._objects.read(document.original_key()):
                    file.write(part)
        except FileNotFoundError:
            raise ExtractionFailed("Its original is not there (any more).") from None
        latest = document.latest
        text = await self._extractor.extract(original, latest.file_name, latest.media_type, directory)
        if text.characters > self._rules.max_text_characters:
            raise ExtractionFailed(f"The document has more than {self._rules.max_text_characters} characters.")
        return text

    async def _stage_chunks(self, document: Document, text: Text) -> None:
        latest = document.latest
        source = Source(document.id, latest.title, latest.metadata, text.page_starts, text.headings, document.chunking)
        count = 0
        with text.path.open(encoding="utf-8", newline="") as file:
            found = chunks(source, segments(file.read))
            while rows := await asyncio.to_thread(_some, found):
                count += len(rows)
                if count > self._rules.max_chunks:
                    raise ExtractionFailed(f"The document has more than {self._rules.max_chunks} passages.")
                async with self._store.transaction(document.tenant_id) as repository:
                    if not await repository.stage_chunks(document.tenant_id, document, rows):
                        raise RunOver
        if not count:
            raise ExtractionFailed("The document has no text.")

    async def _embed(self, document: Document) -> None:
        """Two calls at a time: while one is computed, the vectors of the other are written and marked."""
        size = max(1, self._rules.batch // CALLS_OF_ONE)
        async with self._store.transaction(document.tenant_id) as repository:
            count = await repository.count_staged(document.tenant_id, document.id)
        tally, after = _Tally(count.all, count.embedded), -1
        running: set[asyncio.Task[None]] = set()
        try:
            while True:
                async with self._store.transaction(document.tenant_id) as repository:
                    rows = await repository.next_staged(document.tenant_id, document.id, after, size)
                if rows:
                    after = rows[-1].ordinal
                    running.add(asyncio.create_task(self._embed_within(document, rows, tally)))
                if not running:
                    return
                if len(running) == CALLS_OF_ONE or not rows:
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

    async def _embed_within(self, document: Document, rows: Sequence[Staged], tally: _Tally) -> None:
        """What a limit of the plan does not let through at once goes half by half: a minute may have fewer tokens than
        a call would take. Each half that is through is kept.
        """
        try:
            await self._embed_rows(document, rows, tally)
        except ResourceExhausted as error:
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

    async def _progress(self, document: Document, stage: str, progress: int) -> Document:
        going_on = document.at(DocumentStatus.RUNNING, stage, progress)
        async with self._store.transaction(document.tenant_id) as repository:
            if not await repository.set_progress(document.tenant_id, going_on):
                raise RunOver
        return going_on

    async def _wait(self, document: Document, error: ResourceExhausted) -> None:
        """Says what it waits for, until it goes on."""
        async with self._store.transaction(document.tenant_id) as repository:
            now = await repository.get_document(document.tenant_id, document.id, lock=True)
            if now is not None and now.run == document.run and now.status is DocumentStatus.RUNNING:
                why = f"{error.message} It goes on by itself as soon as that allows it."
                await repository.set_progress(document.tenant_id, now.at(now.status, now.stage, now.progress, why))

    async def _fail(self, document: Document, reason: str) -> None:
        log.warning("document failed", document_id=document.id, why=reason)
        async with self._store.transaction(document.tenant_id) as repository:
            held = await repository.claim_document(document.tenant_id, document, str(uuid4()))
            failed = (held or document).at(DocumentStatus.FAILED, "done", 100, reason[:MAX_REASON_CHARACTERS])
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
        await self._objects.delete([document.text_key()])

    async def _get(self, job: Job) -> Document | None:
        async with self._store.transaction(job.tenant_id) as repository:
            return await repository.get_document(job.tenant_id, str(job.payload["document_id"]))


def _some(found: Iterator[Chunk]) -> list[Chunk]:
    return list(islice(found, STAGE_ROWS))
