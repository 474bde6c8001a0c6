"""Collections, and the queries on them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from chassis.pagination import IdPage
from rag_service.domain.documents import Chunking, Counts
from rag_service.domain.search import SearchMode

DEFAULT_COLLECTION = "default"


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
    default_mode: SearchMode = SearchMode.HYBRID
    chunking: Chunking = field(default_factory=Chunking)
    counts: Counts = field(default_factory=Counts)
    """Of its documents, where they were counted."""
    bytes: int = 0
    """Of their originals, likewise."""
    swaps: int = 0
    """How many versions of documents were swapped in so far."""
    title: str = ""
    """What people call it; may be empty."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    expire_days: int = 0
    """After so many days without use its documents are deleted; 0: never."""
    active_at: datetime | None = None
    """When it was last used as a vector store, if ever."""

    @property
    def documents(self) -> int:
        """How many it has, where they were counted."""
        return self.counts.going_on + self.counts.ready + self.counts.failed + self.counts.cancelled

    @property
    def expires_at(self) -> datetime | None:
        """When its documents are deleted, if it is not used any more."""
        if not self.expire_days:
            return None
        return (self.active_at or self.created_at) + timedelta(days=self.expire_days)


@dataclass(frozen=True, slots=True)
class CollectionChange:
    """What is to be another of a collection; None: nothing."""

    description: str | None = None
    default_mode: SearchMode | None = None
    title: str | None = None
    metadata: Mapping[str, str] | None = None
    expire_days: int | None = None


class CollectionQueries(Protocol):
    """On a tenant's collections. Those that are being erased are not there any more."""

    async def add_collection(self, collection: Collection) -> None:
        """CollectionExists."""

    async def find_collection(self, tenant_id: str, name: str, *, counted: bool = False) -> Collection | None:
        """Its documents are not counted."""

    async def get_collection(self, tenant_id: str, collection_id: str, *, counted: bool = False) -> Collection | None:
        """By its id."""

    async def hold_collection(self, tenant_id: str, collection_id: str) -> bool:
        """Whether it is there; it stays so until the transaction ends."""

    async def set_collection(self, tenant_id: str, name: str, change: CollectionChange) -> None: ...

    async def set_active(self, tenant_id: str, collection_id: str, at: datetime) -> None:
        """It was used."""

    async def mark_collection_erased(self, tenant_id: str, erasure_id: str, collection_id: str) -> bool:
        """Hides it at once, and frees its name; whether it was there."""

    async def swaps(self, tenant_id: str, collection_id: str) -> int:
        """How many versions were swapped in by now."""

    async def list_collections(
        self, tenant_id: str, size: int, after: tuple[str | int, ...] | None
    ) -> list[Collection]: ...

    async def page_of_collections(self, tenant_id: str, page: IdPage) -> tuple[list[Collection], bool]:
        """And whether there are more. InvalidCursor."""
