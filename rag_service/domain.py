"""The nouns of retrieval, the ports through which the service reaches the world, and its errors.

NotFound            CollectionNotFound, DocumentNotFound
AlreadyExists       CollectionExists
InvalidArgument     EmptyDocument, DocumentTooLarge, BadFilter, BadRequest
FailedPrecondition  TextNotReady
Unavailable         VectorStoreUnavailable
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

from chassis.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound, Unavailable

DEFAULT_COLLECTION = "default"


class CollectionNotFound(NotFound):
    reason = "COLLECTION_NOT_FOUND"
    message = "There is no such collection."


class CollectionExists(AlreadyExists):
    reason = "COLLECTION_EXISTS"
    message = "There is a collection of this name."


class DocumentNotFound(NotFound):
    reason = "DOCUMENT_NOT_FOUND"
    message = "There is no such document."


class EmptyDocument(InvalidArgument):
    reason = "EMPTY_DOCUMENT"
    message = "The document is empty."


class DocumentTooLarge(InvalidArgument):
    reason = "DOCUMENT_TOO_LARGE"
    message = "The document is larger than allowed."


class BadFilter(InvalidArgument):
    reason = "BAD_FILTER"
    message = "The filter cannot be read."


class BadRequest(InvalidArgument):
    reason = "BAD_REQUEST"
    message = "A field is out of bounds."


class TextNotReady(FailedPrecondition):
    reason = "TEXT_NOT_READY"
    message = "The document's text is not there yet."


class VectorStoreUnavailable(Unavailable):
    reason = "VECTOR_STORE_UNAVAILABLE"
    message = "The vector store does not answer at the moment; try again soon."


class ExtractionFailed(Exception):  # a finding about a document, not an error of a call
    """A document from which no text can be had; the text says why."""


class DocumentStatus(Enum):
    """How far a document's ingestion is."""

    QUEUED = "queued"
    RUNNING = "running"
    READY = "ready"
    FAILED = "failed"
    CANCELLED = "cancelled"


class SearchMode(Enum):
    """How to search."""

    DENSE = "dense"
    LEXICAL = "lexical"
    HYBRID = "hybrid"


class Grounding(Enum):
    """What to do where the documents say nothing."""

    REQUIRED = "required"
    PREFERRED = "preferred"


class AnswerState(Enum):
    """How far the documents carry an answer."""

    ANSWERED = "answered"
    PARTIAL = "partial"
    ABSTAINED = "abstained"
    UNGROUNDED = "ungrounded"


@dataclass(frozen=True, slots=True)
class Collection:
    """A set of documents with one vector store and one embedding model."""

    id: str
    tenant_id: str
    name: str
    description: str
    vector_store: str
    embedding_model: str
    created_at: datetime
    documents: int = 0


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


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a document's text; `start` and `end` count code points."""

    id: str
    ordinal: int
    text: str
    start: int
    end: int
    page: int
    heading: str
    terms: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk that was found. `cosine` where the dense arm saw it."""

    document_id: str
    chunk_id: str
    title: str
    text: str
    page: int
    start: int
    end: int
    metadata: Mapping[str, Any]
    score: float = 0.0
    cosine: float | None = None


@dataclass(frozen=True, slots=True)
class Citation:
    """A place in a document; `quote` equals its text from `start` to `end`."""

    number: int
    document_id: str
    chunk_id: str
    title: str
    page: int
    start: int
    end: int
    quote: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation: role system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class UsedLine:
    """An amount used, as the service that did the work told it."""

    service: str
    model: str
    provider: str
    unit: int
    amount: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and how to answer."""

    messages: tuple[Message, ...]
    collection: str = DEFAULT_COLLECTION
    model: str = ""
    top_k: int = 5
    filter: "Filter | None" = None
    grounding: Grounding = Grounding.REQUIRED


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, what it rests on, and what it took."""

    id: str
    state: AnswerState
    content: str
    citations: tuple[Citation, ...]
    model: str
    used: tuple[UsedLine, ...]


@dataclass(frozen=True, slots=True)
class Condition:
    """A comparison of a field of the metadata: eq ne gt gte lt lte in nin."""

    op: str
    field: str
    value: Any


@dataclass(frozen=True, slots=True)
class Group:
    """Filters joined by and, or."""

    op: str
    filters: tuple["Filter", ...]


Filter = Condition | Group


@dataclass(slots=True)
class Tally:
    """Collects what a call used in other services."""

    lines: list[UsedLine] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ChunkVector:
    """A chunk's vector (little-endian float32) with what a store filters by."""

    chunk_id: str
    document_id: str
    vector: bytes
    metadata: Mapping[str, Any]


