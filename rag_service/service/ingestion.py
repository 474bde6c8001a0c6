"""Ingestion: stored -> extracting -> chunking -> embedding -> indexing -> done.

A job does it from its start as often as it must: ids of chunks follow from the document, so doing it again changes
nothing. Chunks become visible in one transaction, after their vectors are there: a search never sees half a document.
"""

import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path

import structlog

from chassis.errors import PlatformError
from chassis.job import Job
from rag_service.domain.chunks import Chunk
from rag_service.domain.documents import Document, DocumentStatus, Extractor, ObjectStore, Text
from rag_service.domain.errors import ExtractionFailed
from rag_service.domain.store import Store
from rag_service.domain.usage import Meter, Tally
from rag_service.domain.vectors import ChunkVector, Embedder, VectorStores
from rag_service.policy.chunking import chunk, weight

log = structlog.get_logger()


class DocumentGone(Exception):  # named by what happened
    """The document was deleted while it was ingested."""


@dataclass(frozen=True, slots=True)
class IngestionRules:
    """How many chunks are embedded at once, and how large a document may be."""

    batch: int
    max_text_characters: int
    max_chunks: int


class Ingestion:
    """Does the jobs of kind ingest."""

    def __init__(
        self,
        store: Store,
        objects: ObjectStore,
        vectors: VectorStores,
        embedder: Embedder,
        extractor: Extractor,
        meter: Meter,
        rules: IngestionRules,
    ) -> None:
        self._store = store
        self._objects = objects
        self._vectors = vectors
        self._embedder = embedder
        self._extractor = extractor
        self._meter = meter
        self._rules = rules

    async def run(self, job: Job) -> None:
        """Ingests the job's document. A document from which nothing can be had fails, with the reason in its row."""
        document_id = str(job.payload["document_id"])
        async with self._store.transaction(job.tenant_id) as repository:
            document = await repository.get_document(job.tenant_id, document_id)
        if document is None or document.status is DocumentStatus.READY:
            return
        try:
            await self._ingest(document)
        except ExtractionFailed as error:
            await self._fail(document, str(error))
        except DocumentGone:
            await self._vectors[document.vector_store].delete_document(document.tenant_id, document.id)
            await self._objects.delete([document.original_key, document.text_key])

    async def failed(self, job: Job, error: PlatformError) -> None:
        """Marks the document of a job that was given up."""
        async with self._store.transaction(job.tenant_id) as repository:
            document = await repository.get_document(job.tenant_id, str(job.payload["document_id"]))
        if document is not None:
            await self._fail(document, error.message)

    async def _ingest(self, document: Document) -> None:
        await self._progress(document, "extracting", 5)
        text = await self._extract(document)
        await self._objects.put_text(document.text_key, text.content)
        await self._progress(document, "chunking", 20)
        chunks = await asyncio.to_thread(chunk, document.id, document.version, document.title, text)
        if not chunks:
            raise ExtractionFailed("The document has no text.")
        if len(chunks) > self._rules.max_chunks:
            raise ExtractionFailed(f"The document has more than {self._rules.max_chunks} passages.")
        await self._progress(document, "embedding", 30)
        await self._embed(document, chunks)
        await self._progress(document, "indexing", 95)
        async with self._store.transaction(document.tenant_id) as repository:
            if not await repository.replace_chunks(document.tenant_id, document, chunks):
                raise DocumentGone
        log.info("document ready", document_id=document.id, chunks=len(chunks), bytes=document.bytes)

    async def _extract(self, document: Document) -> Text:
        with tempfile.TemporaryDirectory(prefix="aisp-ingest-") as directory:
            original = Path(directory) / "original"
            try:
                with original.open("wb") as file:
                    async for part in self._objects.read(document.original_key):
                        file.write(part)
            except FileNotFoundError:
                raise DocumentGone from None
            text = await self._extractor.extract(original, document.file_name, document.media_type)
        if len(text.content) > self._rules.max_text_characters:
            raise ExtractionFailed(f"The document has more than {self._rules.max_text_characters} characters.")
        return text

    async def _embed(self, document: Document, chunks: list[Chunk]) -> None:
        """Batch by batch, under a lease of its own each: a limit that binds makes the job wait, not fail."""
        for start in range(0, len(chunks), self._rules.batch):
            batch = chunks[start : start + self._rules.batch]
            texts = ["\n".join(filter(None, (document.title, item.heading, item.text))) for item in batch]
            tally = Tally()
            lease = await self._meter.reserve(sum(map(weight, texts)))
            try:
                vectors = await self._embedder.embed_documents(document.embedding_model, texts, tally)
            finally:
                await self._meter.settle(lease, tally)
            rows = [
                ChunkVector(item.id, document.id, vector, document.metadata)
                for item, vector in zip(batch, vectors, strict=True)
            ]
            store = self._vectors[document.vector_store]
            await store.upsert(document.tenant_id, document.collection_id, rows)
            # Whoever is told that the document is ready finds it, on a store that applies writes late, too.
            await store.visible(document.tenant_id, document.collection_id, rows)
            await self._progress(
                document, "embedding", 30 + 60 * min(start + self._rules.batch, len(chunks)) // len(chunks)
            )

    async def _progress(self, document: Document, stage: str, progress: int) -> None:
        async with self._store.transaction(document.tenant_id) as repository:
            there = await repository.set_progress(
                document.tenant_id, document.id, DocumentStatus.RUNNING, stage, progress
            )
        if not there:
            raise DocumentGone

    async def _fail(self, document: Document, reason: str) -> None:
        log.warning("document failed", document_id=document.id, why=reason)
        async with self._store.transaction(document.tenant_id) as repository:
            await repository.set_progress(
                document.tenant_id, document.id, DocumentStatus.FAILED, "done", 100, reason[:1000]
            )
