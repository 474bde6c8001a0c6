"""Documents, the queries on them, and the ports through which their bytes and texts go."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

from rag_service.domain.filters import Filter


class DocumentStatus(Enum):
    """How far a document's ingestion is."""

    QUEUED = "queued"
    RUNNING = "running"
    READY = "ready"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Listing:
    """Which documents are listed: of a collection (empty: of all), in a state, that a filter lets through."""

    collection: str = ""
    status: DocumentStatus | None = None
    filter: Filter | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """How many documents are how far."""

    going_on: int = 0
    ready: int = 0
    failed: int = 0
    cancelled: int = 0


@dataclass(frozen=True, slots=True)
class Chunking:
    """How texts are cut: tokens (estimated) that a chunk has at most, and that it repeats of the one before."""

    tokens: int = 400
    """With its title a chunk fits into 512, the window of the default model. Measured on abstracts (`make eval`): 220
    gives nDCG@10 0.43, 300 gives 0.44, 420 gives 0.46.
    """
    overlap: int = 40


@dataclass(frozen=True, slots=True)
class Doomed:
    """Which documents are to go: of these ids, of a collection (those that fit the filter), or of a file."""

    ids: Sequence[str] = ()
    collection_id: str = ""
    wanted: Filter | None = None
    file_id: str = ""


FINAL = frozenset((DocumentStatus.READY, DocumentStatus.FAILED, DocumentStatus.CANCELLED))


@dataclass(frozen=True, slots=True)
class Description:
    """What a version of a document is: what a client says of it, and what its bytes are."""

    title: str
    file_name: str
    media_type: str
    metadata: Mapping[str, Any]
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Document:
    """A document and how far the ingestion of its latest version is.

    `version` is the latest one, `ready_version` the one that searches see (0: none yet). `run` counts what was asked
    for: a worker whose run is over (a newer version, a cancellation, a deletion) changes nothing any more.
    """

    id: str
    tenant_id: str
    collection_id: str
    collection: str
    described: Description
    """As searches see it; before any version is ready, of the latest."""
    status: DocumentStatus
    stage: str
    created_at: datetime
    coming: Description | None = None
    """Of the latest version, while an earlier one is what searches see."""
    progress: int = 0
    error: str = ""
    fault: str = ""
    """Where it failed, whose it is: the file's (unsupported_file, invalid_file) or the platform's (server_error)."""
    chunks: int = 0
    version: int = 1
    ready_version: int = 0
    run: int = 1
    claim: str = ""
    """Of the worker that took it last: what another one, whose lease ran out, still writes does not count."""
    waits_since: datetime | None = None
    """While it waits for a limit: since when nothing of it went on."""
    vector_store: str = ""
    embedding_model: str = ""
    chunking: Chunking = Chunking()
    """The last three are its collection's; the last one, if it has none of its own."""
    file_id: str = ""
    """The file that it was made of: its bytes are the original of version 1."""
    own_chunking: Chunking | None = None

    @property
    def file(self) -> str:
        """The id under which it is known as a file: its own, where it was made of none."""
        return self.file_id or self.id

    @property
    def latest(self) -> Description:
        """Of the latest version."""
        return self.coming or self.described

    def original_key(self, version: int = 0) -> str:
        """Where the original of a version (0: the latest) is in the object store."""
        version = version or self.version
        return original_key(self.tenant_id, self.file if version == 1 else self.id, version)

    def text_key(self, version: int = 0) -> str:
        """Where the extracted text of a version (0: the latest) is."""
        return text_key(self.tenant_id, self.id, version or self.version)

    def at(self, status: DocumentStatus, stage: str, progress: int, error: str = "", fault: str = "") -> "Document":
        """The document at another point of its ingestion."""
        moved = replace(self, status=status, stage=stage, progress=progress, waits_since=None)
        return replace(moved, error=error, fault=fault)


def folder(tenant_id: str, document_id: str) -> str:
    """Where everything of a document is in the object store."""
    return f"{tenant_id}/{document_id}/"


def original_key(tenant_id: str, document_id: str, version: int) -> str:
    """Where the original of a version is."""
    return folder(tenant_id, document_id) + _part(version) + "original"


def text_key(tenant_id: str, document_id: str, version: int) -> str:
    """Where the text of a version is."""
    return folder(tenant_id, document_id) + _part(version) + "text"


def _part(version: int) -> str:
    return f"{version}/" if version > 1 else ""


@dataclass(frozen=True, slots=True)
class Heading:
    """Where a section starts (code points), and what it is called."""

    start: int
    title: str
    level: int
    """From 1, the outermost."""


@dataclass(frozen=True, slots=True)
class Text:
    """Extracted text in a file (UTF-8), and where its pages and sections start (code points).

    There are no pages where the format has none; sections are named where the text itself does not show them.
    """

    path: Path
    characters: int
    page_starts: Sequence[int] = ()
    headings: Sequence[Heading] = field(default_factory=tuple)


class Extractor(Protocol):
    """Text out of files."""

    async def extract(self, original: Path, file_name: str, media_type: str, directory: Path) -> Text:
        """Written into the directory. ExtractionFailed says why not."""


class ObjectStore(Protocol):
    """Originals and texts."""

    async def put(self, key: str, source: Path) -> None: ...

    def read(self, key: str) -> AsyncGenerator[bytes, None]:
        """In parts; FileNotFoundError."""

    async def list(self, prefix: str) -> Sequence[str]:
        """Keys below it."""

    async def delete(self, keys: Sequence[str]) -> None:
        """Those that are there."""


class DocumentQueries(Protocol):
    """On a tenant's documents. Those that are being erased are not there any more."""

    async def add_document(self, document: Document) -> None: ...

    async def add_documents(self, documents_: Sequence[Document]) -> None: ...

    async def get_document(self, tenant_id: str, document_id: str, *, lock: bool = False) -> Document | None: ...

    async def delete_documents(self, tenant_id: str) -> int:
        """All of a tenant; how many."""

    async def drop_jobs(self, tenant_id: str) -> int:
        """Those of a tenant that are not under way; how many are."""

    async def find_same(self, tenant_id: str, collection_id: str, described: Description) -> Document | None:
        """A document of the collection whose latest version is just that, of two the older."""

    async def one_at_a_time(self, tenant_id: str, collection_id: str, sha256: str) -> None:
        """Until the transaction ends, nobody else adds the same content to the same collection."""

    async def list_documents(
        self, tenant_id: str, collection_id: str, which: Listing, size: int, after: tuple[str | int, ...] | None
    ) -> list[Document]: ...

    async def put_version(self, tenant_id: str, document: Document) -> None:
        """Writes version, run, description and state of a document that is there (and locked)."""

    async def claim_document(self, tenant_id: str, document: Document, claim: str) -> Document | None:
        """Takes it for a worker; None if there is nothing to do any more."""

    async def set_progress(self, tenant_id: str, document: Document) -> bool:
        """Writes its state; False if its run is over."""

    async def of_collection(self, tenant_id: str, collection_id: str, names: Sequence[str]) -> set[str]:
        """Those of some names, in small letters, that are ids of documents of the collection."""

    async def present_runs(self, tenant_id: str, document_ids: Sequence[str]) -> dict[str, int]:
        """The present runs of documents that are there. `tenant_id` may be the platform's."""

    async def mark_erased(self, tenant_id: str, erasure_id: str, which: Doomed) -> list[str]:
        """Hides documents at once; their ids."""
