"""The search by words: postings out of the database, scored by policy/bm25.py, and the passages that are shown.

The postings of a question's terms are read whole. A filter is asked of the best first, and of all where those are not
enough: most filters let through much.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import sqlalchemy as sa

from rag_service.domain.filters import Filter
from rag_service.domain.search import Passage
from rag_service.policy.bm25 import Size, best, score
from rag_service.repository.filters import compile_filter
from rag_service.repository.rows import Rows
from rag_service.repository.tables import chunks, documents, postings, runs

FILTERED_FIRST = 2000


class SearchRows(Rows):
    """Queries of a search."""

    async def passages(self, tenant_id: str, chunk_ids: Sequence[str]) -> dict[str, Passage]:
        query = sa.select(chunks, documents.c.title, documents.c.ready_version, documents.c.metadata.label("about"))
        query = query.join(documents, documents.c.id == chunks.c.document_id)
        query = query.where(chunks.c.tenant_id == tenant_id, chunks.c.id.in_(chunk_ids))
        # What is being erased is not shown any more.
        query = query.where(documents.c.erasure_id.is_(None))
        return {
            row.id: Passage(
                document_id=row.document_id,
                chunk_id=row.id,
                title=row.title,
                text=row.text,
                page=row.page,
                start=row.start,
                end=row.end,
                metadata=row.about,
                heading=row.heading,
                version=row.ready_version,
            )
            for row in await self._db.execute(query)
        }

    async def search_terms(
        self, tenant_id: str, collection_id: str, terms: Mapping[str, float], limit: int, wanted: Filter | None
    ) -> list[tuple[str, float]]:
        if not terms:
            return []
        sizes = sa.select(sa.func.sum(runs.c.alive), sa.func.sum(runs.c.words)).where(
            runs.c.tenant_id == tenant_id, runs.c.collection_id == collection_id
        )
        alive, words = (await self._db.execute(sizes)).one()
        query = sa.select(postings.c.term, postings.c.data).where(
            postings.c.tenant_id == tenant_id,
            postings.c.collection_id == collection_id,
            postings.c.term == sa.any_(sa.literal(list(terms), sa.ARRAY(sa.Text))),
        )
        lists: dict[str, list[bytes]] = defaultdict(list)
        for row in await self._db.execute(query):
            lists[row.term].append(row.data)
        found, scores = await asyncio.to_thread(score, lists, terms, Size(int(alive or 0), int(words or 0)))
        shown: list[tuple[str, float]] = []
        for most in (limit,) if wanted is None else (max(FILTERED_FIRST, limit), len(found)):
            numbers, gains = await asyncio.to_thread(best, found, scores, most)
            names = await self._named(tenant_id, collection_id, numbers, wanted)
            there = zip(numbers.tolist(), gains.tolist(), strict=True)
            shown = [(names[number], gain) for number, gain in there if number in names][:limit]
            if len(shown) == limit or most >= len(found):
                break
        return shown

    async def _named(
        self, tenant_id: str, collection_id: str, numbers: "np.ndarray[Any, Any]", wanted: Filter | None
    ) -> dict[int, str]:
        """The ids of the chunks of these numbers that the filter lets through."""
        query = sa.select(chunks.c.number, chunks.c.id).where(
            chunks.c.tenant_id == tenant_id,
            chunks.c.collection_id == collection_id,
        )
        if wanted is not None:
            query = query.join(documents, documents.c.id == chunks.c.document_id)
            query = query.where(compile_filter(wanted, documents.c.metadata))
        if wanted is None or len(numbers) <= FILTERED_FIRST:
            query = query.where(chunks.c.number == sa.any_(sa.literal(numbers.tolist(), sa.ARRAY(sa.Integer))))
        return {row.number: row.id for row in await self._db.execute(query)}
