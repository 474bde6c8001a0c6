"""Search: by vectors, by words, or by both, fused and asked once more from nearer to what was found.

How a collection is searched by default is said by the collection; `make eval` and the evaluations route measure it.
"""

import asyncio
import math
from asyncio import Task
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from chassis.flow import Hold
from chassis.together import both
from rag_service.domain.collections import Collection
from rag_service.domain.errors import ModelNotConfigured, bad
from rag_service.domain.filters import Filter
from rag_service.domain.search import Found, Gleaned, LetThrough, Passage, Reranker, Scores, SearchMode, Seeking
from rag_service.domain.store import Repository, Store
from rag_service.domain.usage import Tally
from rag_service.domain.vectors import Embedder, VectorStores
from rag_service.policy.ranking import (
    FEEDBACK,
    FEEDBACK_COMMON,
    best_of_documents,
    diverse,
    expanded,
    fuse,
    nearer,
    reranked,
)
from rag_service.policy.terms import terms
from rag_service.service.collections import Collections
from rag_service.service.rewriting import Rewriting

MAX_TERMS = 64
MARGIN = 50
"""A vector whose chunk is not visible (yet, or any more) is left out: so many more than asked are looked at."""
WIDTHS = (1, 1, 4, 16)
"""How often it is looked again, and how far, where too few are visible: vectors of a version that is being ingested
take the places, or a version was swapped in between ranking and reading.
"""
LOOKED_UP = 5
"""So many vectors of known documents are looked at in the time in which an index comes to one more: 4 µs beside 22."""
SWAPS_FOLLOWED = 2
"""So often a search begins anew because of a swap, so that it sees one version, whole."""

REMEMBERED = 10_000
"""Collections of which it is known what embeds their questions."""

Begun = tuple[Task[bytes], Tally]
Ranking = list[tuple[str, float]]


@dataclass(frozen=True, slots=True)
class SearchRules:
    """Bounds. `candidates`: how many each arm contributes at least where both are fused, and how many passages are
    there to choose from for diversity and documents; `reranked`: how many a model orders anew.
    """

    max_query: int = 4000
    max_top_k: int = 100
    candidates: int = 200
    reranked: int = 50
    rerank_model: str = ""


@dataclass(frozen=True, slots=True)
class _Asking:
    """Where both arms look, and for how many."""

    tenant_id: str
    collection: Collection
    limit: int
    wanted: Filter | None
    among: Sequence[str] | None
    """The documents that it lets through, where they are known and few."""
    begun: Begun | None
    gleaned: Gleaned = field(default_factory=lambda: Gleaned(FEEDBACK_COMMON))


@dataclass(frozen=True, slots=True)
class Models:
    """What reads queries and texts."""

    embedder: Embedder
    reranker: Reranker
    rewriting: Rewriting


