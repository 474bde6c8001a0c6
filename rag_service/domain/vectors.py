"""Vectors of chunks, where they come from and where they are kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from rag_service.domain.filters import Filter
from rag_service.domain.usage import Tally


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

    async def vectors(self, tenant_id: str, collection_id: str, chunk_ids: Sequence[str]) -> list[bytes]:
        """Those of some chunks, in any order; of those that are not there none."""

    async def delete_document(self, tenant_id: str, document_id: str, keep: Sequence[str] = ()) -> None:
        """Removes a document's vectors, but for those of the chunks to keep."""

    async def check(self) -> None:
        """Returns if it answers; VectorStoreUnavailable."""


class Embedder(Protocol):
    """Texts into vectors."""

    async def embed_documents(self, model: str, texts: Sequence[str], tally: Tally) -> list[bytes]: ...

    async def embed_query(self, model: str, text: str, tally: Tally) -> bytes: ...
