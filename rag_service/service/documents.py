"""Documents: taken in, listed, read, deleted. Ingestion itself is the worker's."""

import asyncio
import hashlib
import json
import os
import time
import uuid
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from chassis.pagination import Page, PageRequest
from rag_service.domain.documents import Document, DocumentStatus, ObjectStore
from rag_service.domain.errors import DocumentNotFound, EmptyDocument, TextNotReady
from rag_service.domain.store import Store
from rag_service.domain.vectors import VectorStores
from rag_service.policy.filters import fits
from rag_service.service.collections import Collections, bad

INGEST = "ingest"
FINAL = frozenset((DocumentStatus.READY, DocumentStatus.FAILED, DocumentStatus.CANCELLED))
LOOK_SECONDS = 0.2
MAX_WAIT_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Description:
    """What a client says of a document."""

    title: str = ""
    file_name: str = ""
    media_type: str = ""
    collection: str = ""
    metadata_json: str = ""


class Documents:
    """The tenant's documents."""

    def __init__(
        self,
        store: Store,
        objects: ObjectStore,
        vectors: VectorStores,
        collections: Collections,
        clock: Callable[[], datetime],
        max_metadata_bytes: int,
    ) -> None:
        self._store = store
        self._objects = objects
        self._vectors = vectors
        self._collections = collections
        self._clock = clock
        self._max_metadata_bytes = max_metadata_bytes

    async def check(self, tenant_id: str, description: Description) -> None:
        """Before any byte is read: BadRequest, CollectionNotFound."""
        self._metadata(description.metadata_json)
        if len(description.title) > 500 or len(description.file_name) > 255:
            raise bad("title", "must have at most 500 characters, a file name 255")
        await self._collections.find(tenant_id, description.collection)

    async def add(self, tenant_id: str, description: Description, original: Path) -> Document:
        """Keeps the original and asks for its ingestion, in one transaction with its row. EmptyDocument."""
        size, digest = await asyncio.to_thread(_measure, original)
        if not size:
            raise EmptyDocument
        collection = await self._collections.find(tenant_id, description.collection)
        document = Document(
            id=new_id(),
            tenant_id=tenant_id,
            collection_id=collection.id,
            collection=collection.name,
            title=description.title or description.file_name or "Untitled",
            file_name=description.file_name,
            media_type=description.media_type,
            metadata=self._metadata(description.metadata_json),
            bytes=size,
            sha256=digest,
            status=DocumentStatus.QUEUED,
            stage="stored",
            created_at=self._clock(),
            vector_store=collection.vector_store,
            embedding_model=collection.embedding_model,
        )
        await self._objects.put(document.original_key, original)
        async with self._store.transaction(tenant_id) as repository:
            await repository.add_document(document)
            await repository.enqueue(INGEST, {"document_id": document.id})
        return document

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

    async def list(self, tenant_id: str, collection: str, request: PageRequest) -> Page[Document]:
        """Newest first; of one collection, or of all. CollectionNotFound."""
        collection_id = (await self._collections.find(tenant_id, collection)).id if collection else ""
        async with self._store.transaction(tenant_id) as repository:
            rows = await repository.list_documents(tenant_id, collection_id, request.size, request.after)
        return request.page(rows, lambda row: (round(row.created_at.timestamp() * 1_000_000), row.id))

    async def text(self, tenant_id: str, document_id: str) -> AsyncGenerator[bytes, None]:
        """The extracted text, UTF-8, in parts. DocumentNotFound, TextNotReady."""
        document = await self.get(tenant_id, document_id)
        try:
            async for part in self._objects.read(document.text_key):
                yield part
        except FileNotFoundError as error:
            raise TextNotReady from error

    async def delete(self, tenant_id: str, document_id: str) -> Document:
        """Removes the document with everything that was made of it. DocumentNotFound."""
        document = await self.get(tenant_id, document_id)
        async with self._store.transaction(tenant_id) as repository:
            if not await repository.delete_document(tenant_id, document_id):
                raise DocumentNotFound
        await self._vectors[document.vector_store].delete_document(tenant_id, document_id)
        await self._objects.delete([document.original_key, document.text_key])
        return document

    def _metadata(self, text: str) -> Mapping[str, Any]:
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


def new_id() -> str:
    """A UUIDv7: ids sort by time."""
    number = (int(time.time() * 1000) << 80) | int.from_bytes(os.urandom(10), "big")
    number = number & ~(0xF << 76) | (0x7 << 76)
    return str(uuid.UUID(int=number & ~(0x3 << 62) | (0x2 << 62)))


def _measure(path: Path) -> tuple[int, str]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return path.stat().st_size, digest
