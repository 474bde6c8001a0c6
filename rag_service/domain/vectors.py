"""Vectors of chunks, where they come from and where they are kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from rag_service.domain.filters import Filter
from rag_service.domain.usage import Tally


@dataclass(frozen=True, slots=True)
class ChunkVector:
    """A chunk's vector (little-endian float32, length 1) with what a store filters by."""

    chunk_id: str
    document_id: str
    vector: bytes
    metadata: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StoreCapabilities:
    """What a vector store does its own way. The filter language is the same everywhere."""

    tenancy: str
    """What keeps tenants apart."""
    exact: bool
    """Whether a search looks at every vector; otherwise it asks an approximate index."""
    reads_own_writes: bool
    """Whether a write that returned is seen by the next search; otherwise `visible` waits."""
    most_results: int
    most_rows: int
    """Of one upsert."""

    def told(self) -> list[str]:
        """As clients are told."""
        named = ["dense", "filter", "exact" if self.exact else "approximate", f"tenancy:{self.tenancy}"]
        return [*named, "read-your-writes" if self.reads_own_writes else "read-your-writes:waits"]


class VectorStore(Protocol):
    """Dense search by cosine. Nothing can be asked of it without a tenant. VectorStoreUnavailable."""

    capabilities: StoreCapabilities

    async def upsert(self, tenant_id: str, collection_id: str, rows: Sequence[ChunkVector]) -> None:
        """Writes rows of one length; a chunk that is there already is replaced."""

    async def visible(self, tenant_id: str, collection_id: str, rows: Sequence[ChunkVector]) -> None:
        """Returns when a search sees these rows, of one length."""

    async def search(
        self,
        tenant_id: str,
        collection_id: str,
        vector: bytes,
        limit: int,
        wanted: Filter | None,
        among: Sequence[str] | None = None,
    ) -> list[tuple[str, float]]:
        """(chunk id, cosine), best first. `among`: the documents that `wanted` lets through, where somebody knows that
        they are few; a store that can look at theirs alone does.
        """

    async def vectors(self, tenant_id: str, collection_id: str, chunk_ids: Sequence[str]) -> list[bytes]:
        """Those of some chunks, in any order; of those that are not there none."""

    async def sample(self, tenant_id: str, document_id: str, limit: int) -> list[tuple[str, bytes]]:
        """(chunk id, vector) of some of a document's chunks."""

    async def delete_chunks(self, tenant_id: str, chunk_ids: Sequence[str]) -> None:
        """Returns when no search sees them."""

    async def delete_document(self, tenant_id: str, document_id: str) -> None:
        """Returns when no search sees any of its chunks."""

    async def erase(self, tenant_id: str) -> None:
        """Removes all that a tenant has."""

    async def check(self) -> None:
        """Returns if it answers."""

    async def close(self) -> None:
        """Lets go of its connections."""


class VectorStores(Protocol):
    """The stores that there are, by name; a collection names its own."""

    def __getitem__(self, name: str) -> VectorStore:
        """The store of that name; VectorStoreUnavailable if it is not configured (any more)."""

    @property
    def default(self) -> str:
        """The name of the store that new collections get."""

    @property
    def names(self) -> Sequence[str]:
        """Those that are configured."""


class Embedder(Protocol):
    """Texts into vectors."""

    async def embed_documents(self, model: str, texts: Sequence[str], tally: Tally) -> list[bytes]: ...

    async def embed_query(self, model: str, text: str, tally: Tally) -> bytes: ...

    async def forget(self, model: str, texts: Sequence[str]) -> int:
        """Their vectors are not kept (any more); how many were."""
