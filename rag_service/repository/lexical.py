"""The search by words: postings out of the database, scored by policy/bm25.py, and the passages that are shown.

The postings of a question's terms are read whole, once a search. Where the documents that a filter lets through are
known, only theirs count; else the filter is asked of the best first, and of as many more as it takes.
"""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import UUID

from chassis.database import Query
from rag_service.domain.filters import Filter
from rag_service.domain.search import Gleaned, Passage, Size
from rag_service.policy.bm25 import POSTING_BYTES, Numbers, Scores, best, gains, summed
from rag_service.repository.filters import compile_filter
from rag_service.repository.postings import RUN
from rag_service.repository.rows import Rows, one_of
from rag_service.repository.tables import chunks, documents, runs

FILTERED_TIMES = 2
"""So many times as many as are wanted are asked whether the filter lets them through, at first."""
FILTERED_MOST = 20_000
"""So many numbers are asked for by name; beyond, the collection is read."""

_PLACE = "tenant_id = CAST(:tenant AS uuid) AND collection_id = CAST(:collection AS uuid)"
_MOMENT = f"""
    SELECT NULL AS term, NULL AS data, sum(alive) AS chunks, sum(words) AS words, (
        SELECT swaps FROM collections
        WHERE tenant_id = CAST(:tenant AS uuid) AND id = CAST(:collection AS uuid)
    ) AS swaps FROM runs WHERE {_PLACE} AND hidden_of IS NULL
"""  # noqa: S608  # constants
_SEEN = f"""
    {_PLACE} AND run <> ALL (ARRAY(SELECT DISTINCT home FROM runs WHERE {_PLACE} AND hidden_of IS NOT NULL))
"""  # noqa: S608  # constants
_POSTINGS = f"""
    UNION ALL SELECT term, data, 0, 0, 0 FROM postings WHERE {_SEEN} AND term = ANY(:terms)
"""  # noqa: S608  # constants
# The length of a string is known without reading it.
_RARE = f"""
    UNION ALL SELECT term, data, 0, 0, 0 FROM (
        SELECT term, data, sum(octet_length(data)) OVER (PARTITION BY term) AS bytes
        FROM postings WHERE {_SEEN} AND term = ANY(:rare)
    ) AS told WHERE bytes <= :most
"""  # noqa: S608  # constants
_TYPES = (
    sa.bindparam("terms", type_=sa.ARRAY(sa.Text)),
    sa.bindparam("rare", type_=sa.ARRAY(sa.Text)),
    sa.bindparam("most", type_=sa.BigInteger),
)
READ = Query(sa.text(_MOMENT + _POSTINGS).bindparams(_TYPES[0]))
READ_RARE = Query(sa.text(_MOMENT + _POSTINGS + _RARE).bindparams(*_TYPES))
NAMED = Query(
    sa.text(f"SELECT number, id::text AS id FROM chunks WHERE {_PLACE} AND number = ANY(:numbers)").bindparams(  # noqa: S608  # a constant
        sa.bindparam("numbers", type_=sa.ARRAY(sa.Integer))
    )
)
SIZE = Query(
    sa.text(f"SELECT sum(alive) AS chunks, sum(words) AS words FROM runs WHERE {_PLACE} AND hidden_of IS NULL")  # noqa: S608  # a constant
)
NUMBERS = Query(
    sa.select(sa.func.array_agg(chunks.c.number).label("numbers")).where(
        chunks.c.tenant_id == sa.bindparam("tenant"),
        one_of(chunks.c.document_id, "documents"),
    )
)
_HIDDEN = sa.select(runs.c.run).where(
    runs.c.tenant_id == chunks.c.tenant_id,
    runs.c.collection_id == chunks.c.collection_id,
    runs.c.run == chunks.c.number // RUN,
    runs.c.hidden_of.is_not(None),
)
_OF_CHUNKS = [chunks.c[name] for name in ("document_id", "text", "page", "start", "end", "heading")]
_OF_DOCUMENTS = [documents.c[name] for name in ("title", "file_name", "file_id", "ready_version", "metadata")]
# What is being erased is not shown any more.
PASSAGES = Query(
    sa.select(sa.cast(chunks.c.id, sa.Text).label("id"), *_OF_CHUNKS, *_OF_DOCUMENTS)
    .join(documents, documents.c.id == chunks.c.document_id)
    .where(
        chunks.c.tenant_id == sa.bindparam("tenant"),
        chunks.c.id == sa.any_(sa.bindparam("ids", type_=sa.ARRAY(UUID(as_uuid=False)))),
        documents.c.erasure_id.is_(None),
        ~_HIDDEN.exists(),
    )
)


