"""The search by words: postings out of the database, scored by policy/bm25.py, and the passages that are shown.

The postings of a question's terms are read whole. Where the documents that a filter lets through are known, only theirs
count; else the filter is asked of the best first, and of more where those are not enough: most let through much.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import UUID

from rag_service.domain.filters import Filter
from rag_service.domain.search import Passage, Size
from rag_service.policy.bm25 import POSTING_BYTES, best, score
from rag_service.repository.filters import compile_filter
from rag_service.repository.postings import RUN, hidden_homes
from rag_service.repository.rows import Rows
from rag_service.repository.tables import chunks, documents, postings, runs

FILTERED_FIRST = 2000
FILTERED_NEXT = 20_000
"""So many numbers are asked for by name; beyond, the collection is read."""


Numbers = npt.NDArray[np.int64]


class SearchRows(Rows):
    """Queries of a search."""

    async def passages(self, tenant_id: str, chunk_ids: Sequence[str]) -> dict[str, Passage]:
        query = sa.select(chunks, documents.c.title, documents.c.ready_version, documents.c.metadata.label("about"))
        query = query.join(documents, documents.c.id == chunks.c.document_id)
        ids = sa.literal(list(chunk_ids), sa.ARRAY(UUID(as_uuid=False)))
        query = query.where(chunks.c.tenant_id == tenant_id, chunks.c.id == sa.any_(ids))
        hidden = sa.select(runs.c.run).where(
            runs.c.tenant_id == chunks.c.tenant_id,
            runs.c.collection_id == chunks.c.collection_id,
            runs.c.run == chunks.c.number // RUN,
            runs.c.hidden_of.is_not(None),
        )
        # What is being erased is not shown any more.
        query = query.where(documents.c.erasure_id.is_(None), ~hidden.exists())
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
        self,
        tenant_id: str,
        collection_id: str,
        terms: Mapping[str, float],
        limit: int,
        wanted: Filter | None,
        among: Sequence[str] | None = None,
    ) -> list[tuple[str, float]]:
        if not terms:
            return []
        size = await self.collection_size(tenant_id, collection_id)
        lists = await self._postings(tenant_id, collection_id, terms)
        theirs = None if among is None else await self._numbers(tenant_id, among)
        found, scores = await asyncio.to_thread(_scored, lists, terms, size, theirs)
        shown: list[tuple[str, float]] = []
        known = wanted is None or among is not None
        for most in (limit,) if known else (max(FILTERED_FIRST, limit), FILTERED_NEXT, len(found)):
            numbers, gains = await asyncio.to_thread(best, found, scores, most)
            names = await self._named(tenant_id, collection_id, numbers, None if known else wanted)
            scored = zip(numbers.tolist(), gains.tolist(), strict=True)
            shown = [(names[number], gain) for number, gain in scored if number in names][:limit]
            if len(shown) == limit or most >= len(found):
                break
        return shown

    async def rarer_terms(self, tenant_id: str, collection_id: str, terms: Sequence[str], most: int) -> set[str]:
        query = sa.select(postings.c.term).where(
            postings.c.tenant_id == tenant_id,
            postings.c.collection_id == collection_id,
            postings.c.term == sa.any_(sa.literal(list(terms), sa.ARRAY(sa.Text))),
            postings.c.run != sa.all_(hidden_homes(tenant_id, collection_id)),
        )
        # The length of a string is known without reading it.
        size = sa.func.sum(sa.func.octet_length(postings.c.data))
        query = query.group_by(postings.c.term).having(size <= most * POSTING_BYTES)
        return set((await self._db.execute(query)).scalars())

    async def collection_size(self, tenant_id: str, collection_id: str) -> Size:
        query = sa.select(sa.func.sum(runs.c.alive), sa.func.sum(runs.c.words)).where(
            runs.c.tenant_id == tenant_id, runs.c.collection_id == collection_id, runs.c.hidden_of.is_(None)
        )
        alive, words = (await self._db.execute(query)).one()
        return Size(int(alive or 0), int(words or 0))

    async def _postings(self, tenant_id: str, collection_id: str, terms: Iterable[str]) -> dict[str, list[bytes]]:
        query = sa.select(postings.c.term, postings.c.data).where(
            postings.c.tenant_id == tenant_id,
            postings.c.collection_id == collection_id,
            postings.c.term == sa.any_(sa.literal(list(terms), sa.ARRAY(sa.Text))),
            postings.c.run != sa.all_(hidden_homes(tenant_id, collection_id)),
        )
        lists: dict[str, list[bytes]] = defaultdict(list)
        for row in await self._db.execute(query):
            lists[row.term].append(row.data)
        return lists

    async def _numbers(self, tenant_id: str, document_ids: Sequence[str]) -> Numbers:
        """Of the documents' chunks."""
        query = sa.select(sa.func.array_agg(chunks.c.number)).where(
            chunks.c.tenant_id == tenant_id,
            chunks.c.document_id == sa.any_(sa.literal(list(document_ids), sa.ARRAY(UUID(as_uuid=False)))),
        )
        return np.array((await self._db.execute(query)).scalar_one() or [], np.int64)

    async def _named(
        self, tenant_id: str, collection_id: str, numbers: Numbers, wanted: Filter | None
    ) -> dict[int, str]:
        """The ids of the chunks of these numbers that the filter lets through."""
        query: sa.Select[Any] = sa.select(chunks.c.number, chunks.c.id, chunks.c.document_id).where(
            chunks.c.tenant_id == tenant_id,
            chunks.c.collection_id == collection_id,
        )
        if wanted is None or len(numbers) <= FILTERED_NEXT:
            query = query.where(chunks.c.number == sa.any_(sa.literal(numbers.tolist(), sa.ARRAY(sa.Integer))))
        if wanted is not None:
            # First the chunks, then their documents: the planner takes row-level security for a narrow filter, and
            # would rather look at every document.
            some = query.cte("some").prefix_with("MATERIALIZED")
            query = sa.select(some.c.number, some.c.id).where(
                documents.c.id == some.c.document_id,
                documents.c.tenant_id == tenant_id,
                compile_filter(wanted, documents.c.metadata),
            )
        return {row.number: row.id for row in await self._db.execute(query)}


def _scored(
    lists: Mapping[str, Sequence[bytes]], terms: Mapping[str, float], size: Size, among: Numbers | None
) -> tuple[Numbers, npt.NDArray[np.float64]]:
    """(numbers, scores) of the chunks that have one of the terms, and are among these."""
    found, scores = score(lists, terms, size)
    if among is None:
        return found, scores
    held = np.isin(found, among)
    return found[held], scores[held]
