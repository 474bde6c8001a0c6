"""Search: by vectors, by words, or by both, fused and asked once more from nearer to what was found.

The mode by default is the hybrid one: of all that was measured (`make eval`) it finds most.
"""

from dataclasses import dataclass, replace

from rag_service.domain.collections import Collection
from rag_service.domain.filters import Filter
from rag_service.domain.search import Passage, SearchMode
from rag_service.domain.store import Store
from rag_service.domain.usage import Tally
from rag_service.domain.vectors import Embedder, VectorStores
from rag_service.policy.ranking import FEEDBACK, fuse, nearer
from rag_service.policy.terms import terms
from rag_service.service.collections import Collections, bad

CANDIDATES = 200
"""How many each arm contributes at least."""
MAX_TERMS = 64
MARGIN = 50


class Search:
    """Finds passages in one collection."""

    def __init__(
        self, store: Store, vectors: VectorStores, embedder: Embedder, collections: Collections, max_query: int
    ) -> None:
        self._store = store
        self._vectors = vectors
        self._embedder = embedder
        self._collections = collections
        self._max_query = max_query

    async def find(
        self,
        tenant_id: str,
        query: str,
        *,
        top_k: int,
        collection: str,
        wanted: Filter | None,
        mode: SearchMode,
        tally: Tally,
    ) -> list[Passage]:
        """The passages, best first. BadRequest, CollectionNotFound, or what the embedding service fails with."""
        if not 1 <= len(query) <= self._max_query or not query.strip():
            raise bad("query", f"must have 1 to {self._max_query} characters")
        if not 1 <= top_k <= 100:
            raise bad("top_k", "must be from 1 to 100")
        found = await self._collections.find(tenant_id, collection)
        asking = _Asking(tenant_id, found, max(CANDIDATES, top_k), wanted)
        dense: list[tuple[str, float]] = []
        lexical: list[tuple[str, float]] = []
        if mode is not SearchMode.DENSE:
            lexical = await self._by_words(asking, query)
        if mode is not SearchMode.LEXICAL:
            vector = await self._embedder.embed_query(found.embedding_model, query, tally)
            dense = await self._by_vector(asking, vector)
        ranked = dense or lexical
        if mode is SearchMode.HYBRID:
            best = [name for name, _ in fuse((dense, lexical))[:FEEDBACK]]
            again = nearer(vector, await self._vectors[found.vector_store].vectors(tenant_id, found.id, best))
            ranked = fuse((await self._by_vector(asking, again), lexical))
        async with self._store.transaction(tenant_id) as repository:
            # A vector whose chunk is not visible (yet, or any more) is left out: look a little further than top_k.
            passages = await repository.passages(tenant_id, [name for name, _ in ranked[: top_k + MARGIN]])
        cosines = dict(dense)
        visible = [
            replace(passages[name], score=score, cosine=cosines.get(name)) for name, score in ranked if name in passages
        ]
        return visible[:top_k]

    async def _by_words(self, asking: "_Asking", query: str) -> list[tuple[str, float]]:
        asked = dict.fromkeys(list(dict.fromkeys(terms(query)))[:MAX_TERMS], 1.0)
        async with self._store.transaction(asking.tenant_id) as repository:
            return await repository.search_terms(
                asking.tenant_id, asking.collection.id, asked, asking.limit, asking.wanted
            )

    async def _by_vector(self, asking: "_Asking", vector: bytes) -> list[tuple[str, float]]:
        return await self._vectors[asking.collection.vector_store].search(
            asking.tenant_id, asking.collection.id, vector, asking.limit, asking.wanted
        )


@dataclass(frozen=True, slots=True)
class _Asking:
    """Where both arms look, and for how many."""

    tenant_id: str
    collection: Collection
    limit: int
    wanted: Filter | None