class Search:
    """Finds passages in one collection."""

    def __init__(
        self, store: Store, vectors: VectorStores, models: Models, collections: Collections, rules: SearchRules
    ) -> None:
        self._store = store
        self._vectors = vectors
        self._models = models
        self._collections = collections
        self._rules = rules
        self._known: dict[tuple[str, str], Collection] = {}

    async def find(self, tenant_id: str, seeking: Seeking, tally: Tally, admission: Hold = None) -> Found:
        """BadRequest, CollectionNotFound, ModelNotConfigured, or what the models fail with. `admission`: until then
        nothing is asked but the service's own tables for the collection.
        """
        self._check(seeking)
        tally.stage = "search"
        there = None
        if admission is not None:
            there = await self._collections.there(tenant_id, seeking.collection)
            await admission
        with self._embedding(tenant_id, seeking, there) as begun:
            collection = there or await self._collections.find(tenant_id, seeking.collection)
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[tenant_id, seeking.collection] = collection
            return await self._find(collection, seeking, tally, begun)

    @contextmanager
    def _embedding(self, tenant_id: str, seeking: Seeking, there: Collection | None) -> Iterator[Begun | None]:
        """The question's vector, begun while its collection is looked up, where that was met before: what embeds its
        questions stays. It costs the caller nothing until somebody wants it.
        """
        known = there or self._known.get((tenant_id, seeking.collection))
        mode = seeking.mode or (known and known.default_mode)
        if known is None or seeking.rewrite or seeking.filter or mode is SearchMode.LEXICAL:
            yield None
            return
        cost = Tally(stage="search")
        begun = asyncio.create_task(self._models.embedder.embed_query(known.embedding_model, seeking.query, cost))
        try:
            yield begun, cost
        finally:
            begun.cancel()
            # Whoever wanted it has met its error; who failed before does not want it any more.
            begun.add_done_callback(lambda task: task.cancelled() or task.exception())

    async def _find(self, collection: Collection, seeking: Seeking, tally: Tally, begun: Begun | None) -> Found:
        tenant_id, query = collection.tenant_id, seeking.query
        if seeking.rewrite:
            tally.stage = "condense"
            query = (await self._models.rewriting.rewritten(query, tally))[-self._rules.max_query :]
            tally.stage = "search"
        mode = seeking.mode or collection.default_mode
        chosen = seeking.diversity > 0 or seeking.by_document
        wide = mode is SearchMode.HYBRID or chosen or seeking.score_threshold > 0
        most = max(self._rules.candidates, seeking.top_k) if wide else seeking.top_k + MARGIN
        through = await self._let_through(tenant_id, collection, most, seeking.filter)
        if through is not None and not through.documents:
            return Found([], query, mode)
        asking = _Asking(tenant_id, collection, most, seeking.filter, None, begun)
        if through is not None:
            asking = replace(asking, among=through.documents)
            asking.gleaned.numbers = through.numbers
        judged = max(self._rules.reranked, seeking.top_k) if seeking.rerank else seeking.top_k
        read = most if chosen else judged
        passages = await self._passages(asking, query, mode, (seeking.top_k, read), tally)
        passages = await self._reranked(seeking, query, passages, tally)
        if seeking.score_threshold > 0:
            passages = [passage for passage in passages if passage.score >= seeking.score_threshold]
        if seeking.by_document:
            passages = best_of_documents(passages)
        if seeking.diversity > 0:
            passages = await asyncio.to_thread(diverse, passages, seeking.top_k, seeking.diversity)
        return Found(passages[: seeking.top_k], query, mode)

    async def _let_through(
        self, tenant_id: str, collection: Collection, limit: int, wanted: Filter | None
    ) -> LetThrough | None:
        """The documents that a filter lets through, if looking at all of theirs is cheaper than asking an index for the
        best of all and leaving out the others: to find `limit`, that looks at `limit` / (theirs / all).
        """
        if wanted is None:
            return None
        place = tenant_id, collection.id
        async with self._store.transaction(tenant_id) as repository:
            most = math.isqrt(LOOKED_UP * limit * (await repository.collection_size(*place)).chunks)
            return await repository.documents_let_through(*place, wanted, most)

    async def _passages(
        self, asking: _Asking, query: str, mode: SearchMode, counts: tuple[int, int], tally: Tally
    ) -> list[Passage]:
        """With what each stage gave them; at least so many, if there are, of so many that are read at first."""
        least, read = counts
        place, swaps = (asking.tenant_id, asking.collection.id), asking.collection.swaps
        for attempt, width in enumerate(WIDTHS):
            wide = replace(asking, limit=asking.limit * width)
            dense, lexical, ranked = await self._ranked(wide, query, mode, tally)
            asked = [name for name, _ in ranked[: wide.limit]]
            async with self._store.transaction(asking.tenant_id) as repository:
                found, now = await repository.passages(asking.tenant_id, asked[:read]), swaps
                # Where all are visible, none was of a version that is not there any more.
                if len(found) < len(asked[:read]):
                    found |= await repository.passages(asking.tenant_id, asked[read:])
                    now = await repository.swaps(*place)
            seen = {swaps, now} | asking.gleaned.swaps
            swaps = max(seen)
            if len(seen) > 1 and attempt < SWAPS_FOLLOWED:
                asking = replace(asking, gleaned=Gleaned(FEEDBACK_COMMON))
            elif len(found) >= min(least, len(ranked)):
                break
            tally = Tally()  # to look again is not the caller's cost
        cosines, words = dict(dense), dict(lexical)
        fused = mode is SearchMode.HYBRID
        return [
            replace(
                found[name],
                score=score,
                scores=Scores(cosines.get(name), words.get(name), score if fused else None),
            )
            for name, score in ranked
            if name in found
        ]

    async def _ranked(
        self, asking: _Asking, query: str, mode: SearchMode, tally: Tally
    ) -> tuple[Ranking, Ranking, Ranking]:
        """(by vectors, by words, the order)."""
        asked = list(dict.fromkeys(terms(query)))[:MAX_TERMS]
        if mode is SearchMode.LEXICAL:
            lexical = await self._by_words(asking, asked)
            return [], lexical, lexical
        if mode is SearchMode.DENSE:
            _, dense = await self._embedded(asking, query, tally)
            return dense, [], dense
        by_words, by_vector = self._by_words(asking, asked), self._embedded(asking, query, tally)
        lexical, (vector, dense) = await both(by_words, by_vector)
        again = await self._again(asking, vector, asked, [name for name, _ in fuse((dense, lexical))[:FEEDBACK]])
        return dense, lexical, fuse(again)

    async def _embedded(self, asking: _Asking, query: str, tally: Tally) -> tuple[bytes, Ranking]:
        if asking.begun:
            begun, cost = asking.begun
            vector = await begun
            tally.lines += cost.lines
        else:
            vector = await self._models.embedder.embed_query(asking.collection.embedding_model, query, tally)
        return vector, await self._by_vector(asking, vector)

    async def _again(
        self, asking: _Asking, vector: bytes, asked: Sequence[str], best: Sequence[str]
    ) -> tuple[Ranking, Ranking]:
        """Both arms asked from nearer to what is best: with its vectors, and with its words."""
        if not best:
            return [], []
        return await both(self._nearer(asking, vector, best), self._expanded(asking, asked, best))

    async def _nearer(self, asking: _Asking, vector: bytes, best: Sequence[str]) -> Ranking:
        store = self._vectors[asking.collection.vector_store]
        held = await store.vectors(asking.tenant_id, asking.collection.id, best)
        return await self._by_vector(asking, nearer(vector, held))

    async def _expanded(self, asking: _Asking, asked: Sequence[str], best: Sequence[str]) -> Ranking:
        async with self._store.transaction(asking.tenant_id, snapshot=True) as repository:
            found = await repository.passages(asking.tenant_id, best)
            texts = [f"{found[name].title} {found[name].text}" for name in best if name in found]
            weights = expanded(asked, texts)
            return await self._by_terms(repository, asking, weights, weights.keys() - set(asked))

    async def _reranked(self, seeking: Seeking, query: str, passages: list[Passage], tally: Tally) -> list[Passage]:
        """The first of them in the order of a model; those behind are left out, since nobody judged them."""
        if not seeking.rerank or not passages:
            return passages
        model = self._rules.rerank_model if seeking.rerank == "default" else seeking.rerank
        if not model:
            raise ModelNotConfigured("No reranking model is configured (AI_PLATFORM_RAG__RERANK_MODEL).")
        tally.stage = "rerank"
        first = passages[: max(self._rules.reranked, seeking.top_k)]
        texts = ["\n".join(filter(None, (passage.title, passage.text))) for passage in first]
        return reranked(first, await self._models.reranker.rerank(model, query, texts, tally))

    async def _by_words(self, asking: _Asking, asked: Sequence[str]) -> Ranking:
        # Of one moment: what the postings tell of is there to be named, whatever is swapped in meanwhile.
        async with self._store.transaction(asking.tenant_id, snapshot=True) as repository:
            return await self._by_terms(repository, asking, dict.fromkeys(asked, 1.0))

    async def _by_terms(
        self, repository: Repository, asking: _Asking, asked: dict[str, float], rare: AbstractSet[str] = frozenset()
    ) -> Ranking:
        place = asking.tenant_id, asking.collection.id, asked
        return await repository.search_terms(
            *place, asking.limit, asking.wanted, asking.among, gleaned=asking.gleaned, rare=rare
        )

    async def _by_vector(self, asking: _Asking, vector: bytes) -> Ranking:
        return await self._vectors[asking.collection.vector_store].search(
            asking.tenant_id, asking.collection.id, vector, asking.limit, asking.wanted, asking.among
        )

    def _check(self, seeking: Seeking) -> None:
        if not 1 <= len(seeking.query) <= self._rules.max_query or not seeking.query.strip():
            raise bad("query", f"must have 1 to {self._rules.max_query} characters")
        if not 1 <= seeking.top_k <= self._rules.max_top_k:
            raise bad("top_k", f"must be from 1 to {self._rules.max_top_k}")
        if not 0 <= seeking.diversity <= 1:
            raise bad("diversity", "must be from 0 to 1")
        if not 0 <= seeking.score_threshold < float("inf"):
            raise bad("score_threshold", "must be 0 or more")
