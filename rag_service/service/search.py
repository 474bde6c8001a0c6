"""Search: by vectors, by words, or by both, fused."""

from dataclasses import replace

from rag_service.domain.filters import Filter
from rag_service.domain.search import Passage, SearchMode
from rag_service.domain.store import Store
from rag_service.domain.usage import Tally
from rag_service.domain.vectors import Embedder, VectorStore
from rag_service.policy.ranking import fuse
from rag_service.policy.terms import terms
from rag_service.service.collections import Collections, bad

CANDIDATES = 50
"""How many each arm contributes at least."""
MAX_TERMS = 64


class Search:
    """Finds passages in one collection."""

    def __init__(
        self, store: Store, vectors: VectorStore, embedder: Embedder, collections: Collections, max_query: int
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
        limit = max(CANDIDATES, top_k)
        dense: list[tuple[str, float]] = []
        lexical: list[tuple[str, float]] = []
        if mode is not SearchMode.LEXICAL:
            vector = await self._embedder.embed_query(found.embedding_model, query, tally)
            dense = await self._vectors.search(tenant_id, found.id, vector, limit, wanted)
        async with self._store.transaction(tenant_id) as repository:
            if mode is not SearchMode.DENSE:
                asked = list(dict.fromkeys(terms(query)))[:MAX_TERMS]
                lexical = await repository.search_terms(tenant_id, found.id, asked, limit, wanted)
            ranked = fuse((dense, lexical)) if mode is SearchMode.HYBRID else dense or lexical
            # A vector whose chunk is not visible (yet, or any more) is left out: look a little further than top_k.
            passages = await repository.passages(tenant_id, [name for name, _ in ranked[: top_k + CANDIDATES]])
        cosines = dict(dense)
        visible = [
            replace(passages[name], score=score, cosine=cosines.get(name)) for name, score in ranked if name in passages
        ]
        return visible[:top_k]
