"""Evaluation: the same search as everybody's, over questions whose relevant documents are known."""

import asyncio
from collections.abc import Sequence

from chassis.together import together
from rag_service.domain.collections import Collection, CollectionChange
from rag_service.domain.errors import bad
from rag_service.domain.evaluation import Evaluation, JudgedQuery, Quality
from rag_service.domain.search import SearchMode, Seeking
from rag_service.domain.store import Store
from rag_service.domain.usage import Tally
from rag_service.policy.evaluation import RECALL_TO, mean, quality, ranked_documents
from rag_service.service.collections import Collections
from rag_service.service.search import Search

MAX_RELEVANT = 1000
MOST_TOLD = 20
"""Of documents that are not there."""
AT_ONCE = 4
"""Searches of one evaluation under way; others want to search too."""


class Evaluations:
    """Measures search."""

    def __init__(self, store: Store, search: Search, collections: Collections, max_queries: int) -> None:
        self._store = store
        self._search = search
        self._collections = collections
        self._max_queries = max_queries

    async def run(
        self,
        tenant_id: str,
        collection: str,
        queries: Sequence[JudgedQuery],
        modes: Sequence[SearchMode],
        tally: Tally,
        *,
        apply: bool = False,
    ) -> Evaluation:
        """The modes, best first; if `apply`, the best becomes the collection's default. BadRequest, CollectionNotFound,
        or what search fails with.
        """
        if not 1 <= len(queries) <= self._max_queries:
            raise bad("queries", f"must have 1 to {self._max_queries} items")
        if not all(1 <= len(item.document_ids) <= MAX_RELEVANT for item in queries):
            raise bad("queries", f"must each name 1 to {MAX_RELEVANT} documents")
        found = await self._collections.find(tenant_id, collection)
        await self._check_known(tenant_id, found, queries)
        turns = asyncio.Semaphore(AT_ONCE)

        async def judge(judged: JudgedQuery, mode: SearchMode) -> Quality:
            async with turns:
                seeking = Seeking(judged.query, RECALL_TO, collection, mode=mode, by_document=True)
                told = await self._search.find(tenant_id, seeking, tally)
            ranked = ranked_documents(passage.document_id for passage in told.passages)
            return quality(ranked, frozenset(map(str.lower, judged.document_ids)))

        measured = [
            (mode, mean(await together(*(judge(judged, mode) for judged in queries)))) for mode in dict.fromkeys(modes)
        ]
        measured.sort(key=lambda row: -row[1].ndcg_at_10)
        if apply:
            found = await self._collections.change(tenant_id, collection, CollectionChange(default_mode=measured[0][0]))
        return Evaluation(measured, found.vector_store, found.embedding_model, found.default_mode)

    async def _check_known(self, tenant_id: str, collection: Collection, queries: Sequence[JudgedQuery]) -> None:
        """BadRequest for documents that are not there: counted as misses they would tell the golden set's age."""
        named = {name.lower() for item in queries for name in item.document_ids}
        async with self._store.transaction(tenant_id) as repository:
            unknown = sorted(named - await repository.of_collection(tenant_id, collection.id, sorted(named)))
        if unknown:
            more = f" and {len(unknown) - MOST_TOLD} more" if len(unknown) > MOST_TOLD else ""
            told = (
                f"name documents that the collection {collection.name} does not have: {', '.join(unknown[:MOST_TOLD])}"
            )
            raise bad("queries", told + more)
