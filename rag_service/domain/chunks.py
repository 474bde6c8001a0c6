"""Chunks of documents, and the queries on them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from rag_service.domain.documents import Document


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


class ChunkQueries(Protocol):
    """On the chunks of a tenant's documents."""

    async def replace_chunks(self, tenant_id: str, document: Document, chunks: Sequence[Chunk]) -> bool:
        """Swaps the document's chunks and marks it ready; False if it was deleted meanwhile."""
