"""What is searched for, what a search finds, and the queries and models that find it."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

from rag_service.domain.filters import Filter
from rag_service.domain.usage import Tally


class SearchMode(Enum):
    """How to search."""

    DENSE = "dense"
    LEXICAL = "lexical"
    HYBRID = "hybrid"


@dataclass(frozen=True, slots=True)
class Seeking:
    """What to find, and how."""

    query: str
    top_k: int = 5
    collection: str = ""
    filter: Filter | None = None
    mode: SearchMode | None = None
    """None: as the collection says."""
    score_threshold: float = 0.0
    diversity: float = 0.0
    by_document: bool = False
    rewrite: bool = False
    rerank: str = ""
    """A reranking model; `default` means the configured one."""


@dataclass(frozen=True, slots=True)
class Scores:
    """What each stage gave a passage; None where it did not see it."""

    dense: float | None = None
    lexical: float | None = None
    fused: float | None = None
    reranked: float | None = None


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk that was found."""

    document_id: str
    chunk_id: str
    title: str
    text: str
    page: int
    start: int
    end: int
    metadata: Mapping[str, Any]
    version: int = 1
    """The document's."""
    score: float = 0.0
    """Of the last stage."""
    scores: Scores = field(default_factory=Scores)
    heading: str = ""
    """That it stands under, with those above."""
    file_id: str = ""
    """The file that the document was made of, or the document's own id."""
    file_name: str = ""
    """The file's, or the document's title."""


@dataclass(frozen=True, slots=True)
class Found:
    """The passages, best first, what was searched for, and how."""

    passages: Sequence[Passage]
    query: str
    mode: SearchMode


@dataclass(frozen=True, slots=True)
class Size:
    """Of a collection: its chunks, and the terms of all of them."""

    chunks: int
    words: int


@dataclass(slots=True)
class Gleaned:
    """What one search has read of the words of a collection: its next question by words reads only what is new. How it
    is kept is the repository's.
    """

    common: int = 0
    """Chunks that may have a rare term."""
    moment: tuple[int, ...] | None = None
    """What the collection was then; what was read of another is not of use any more."""
    terms: dict[str, Any] = field(default_factory=dict)
    numbers: Any = None
    """Of the chunks that the filter lets through, where they are known."""
    swaps: set[int] = field(default_factory=set)
    """How many swaps the collection had seen when it was read; more than one number: its questions are of different
    moments.
    """

    def forget(self) -> None:
        """All but what was asked: the collection is not what it was."""
        self.moment, self.terms, self.numbers = None, {}, None


@dataclass(frozen=True, slots=True)
class LetThrough:
    """The documents that a filter lets through, and the numbers of their chunks, as the repository keeps them."""

    documents: Sequence[str]
    numbers: Any


class Reranker(Protocol):
    """A model that judges texts by a query."""

    async def rerank(self, model: str, query: str, texts: Sequence[str], tally: Tally) -> list[float]:
        """From 0 to 1, in the texts' order."""


class SearchQueries(Protocol):
    """By words."""

    async def passages(self, tenant_id: str, chunk_ids: Sequence[str]) -> dict[str, Passage]: ...

    async def search_terms(
        self,
        tenant_id: str,
        collection_id: str,
        terms: Mapping[str, float],
        limit: int,
        wanted: Filter | None,
        among: Sequence[str] | None = None,
        *,
        gleaned: Gleaned | None = None,
        rare: AbstractSet[str] = frozenset(),
    ) -> list[tuple[str, float]]:
        """(chunk id, BM25), best first; each term counts as its weight says. `among`: the documents that `wanted` lets
        through, where they are known. `gleaned`: what the search has read before. `rare`: terms that count only where
        no more than `gleaned.common` chunks have them.
        """

    async def collection_size(self, tenant_id: str, collection_id: str) -> Size:
        """What is searchable."""

    async def documents_let_through(
        self, tenant_id: str, collection_id: str, wanted: Filter, most: int
    ) -> LetThrough | None:
        """Those that a filter lets through, where an index tells them and they have no more than `most` chunks."""