class SearchRows(Rows):
    """Queries of a search."""

    async def passages(self, tenant_id: str, chunk_ids: Sequence[str]) -> dict[str, Passage]:
        return {
            row.id: Passage(
                document_id=str(row.document_id),
                chunk_id=row.id,
                title=row.title,
                text=row.text,
                page=row.page,
                start=row.start,
                end=row.end,
                metadata=row.metadata,
                heading=row.heading,
                version=row.ready_version,
                file_id=str(row.file_id or row.document_id),
                file_name=row.file_name or row.title,
            )
            for row in await PASSAGES.rows(self._db, {"tenant": tenant_id, "ids": list(chunk_ids)})
        }

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
        if not terms:
            return []
        held, place = gleaned or Gleaned(), {"tenant": tenant_id, "collection": collection_id}
        lists = await self._read(place, terms, held, rare)
        if among is not None and held.numbers is None:
            held.numbers = await self._numbers(tenant_id, among)
        most = limit if wanted is None or among is not None else FILTERED_TIMES * limit
        found, scores, numbers, told = await asyncio.to_thread(_scored, held, lists, terms, most)
        shown: list[tuple[str, float]] = []
        asked = 0
        while True:
            some = numbers[asked:] if most <= FILTERED_MOST else numbers
            names = await self._named(place, some, wanted if among is None else None)
            scored = zip(some.tolist(), told[len(numbers) - len(some) :].tolist(), strict=True)
            more = [(names[number], gain) for number, gain in scored if number in names]
            shown = shown + more if most <= FILTERED_MOST else more
            if len(shown) >= limit or most >= len(found):
                return shown[:limit]
            # As many as it takes, if the next are let through as the first were.
            asked = len(numbers)
            most = max(FILTERED_TIMES * most, FILTERED_TIMES * limit * most // (len(shown) + 1))
            if most > FILTERED_MOST:
                most = len(found)
            numbers, told = await asyncio.to_thread(best, found, scores, most)

    async def collection_size(self, tenant_id: str, collection_id: str) -> Size:
        (row,) = await SIZE.rows(self._db, {"tenant": tenant_id, "collection": collection_id})
        return Size(int(row.chunks or 0), int(row.words or 0))

    async def _read(
        self, place: Mapping[str, str], terms: Collection[str], held: Gleaned, rare: AbstractSet[str]
    ) -> Mapping[str, Sequence[bytes]]:
        """The postings of those terms that are not held; of all, if the collection is not what it was."""
        new = [term for term in terms if term not in held.terms]
        few = [term for term in new if term in rare]
        asked: dict[str, Any] = {**place, "terms": [term for term in new if term not in rare]}
        if few:
            asked |= {"rare": few, "most": held.common * POSTING_BYTES}
        lists: dict[str, list[bytes]] = defaultdict(list)
        moment: tuple[int, ...] = ()
        for term, data, *rest in await (READ_RARE if few else READ).rows(self._db, asked):
            if term is None:
                moment = tuple(int(number or 0) for number in rest)
            else:
                lists[term].append(data)
        held.swaps.add(moment[-1])
        if held.moment not in (None, moment):
            held.forget()
            return await self._read(place, terms, held, rare)
        held.moment = moment
        return lists

    async def _numbers(self, tenant_id: str, document_ids: Sequence[str]) -> Numbers:
        """Of the documents' chunks."""
        (row,) = await NUMBERS.rows(self._db, {"tenant": tenant_id, "documents": document_ids})
        return np.array(row.numbers or [], np.int64)

    async def _named(self, place: Mapping[str, str], numbers: Numbers, wanted: Filter | None) -> dict[int, str]:
        """The ids of the chunks of these numbers that the filter lets through."""
        if wanted is None:
            rows = await NAMED.rows(self._db, dict(place) | {"numbers": numbers.tolist()})
            return dict(rows)
        query: sa.Select[Any] = sa.select(chunks.c.number, chunks.c.id, chunks.c.document_id).where(
            chunks.c.tenant_id == place["tenant"],
            chunks.c.collection_id == place["collection"],
        )
        if len(numbers) <= FILTERED_MOST:
            query = query.where(chunks.c.number == sa.any_(sa.literal(numbers.tolist(), sa.ARRAY(sa.Integer))))
        # First the chunks, then their documents: the planner takes row-level security for a narrow filter, and
        # would rather look at every document.
        some = query.cte("some").prefix_with("MATERIALIZED")
        told = sa.select(some.c.number, some.c.id).where(
            documents.c.id == some.c.document_id,
            documents.c.tenant_id == place["tenant"],
            compile_filter(wanted, documents.c.metadata),
        )
        return {row.number: row.id for row in await self._db.execute(told)}


def _scored(
    held: Gleaned, lists: Mapping[str, Sequence[bytes]], terms: Mapping[str, float], most: int
) -> tuple[Numbers, Scores, Numbers, Scores]:
    """(numbers, scores) of the chunks that have one of the terms, and are among those that a filter lets through; the
    same of the best. What is new in the lists is held from now on.
    """
    size = Size(*(held.moment or (0, 0))[:2])
    held.terms |= {term: gains(parts, size) for term, parts in lists.items()}
    found, scores = summed(held.terms, terms)
    if held.numbers is not None:
        kept = np.isin(found, held.numbers)
        found, scores = found[kept], scores[kept]
    return found, scores, *best(found, scores, most)
