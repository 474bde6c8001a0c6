"""Search in the words of OpenAI's vector stores: several questions, several collections, one list of passages whose
scores are from 0 to 1.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from chassis.together import together
from rag_service.domain.collections import Collection
from rag_service.domain.errors import bad
from rag_service.domain.filters import Filter
from rag_service.domain.search import Found, Passage, SearchMode, Seeking
from rag_service.domain.usage import Tally
from rag_service.service.collections import Collections
from rag_service.service.search import Search

OWN_RANKERS = frozenset(("", "none", "auto", "default-2024-11-15"))
"""What is ranked as the collection is searched by default, which is what was measured to be best."""
MAX_COLLECTIONS = 8
MAX_QUERIES = 8
MOST_RESULTS = 50
DEFAULT_RESULTS = 10
AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class SeekingFiles:
    """What to find, and where."""

    collection_ids: Sequence[str]
    queries: Sequence[str]
    top_k: int = DEFAULT_RESULTS
    filter: Filter | None = None
    score_threshold: float = 0.0
    ranker: str = ""
    """One of the above, or a reranking model's name."""
    rewrite: bool = False


@dataclass(frozen=True, slots=True)
class FoundInFiles:
    """The passages, best first, and what was searched for."""

    passages: Sequence[Passage]
    queries: Sequence[str]


class FileSearch:
    """Over the one search."""

    def __init__(self, search: Search, collections: Collections) -> None:
        self._search = search
        self._collections = collections

    async def find(self, tenant_id: str, seeking: SeekingFiles, tally: Tally) -> FoundInFiles:
        """BadRequest, CollectionNotFound, CollectionExpired, ModelNotConfigured, or what the models fail with."""
        _check(seeking)
        places = [await self._collections.usable(tenant_id, one) for one in dict.fromkeys(seeking.collection_ids)]
        for place in places:
            await self._collections.used(place)
        slots = asyncio.Semaphore(AT_ONCE)

        async def one(place: Collection, query: str) -> tuple[Found, Tally]:
            cost = Tally()
            async with slots:
                return await self._search.find(tenant_id, _asked(seeking, place, query), cost), cost

        searched = await together(*(one(place, query) for place in places for query in seeking.queries))
        best: dict[str, Passage] = {}
        asked: dict[str, None] = {}
        for found, cost in searched:
            tally.lines += cost.lines
            asked[found.query] = None
            for passage in found.passages:
                told = replace(passage, score=_share(passage.score, found.mode, reranked=passage.scores.reranked))
                held = best.get(passage.chunk_id)
                if told.score >= seeking.score_threshold and (held is None or told.score > held.score):
                    best[passage.chunk_id] = told
        passages = sorted(best.values(), key=lambda passage: -passage.score)
        return FoundInFiles(passages[: seeking.top_k], list(asked))


def _asked(seeking: SeekingFiles, place: Collection, query: str) -> Seeking:
    return Seeking(
        query=query,
        top_k=seeking.top_k,
        collection=place.name,
        filter=seeking.filter,
        rewrite=seeking.rewrite,
        rerank="" if seeking.ranker in OWN_RANKERS else seeking.ranker,
    )


def _share(score: float, mode: SearchMode, *, reranked: float | None) -> float:
    """From 0 to 1, in the same order: BM25 has no end of its own, and cosines have a half below 0."""
    if mode is SearchMode.LEXICAL and reranked is None:
        return score / (1 + score)
    return min(max(score, 0.0), 1.0)


def _check(seeking: SeekingFiles) -> None:
    if not 1 <= len(seeking.collection_ids) <= MAX_COLLECTIONS:
        raise bad("vector_store_ids", f"must be 1 to {MAX_COLLECTIONS}")
    if not 1 <= len(seeking.queries) <= MAX_QUERIES:
        raise bad("query", f"must be one text, or 1 to {MAX_QUERIES}")
    if not 1 <= seeking.top_k <= MOST_RESULTS:
        raise bad("max_num_results", f"must be from 1 to {MOST_RESULTS}")
    if not 0 <= seeking.score_threshold <= 1:
        raise bad("ranking_options.score_threshold", "must be from 0 to 1")