class VectorStore(Protocol):
    """Dense search. Nothing can be asked of it without a tenant."""

    async def upsert(self, tenant_id: str, collection_id: str, vectors: Sequence[ChunkVector]) -> None: ...

    async def search(
        self, tenant_id: str, collection_id: str, vector: bytes, limit: int, wanted: Filter | None
    ) -> list[tuple[str, float]]:
        """(chunk id, cosine), best first."""

    async def delete_document(self, tenant_id: str, document_id: str, keep: Sequence[str] = ()) -> None:
        """Removes a document's vectors, but for those of the chunks to keep."""

    async def check(self) -> None:
        """Returns if it answers; VectorStoreUnavailable."""


class Embedder(Protocol):
    """Texts into vectors."""

    async def embed_documents(self, model: str, texts: Sequence[str], tally: Tally) -> list[bytes]: ...

    async def embed_query(self, model: str, text: str, tally: Tally) -> bytes: ...


class Answerer(Protocol):
    """A language model."""

    def stream(
        self, model: str, messages: Sequence[Message], max_tokens: int, tally: Tally
    ) -> AsyncGenerator[str, None]:
        """Words as they come."""


class Meter(Protocol):
    """Admission of a job's step."""

    async def reserve(self, tokens: int) -> str:
        """A lease; ResourceExhausted."""

    async def settle(self, lease_id: str, tally: Tally) -> None: ...


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


class Repository(Protocol):
    """Queries of one transaction of one tenant."""

    async def add_collection(self, collection: Collection) -> None:
        """CollectionExists."""

    async def find_collection(self, tenant_id: str, name: str) -> Collection | None: ...

    async def list_collections(
        self, tenant_id: str, size: int, after: tuple[str | int, ...] | None
    ) -> list[Collection]: ...

    async def add_document(self, document: Document) -> None: ...

    async def enqueue(self, kind: str, payload: Mapping[str, Any]) -> None:
        """A job, under the calling context."""

    async def get_document(self, tenant_id: str, document_id: str) -> Document | None: ...

    async def list_documents(
        self, tenant_id: str, collection_id: str, size: int, after: tuple[str | int, ...] | None
    ) -> list[Document]: ...

    async def set_progress(
        self, tenant_id: str, document_id: str, status: DocumentStatus, stage: str, progress: int, error: str = ""
    ) -> bool:
        """Whether the document is (still) there."""

    async def replace_chunks(self, tenant_id: str, document: Document, chunks: Sequence[Chunk]) -> bool:
        """Swaps the document's chunks and marks it ready; False if it was deleted meanwhile."""

    async def delete_document(self, tenant_id: str, document_id: str) -> bool: ...

    async def passages(self, tenant_id: str, chunk_ids: Sequence[str]) -> dict[str, Passage]: ...

    async def search_terms(
        self, tenant_id: str, collection_id: str, terms: Sequence[str], limit: int, wanted: Filter | None
    ) -> list[tuple[str, float]]:
        """(chunk id, BM25), best first."""


class Store(Protocol):
    """Opens transactions."""

    def transaction(self, tenant_id: str) -> AbstractAsyncContextManager[Repository]:
        """Sees one tenant's rows."""
