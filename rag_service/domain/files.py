"""Files: bytes of which documents are made, one in each collection; batches of them; and the queries on both.

A document that was not made of a file is one itself, under its own id: both are listed and read alike.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from chassis.pagination import IdPage
from rag_service.domain.documents import Chunking, Counts, Document, DocumentStatus

PURPOSES = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals")
OF_A_DOCUMENT = "assistants"
"""What a document that is a file itself is for."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """What a client gave. `status`: of the document that it is, where it is one itself."""

    id: str
    tenant_id: str
    file_name: str
    media_type: str
    purpose: str
    bytes: int
    sha256: str
    created_at: datetime
    expires_at: datetime | None = None
    status: DocumentStatus | None = None


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that becomes a document of a collection."""

    file_id: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    chunking: Chunking | None = None
    """None: as its collection says."""


@dataclass(frozen=True, slots=True)
class FileBatch:
    """Files that were put into a collection together."""

    id: str
    tenant_id: str
    collection_id: str
    created_at: datetime
    cancelled: bool = False
    counts: Counts = field(default_factory=Counts)


@dataclass(frozen=True, slots=True)
class Attached:
    """Which documents of a collection are listed as its files."""

    collection_id: str
    batch_id: str = ""
    statuses: Sequence[DocumentStatus] = ()


class FileQueries(Protocol):
    """On a tenant's files. Those that are being erased, or have expired, are not there any more."""

    async def add_file(self, file: StoredFile) -> None: ...

    async def get_file(self, tenant_id: str, file_id: str) -> StoredFile | None:
        """Also a document that is one itself."""

    async def hold_files(self, tenant_id: str, file_ids: Sequence[str]) -> dict[str, StoredFile]:
        """Those of these ids that were uploaded as files; they stay until the transaction ends."""

    async def page_of_files(self, tenant_id: str, purpose: str, page: IdPage) -> tuple[list[StoredFile], bool]:
        """And whether there are more. InvalidCursor."""

    async def mark_file_erased(self, tenant_id: str, erasure_id: str, file_id: str) -> bool:
        """Hides it at once; whether it was there."""

    async def erased_files(self, tenant_id: str, erasure_id: str) -> list[str]:
        """Ids of those of an erasure that are not removed yet."""

    async def count_made(self, tenant_id: str, file_id: str) -> int:
        """How many documents were made of it, and are there or being erased."""

    async def remove_file(self, tenant_id: str, file_id: str) -> bool:
        """Its row; whether it was there."""

    async def remove_collections(self, tenant_id: str, erasure_id: str) -> int | None:
        """The rows of those of an erasure, with what belongs to them; how many. None while documents of theirs are
        there.
        """

    async def drop_lanes(self) -> bool:
        """Gives back the indexes of vectors that no collection has any more; whether nobody was in the way."""


class AttachmentQueries(Protocol):
    """On the documents that collections have of files, and on batches."""

    async def attached(
        self, tenant_id: str, collection_id: str, file_ids: Sequence[str], batch_id: str = ""
    ) -> dict[str, Document]:
        """The documents that a collection (or a batch) has of files, or that are some themselves, by the files' ids."""

    async def page_of_attached(self, tenant_id: str, which: Attached, page: IdPage) -> tuple[list[Document], bool]:
        """In the order of their making, by the ids of files, and whether there are more. InvalidCursor."""

    async def add_batch(self, batch: FileBatch, document_ids: Sequence[str]) -> None: ...

    async def get_batch(self, tenant_id: str, collection_id: str, batch_id: str) -> FileBatch | None:
        """With its counts."""

    async def cancel_batch(self, tenant_id: str, batch_id: str, limit: int) -> list[Document]:
        """Marks it, and ends the ingestion of some of its documents that are at it; those."""
