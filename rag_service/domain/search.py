"""What a search finds, and the queries that find it by words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from rag_service.domain.filters import Filter


class SearchMode(Enum):
    """How to search."""

    DENSE = "dense"
    LEXICAL = "lexical"
    HYBRID = "hybrid"


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


class SearchQueries(Protocol):
    """By words."""

    async def passages(self, tenant_id: str, chunk_ids: Sequence[str]) -> dict[str, Passage]: ...

    async def search_terms(
        self, tenant_id: str, collection_id: str, terms: Mapping[str, float], limit: int, wanted: Filter | None
    ) -> list[tuple[str, float]]:
        """(chunk id, BM25), best first; each term counts as its weight says."""
