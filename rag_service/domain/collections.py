"""Collections, and the queries on them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

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
    documents: int = 0


class CollectionQueries(Protocol):
    """On a tenant's collections."""

    async def add_collection(self, collection: Collection) -> None:
        """CollectionExists."""

    async def find_collection(self, tenant_id: str, name: str) -> Collection | None: ...

    async def list_collections(
        self, tenant_id: str, size: int, after: tuple[str | int, ...] | None
    ) -> list[Collection]: ...
