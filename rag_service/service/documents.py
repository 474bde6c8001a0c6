"""Documents: taken in, in versions, listed, read, cancelled and tried again. Ingestion itself is the worker's."""

import asyncio
import hashlib
import json
import os
import time
import uuid
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from chassis.pagination import Page, PageRequest
from rag_service.domain.collections import Collection
from rag_service.domain.documents import FINAL, Description, Document, DocumentStatus, Listing, ObjectStore
from rag_service.domain.errors import (
    CollectionNotFound,
    DocumentNotFound,
    EmptyDocument,
    IngestionEnded,
    IngestionNotEnded,
    TextNotReady,
    bad,
)
from rag_service.domain.jobs import INGEST
from rag_service.domain.store import Repository, Store
from rag_service.policy.filters import fits
from rag_service.service.announcing import announce
from rag_service.service.collections import Collections
from rag_service.service.originals import Originals

LOOK_SECONDS = 0.2
MAX_WAIT_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Told:
    """What a client says of a document. With a `document_id` it is a new version of that: what is not told stays."""

    title: str = ""
    file_name: str = ""
    media_type: str = ""
    collection: str = ""
    metadata_json: str = ""
    document_id: str = ""


class Documents:
    """The tenant's documents."""

    def __init__(
        self,
        store: Store,
        objects: ObjectStore,
        originals: Originals,
        collections: Collections,
        clock: Callable[[], datetime],
        max_metadata_bytes: int,
    ) -> None:
        self._store = store
        self._objects = objects
        self._originals = originals
        self._collections = collections
        self._clock = clock
        self._max_metadata_bytes = max_metadata_bytes

    async def check(self, tenant_id: str, told: Told) -> None:
        """Before any byte is read: BadRequest, CollectionNotFound, DocumentNotFound."""
        self.metadata(told.metadata_json)
        if len(told.title) > 500 or len(told.file_name) > 255:
            raise bad("title", "must have at most 500 characters, a file name 255")
        if told.document_id:
            await self.get(tenant_id, told.document_id)
        else:
            await self._collections.find(tenant_id, told.collection)

    async def add(self, tenant_id: str, told: Told, original: Path) -> tuple[Document, bool]:
        """Keeps a document, or a version of one, and asks for its ingestion; whether there was anything to do.

        What is there already, in this collection under this title and with this metadata, is not ingested again.
        EmptyDocument; ResourceExhausted where storage is full.
        """
        size, digest = await measured(original)
        if not size:
            raise EmptyDocument
        if told.document_id:
            return await self._add_version(tenant_id, told, original, (size, digest))
        collection = await self._collections.find(tenant_id, told.collection)
        self._collections.check_usable(collection)
        described = Description(
            title=told.title or told.file_name or "Untitled",
            file_name=told.file_name,
            media_type=told.media_type,
            metadata=self.metadata(told.metadata_json),
            bytes=size,
            sha256=digest,
        )
        if same := await self._same(tenant_id, collection, described):
            return await self._again(same)
        document = self._new(tenant_id, collection, described)
        kept = await self._originals.keep(tenant_id, document.id, original)
        async with self._store.transaction(tenant_id) as repository:
            there = await repository.hold_collection(tenant_id, collection.id)
            await repository.one_at_a_time(tenant_id, collection.id, digest)
            same = await repository.find_same(tenant_id, collection.id, described)
            if there and same is None:
                await repository.add_document(document)
                await self._originals.adopt(repository, kept)
                await ingest(repository, document)
        if there and same is None:
            return document, True
        # Two uploads of the same at once: the second one was for nothing. Or the collection was deleted meanwhile.
        await self._originals.release(kept)
        if same is None:
            raise CollectionNotFound
        return await self._again(same)

    async def _add_version(
        self, tenant_id: str, told: Told, original: Path, measured: tuple[int, str]
    ) -> tuple[Document, bool]:
        size, digest = measured
        document = await self.get(tenant_id, told.document_id)
        before = document.latest
        described = Description(
            title=told.title or before.title,
            file_name=told.file_name or before.file_name,
            media_type=told.media_type or before.media_type,
            metadata=self.metadata(told.metadata_json) if told.metadata_json else before.metadata,
            bytes=size,
            sha256=digest,
        )
        if described == before:
            return await self._again(document)
        kept = await self._originals.keep(tenant_id, document.id, original)
        async with self._store.transaction(tenant_id) as repository:
            held = await _locked(repository, tenant_id, document.id)
            if held.version > kept.version:
                return held, True  # a newer one came meanwhile; this one is released as abandoned
            visible = held.ready_version > 0
            document = replace(
                held.at(DocumentStatus.QUEUED, "stored", 0),
                version=kept.version,
                run=held.run + 1,
                described=held.described if visible else described,
                coming=described if visible else None,
            )
            await repository.put_version(tenant_id, document)
            await self._originals.adopt(repository, kept)
            await ingest(repository, document)
        return document, True

    async def get(self, tenant_id: str, document_id: str, wait_seconds: int = 0) -> Document:
        """At once, or when its ingestion has ended, or when the time is up. DocumentNotFound."""
        deadline = time.monotonic() + min(max(wait_seconds, 0), MAX_WAIT_SECONDS)
        while True:
            async with self._store.transaction(tenant_id) as repository:
                document = await repository.get_document(tenant_id, document_id)
            if document is None:
                raise DocumentNotFound
            if document.status in FINAL or time.monotonic() >= deadline:
                return document
            await asyncio.sleep(LOOK_SECONDS)

    async def watch(self, tenant_id: str, document_id: str) -> AsyncGenerator[Document, None]:
        """The document now, and whenever its ingestion has gone on, until it has ended. DocumentNotFound."""
        last = None
        while True:
            document = await self.get(tenant_id, document_id)
            if document != last:
                yield document
            if document.status in FINAL:
                return
            last = document
            await asyncio.sleep(LOOK_SECONDS)

    async def list(self, tenant_id: str, which: Listing, request: PageRequest) -> Page[Document]:
        """Newest first. CollectionNotFound."""
        collection_id = (await self._collections.find(tenant_id, which.collection)).id if which.collection else ""
        async with self._store.transaction(tenant_id) as repository:
            rows = await repository.list_documents(tenant_id, collection_id, which, request.size, request.after)
        return request.page(rows, lambda row: (round(row.created_at.timestamp() * 1_000_000), row.id))

    async def text(self, tenant_id: str, document_id: str) -> AsyncGenerator[bytes, None]:
        """The extracted text that searches see, UTF-8, in parts. DocumentNotFound, TextNotReady."""
        document = await self.get(tenant_id, document_id)
        if not document.ready_version:
            raise TextNotReady
        try:
            async for part in self._objects.read(document.text_key(document.ready_version)):
                yield part
        except FileNotFoundError as error:
            raise TextNotReady from error

    async def cancel(self, tenant_id: str, document_id: str) -> Document:
        """Ends the ingestion of the latest version; what searches saw before, they see. IngestionEnded."""
        async with self._store.transaction(tenant_id) as repository:
            document = await _locked(repository, tenant_id, document_id)
            if document.status in FINAL:
                raise IngestionEnded
            document = replace(document.at(DocumentStatus.CANCELLED, "done", 100), run=document.run + 1)
            await repository.put_version(tenant_id, document)
            await announce(repository, document)
            # What was half done is taken away behind the answer.
            await ingest(repository, document)
        return document

    async def retry(self, tenant_id: str, document_id: str) -> Document:
        """Tries the latest version again. IngestionNotEnded unless it failed or was cancelled."""
        async with self._store.transaction(tenant_id) as repository:
            document = await _locked(repository, tenant_id, document_id)
            if document.status not in (DocumentStatus.FAILED, DocumentStatus.CANCELLED):
                raise IngestionNotEnded
            document = replace(document.at(DocumentStatus.QUEUED, "stored", 0), run=document.run + 1)
            await repository.put_version(tenant_id, document)
            await ingest(repository, document)
        return document

    async def describe(self, tenant_id: str, document_id: str, metadata: Mapping[str, Any]) -> Document:
        """Gives the latest version other metadata. It is ingested anew, and embeds nothing that stays; searches see the
        change when that has ended. DocumentNotFound.
        """
        async with self._store.transaction(tenant_id) as repository:
            held = await _locked(repository, tenant_id, document_id)
            described = replace(held.latest, metadata=metadata)
            if described == held.latest:
                return held
            visible = held.ready_version > 0
            document = replace(
                held.at(DocumentStatus.QUEUED, "stored", 0),
                run=held.run + 1,
                described=held.described if visible else described,
                coming=described if visible else None,
            )
            await repository.put_version(tenant_id, document)
            await ingest(repository, document)
        return document

    async def _same(self, tenant_id: str, collection: Collection, described: Description) -> Document | None:
        async with self._store.transaction(tenant_id) as repository:
            return await repository.find_same(tenant_id, collection.id, described)

    async def _again(self, same: Document) -> tuple[Document, bool]:
        """What failed or was cancelled is tried again: whoever uploads it once more wants it."""
        if same.status in (DocumentStatus.FAILED, DocumentStatus.CANCELLED):
            return await self.retry(same.tenant_id, same.id), True
        return same, False

    def _new(self, tenant_id: str, collection: Collection, described: Description) -> Document:
        return Document(
            id=new_id(),
            tenant_id=tenant_id,
            collection_id=collection.id,
            collection=collection.name,
            described=described,
            status=DocumentStatus.QUEUED,
            stage="stored",
            created_at=self._clock(),
            vector_store=collection.vector_store,
            embedding_model=collection.embedding_model,
            chunking=collection.chunking,
        )

    def metadata(self, text: str) -> Mapping[str, Any]:
        """Out of JSON. BadRequest."""
        if not text:
            return {}
        if len(text.encode()) > self._max_metadata_bytes:
            raise bad("metadata", f"must have at most {self._max_metadata_bytes} bytes")
        try:
            found = json.loads(text)
        except (json.JSONDecodeError, RecursionError) as error:
            raise bad("metadata", "must be a JSON object") from error
        if not isinstance(found, dict) or not all(map(fits, (*found, *found.values()))):
            raise bad("metadata", "must be a JSON object of strings, numbers (up to 2^53) and booleans")
        return dict(found)


async def _locked(repository: Repository, tenant_id: str, document_id: str) -> Document:
    document = await repository.get_document(tenant_id, document_id, lock=True)
    if document is None:
        raise DocumentNotFound
    return document


async def ingest(repository: Repository, *documents: Document) -> None:
    """Asks for it."""
    asked = [(document.id, {"document_id": document.id, "run": document.run}) for document in documents]
    if asked:
        await repository.enqueue_all(INGEST, asked)


def new_id() -> str:
    """A UUIDv7: ids sort by time."""
    number = (int(time.time() * 1000) << 80) | int.from_bytes(os.urandom(10), "big")
    number = number & ~(0xF << 76) | (0x7 << 76)
    return str(uuid.UUID(int=number & ~(0x3 << 62) | (0x2 << 62)))


async def measured(path: Path) -> tuple[int, str]:
    """A file's bytes and SHA-256, in hex."""
    return await asyncio.to_thread(_measure, path)


def _measure(path: Path) -> tuple[int, str]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return path.stat().st_size, digest
