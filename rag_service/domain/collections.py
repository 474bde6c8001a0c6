"""Collections, and the queries on them."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from rag_service.domain.documents import Chunking
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
    documents: int = 0
    """Where they were counted."""
    swaps: int = 0
    """How many versions of documents were swapped in so far."""


class CollectionQueries(Protocol):
    """On a tenant's collections."""

    async def add_collection(self, collection: Collection) -> None:
        """CollectionExists."""

    async def find_collection(self, tenant_id: str, name: str, *, counted: bool = False) -> Collection | None:
        """Its documents are not counted."""

    async def set_collection(self, tenant_id: str, name: str, description: str | None, mode: SearchMode | None) -> bool:
        """Changes what is not None; whether it is there."""

    async def swaps(self, tenant_id: str, collection_id: str) -> int:
        """How many versions were swapped in by now."""

    async def list_collections(
        self, tenant_id: str, size: int, after: tuple[str | int, ...] | None
    ) -> list[Collection]: ...
