"""Documents, the queries on them, and the ports through which their bytes and texts go."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any, Protocol


class DocumentStatus(Enum):
    """How far a document's ingestion is."""

    QUEUED = "queued"
    RUNNING = "running"
    READY = "ready"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Document:
    """A document and how far its ingestion is."""

    id: str
    tenant_id: str
    collection_id: str
    collection: str
    title: str
    file_name: str
    media_type: str
    metadata: Mapping[str, Any]
    bytes: int
    sha256: str
    status: DocumentStatus
    stage: str
    created_at: datetime
    progress: int = 0
    error: str = ""
    chunks: int = 0
    version: int = 1
    vector_store: str = ""
    embedding_model: str = ""
    """The last two are its collection's."""

    @property
    def original_key(self) -> str:
        """Where its original is in the object store."""
        return f"{self.tenant_id}/{self.id}/original"

    @property
    def text_key(self) -> str:
        """Where its extracted text is in the object store."""
        return f"{self.tenant_id}/{self.id}/text"


@dataclass(frozen=True, slots=True)
class Text:
    """Extracted text, and where its pages start (code points); no pages where the format has none."""

    content: str
    page_starts: tuple[int, ...] = ()


class Extractor(Protocol):
    """Text out of files."""

    async def extract(self, original: Path, file_name: str, media_type: str) -> Text:
        """ExtractionFailed says why not."""


class ObjectStore(Protocol):
    """Originals and texts."""

    async def put(self, key: str, source: Path) -> None: ...

    async def put_text(self, key: str, text: str) -> None: ...

    def read(self, key: str) -> AsyncGenerator[bytes, None]:
        """In parts; FileNotFoundError."""

    async def delete(self, keys: Sequence[str]) -> None:
        """Those that are there."""


class DocumentQueries(Protocol):
    """On a tenant's documents and the jobs on them."""

    async def add_document(self, document: Document) -> None: ...

    async def enqueue(self, kind: str, payload: Mapping[str, Any]) -> None:
        """A job, under the calling context."""

    async def delete_documents(self, tenant_id: str) -> int:
        """All of a tenant; how many."""

    async def drop_jobs(self, tenant_id: str) -> int:
        """Those of a tenant that are not under way; how many are."""

    async def get_document(self, tenant_id: str, document_id: str) -> Document | None: ...

    async def list_documents(
        self, tenant_id: str, collection_id: str, size: int, after: tuple[str | int, ...] | None
    ) -> list[Document]: ...

    async def set_progress(
        self, tenant_id: str, document_id: str, status: DocumentStatus, stage: str, progress: int, error: str = ""
    ) -> bool:
        """Whether the document is (still) there."""

    async def delete_document(self, tenant_id: str, document_id: str) -> bool: ...
