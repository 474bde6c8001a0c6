"""Files as documents of collections: put in, one or many, listed, and taken back from the work. The bytes stay the
file's; whatever else a document is and does, it does as any other.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from chassis.errors import PlatformError
from chassis.pagination import IdPage
from rag_service.domain.collections import Collection
from rag_service.domain.documents import Chunking, Description, Document, DocumentStatus
from rag_service.domain.errors import (
    CollectionNotFound,
    DocumentNotFound,
    FileBatchNotFound,
    FileNotThere,
    bad,
)
from rag_service.domain.files import Attached, Attachment, FileBatch, StoredFile
from rag_service.domain.store import Store
from rag_service.service.announcing import announce
from rag_service.service.collections import Collections
from rag_service.service.documents import Documents, ingest, new_id
from rag_service.service.erasure import Erasures

MAX_BATCH = 2000
CANCELLED_AT_ONCE = 500
LEAST_TOKENS, MOST_TOKENS = 100, 4096


class Attachments:
    """The files of collections."""

    def __init__(
        self,
        store: Store,
        collections: Collections,
        documents: Documents,
        erasures: Erasures,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._erasures = erasures
        self._collections = collections
        self._documents = documents
        self._clock = clock

    async def made_with(self, collection: Collection, wanted: Sequence[Attachment]) -> Collection:
        """A new collection with these files, or none at all. Errors as below."""
        try:
            await self.attach_many(collection.tenant_id, collection.id, wanted)
        except PlatformError:
            await self._erasures.delete_collection(collection.tenant_id, collection)
            raise
        return await self._collections.by_id(collection.tenant_id, collection.id, counted=True)

    async def attach(self, tenant_id: str, collection_id: str, attachment: Attachment) -> Document:
        """Makes a document of a file. A file that is there already stays the document that it is; its metadata are what
        is told now, and what failed is tried again. CollectionNotFound, CollectionExpired, FileNotThere, BadRequest.
        """
        (document,) = await self._attach(tenant_id, collection_id, [attachment], None)
        return await self._wished(document, attachment)

    async def attach_many(self, tenant_id: str, collection_id: str, wanted: Sequence[Attachment]) -> FileBatch:
        """All of them or none; as above."""
        if not 1 <= len(wanted) <= MAX_BATCH:
            raise bad("file_ids", f"must be 1 to {MAX_BATCH}")
        unique = list({one.file_id: one for one in wanted}.values())
        batch = FileBatch(new_id(), tenant_id, collection_id, self._clock())
        made = await self._attach(tenant_id, collection_id, unique, batch)
        for document, attachment in zip(made, unique, strict=True):
            await self._wished(document, attachment)
        return await self.batch(tenant_id, collection_id, batch.id)

    async def get(self, tenant_id: str, collection_id: str, file_id: str, batch_id: str = "") -> Document:
        """The document that a collection has of a file. CollectionNotFound, DocumentNotFound."""
        await self._collections.by_id(tenant_id, collection_id)
        async with self._store.transaction(tenant_id) as repository:
            found = await repository.attached(tenant_id, collection_id, [file_id], batch_id)
        if not found:
            raise DocumentNotFound("There is no such file in this collection.")
        return next(iter(found.values()))

    async def list(self, tenant_id: str, which: Attached, page: IdPage) -> tuple[Sequence[Document], bool]:
        """And whether there are more. CollectionNotFound, FileBatchNotFound, InvalidCursor."""
        if which.batch_id:
            await self.batch(tenant_id, which.collection_id, which.batch_id)
        await self._collections.by_id(tenant_id, which.collection_id)
        async with self._store.transaction(tenant_id) as repository:
            return await repository.page_of_attached(tenant_id, which, page)

    async def batch(self, tenant_id: str, collection_id: str, batch_id: str) -> FileBatch:
        """FileBatchNotFound."""
        async with self._store.transaction(tenant_id) as repository:
            collection = await repository.get_collection(tenant_id, collection_id)
            found = await repository.get_batch(tenant_id, collection_id, batch_id)
        if found is None or collection is None:
            raise FileBatchNotFound
        return found

    async def cancel(self, tenant_id: str, collection_id: str, batch_id: str) -> FileBatch:
        """Ends what is not ready. FileBatchNotFound."""
        batch = await self.batch(tenant_id, collection_id, batch_id)
        while True:
            async with self._store.transaction(tenant_id) as repository:
                ended = await repository.cancel_batch(tenant_id, batch.id, CANCELLED_AT_ONCE)
                await announce(repository, *ended)
                # What was half done is taken away behind the answer.
                await ingest(repository, *ended)
            if len(ended) < CANCELLED_AT_ONCE:
                break
        return await self.batch(tenant_id, collection_id, batch_id)

    async def _attach(
        self, tenant_id: str, collection_id: str, wanted: Sequence[Attachment], batch: FileBatch | None
    ) -> Sequence[Document]:
        collection = await self._collections.usable(tenant_id, collection_id)
        for one in wanted:
            _check(one)
        ids = [one.file_id for one in wanted]
        async with self._store.transaction(tenant_id) as repository:
            if not await repository.hold_collection(tenant_id, collection_id):
                raise CollectionNotFound
            await repository.one_at_a_time(tenant_id, collection_id, "files")
            files = await repository.hold_files(tenant_id, ids)
            there = await repository.attached(tenant_id, collection_id, ids)
            new = [self._new(collection, one, files.get(one.file_id)) for one in wanted if one.file_id not in there]
            await repository.add_documents(new)
            await ingest(repository, *new)
            made = there | {document.file: document for document in new}
            if batch:
                await repository.add_batch(batch, [document.id for document in made.values()])
            await repository.set_active(tenant_id, collection_id, self._clock())
        return [made[one.file_id] for one in wanted]

    async def _wished(self, document: Document, attachment: Attachment) -> Document:
        """One that was there before, as it is wished now: whoever puts in once more what failed wants it."""
        if document.status in (DocumentStatus.FAILED, DocumentStatus.CANCELLED):
            document = await self._documents.retry(document.tenant_id, document.id)
        if attachment.metadata and document.latest.metadata != attachment.metadata:
            return await self._documents.describe(document.tenant_id, document.id, attachment.metadata)
        return document

    def _new(self, collection: Collection, wanted: Attachment, file: StoredFile | None) -> Document:
        if file is None:
            raise FileNotThere(f"There is no file {wanted.file_id[:64]}.", metadata={"param": "file_id"})
        return Document(
            id=new_id(),
            tenant_id=collection.tenant_id,
            collection_id=collection.id,
            collection=collection.name,
            described=Description(
                title=file.file_name,
                file_name=file.file_name,
                media_type=file.media_type,
                metadata=wanted.metadata,
                bytes=file.bytes,
                sha256=file.sha256,
            ),
            status=DocumentStatus.QUEUED,
            stage="stored",
            created_at=self._clock(),
            vector_store=collection.vector_store,
            embedding_model=collection.embedding_model,
            chunking=wanted.chunking or collection.chunking,
            own_chunking=wanted.chunking,
            file_id=file.id,
        )


def chunking_of(tokens: int, overlap: int) -> Chunking | None:
    """None where no tokens are told."""
    return replace(Chunking(), tokens=tokens, overlap=overlap) if tokens else None


def _check(wanted: Attachment) -> None:
    cut = wanted.chunking
    if cut and not LEAST_TOKENS <= cut.tokens <= MOST_TOKENS:
        raise bad("chunking_strategy.static.max_chunk_size_tokens", f"must be from {LEAST_TOKENS} to {MOST_TOKENS}")
    if cut and not 0 <= cut.overlap <= cut.tokens // 2:
        raise bad("chunking_strategy.static.chunk_overlap_tokens", "must be at most half of max_chunk_size_tokens")
