"""The lexical index: rows of terms, and the search by words, as BM25."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from rag_service.domain.chunks import Chunk
from rag_service.domain.filters import Filter
from rag_service.domain.search import Passage
from rag_service.repository.filters import compile_filter
from rag_service.repository.rows import Rows
from rag_service.repository.tables import chunks, documents, postings

BM25_K1 = 1.5
BM25_B = 0.75

# MATERIALIZED: the planner takes row-level security for a filter that leaves next to nothing, expects one posting,
# and would count the collection anew for each of the thousands that there are.
BM25 = """
    WITH size AS MATERIALIZED (
        SELECT count(*)::float AS n, greatest(avg(length), 1) AS mean FROM chunks
        WHERE tenant_id = :tenant AND collection_id = :collection
    ), found AS (
        SELECT p.term, p.chunk_id, p.frequency, count(*) OVER (PARTITION BY p.term) AS df FROM postings p
        WHERE p.tenant_id = :tenant AND p.collection_id = :collection AND p.term = ANY(:terms)
    )
    SELECT c.id, sum(
        ln(1 + (size.n - found.df + 0.5) / (found.df + 0.5))
        * found.frequency * (:k1 + 1) / (found.frequency + :k1 * (1 - :b + :b * c.length / size.mean))
    ) AS score
    FROM found JOIN chunks c ON c.id = found.chunk_id CROSS JOIN size
    GROUP BY c.id
"""


class SearchRows(Rows):
    """Queries of a search."""

    async def passages(self, tenant_id: str, chunk_ids: Sequence[str]) -> dict[str, Passage]:
        query = sa.select(chunks, documents.c.title, documents.c.metadata.label("about"))
        query = query.join(documents, documents.c.id == chunks.c.document_id)
        query = query.where(chunks.c.tenant_id == tenant_id, chunks.c.id.in_(chunk_ids))
        return {
            row.id: Passage(row.document_id, row.id, row.title, row.text, row.page, row.start, row.end, row.about)
            for row in await self._db.execute(query)
        }

    async def search_terms(
        self, tenant_id: str, collection_id: str, terms: Sequence[str], limit: int, wanted: Filter | None
    ) -> list[tuple[str, float]]:
        if not terms:
            return []
        ranked = sa.text(BM25).bindparams(
            sa.bindparam("tenant", tenant_id, sa.UUID(as_uuid=False)),
            sa.bindparam("collection", collection_id, sa.UUID(as_uuid=False)),
            sa.bindparam("terms", list(terms), sa.ARRAY(sa.Text)),
            sa.bindparam("k1", BM25_K1, sa.Float),
            sa.bindparam("b", BM25_B, sa.Float),
        )
        scores = ranked.columns(sa.column("id", sa.UUID(as_uuid=False)), sa.column("score", sa.Float)).subquery("s")
        query = sa.select(scores.c.id, scores.c.score)
        if wanted is not None:
            query = query.join(chunks, chunks.c.id == scores.c.id)
            query = query.join(documents, documents.c.id == chunks.c.document_id)
            query = query.where(compile_filter(wanted, documents.c.metadata))
        query = query.order_by(scores.c.score.desc(), scores.c.id).limit(limit)
        return [(row.id, row.score) for row in await self._db.execute(query)]


async def insert_postings(connection: AsyncConnection, rows: Sequence[Chunk], place: Mapping[str, str]) -> None:
    """The terms of new chunks; `place` has their tenant and collection."""
    found = [
        {"term": term, "chunk_id": row.id, "frequency": frequency, **place}
        for row in rows
        for term, frequency in row.terms.items()
    ]
    if found:
        await connection.execute(postings.insert(), found)
