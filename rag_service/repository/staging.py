"""Rows of staged chunks: the work that an ingestion has still to do, kept so that a worker that dies loses none."""

from collections.abc import Sequence

import orjson
import sqlalchemy as sa

from rag_service.domain.chunks import Chunk, Staged
from rag_service.domain.documents import Document
from rag_service.repository.chunks import ChunkRows
from rag_service.repository.tables import chunks, staged_chunks

# Arrays, not a row of parameters each: a tenth of the time. What is visible already has its vector; what says the same
# as something visible will get that one's; and what was stale and is wanted again is not stale any more.
STAGE = sa.text("""
    WITH wanted AS (
        DELETE FROM stale_vectors WHERE tenant_id = CAST(:tenant AS uuid) AND document_id = CAST(:document AS uuid)
        AND chunk_id = ANY(CAST(:ids AS uuid[]))
    )
    INSERT INTO staged_chunks (tenant_id, document_id, ordinal, id, text, start, "end", page, heading, length, digest,
        terms, embedded, "like")
    SELECT CAST(:tenant AS uuid), CAST(:document AS uuid), s.*, EXISTS (SELECT FROM chunks c WHERE c.id = s.id),
        (SELECT c.id FROM chunks c WHERE c.document_id = CAST(:document AS uuid) AND c.digest = s.digest LIMIT 1)
    FROM unnest(CAST(:ordinals AS int[]), CAST(:ids AS uuid[]), CAST(:texts AS text[]), CAST(:starts AS bigint[]),
        CAST(:ends AS bigint[]), CAST(:pages AS int[]), CAST(:headings AS text[]), CAST(:lengths AS int[]),
        CAST(:digests AS text[]), CAST(:terms AS jsonb[]))
        AS s(ordinal, id, text, start, "end", page, heading, length, digest, terms)
""")


class StagingRows(ChunkRows):
    """Queries on staged chunks."""

    async def clear_staged(self, tenant_id: str, document_id: str, limit: int) -> int:
        await self.read_in_order()
        mine = sa.and_(staged_chunks.c.tenant_id == tenant_id, staged_chunks.c.document_id == document_id)
        first = sa.select(staged_chunks.c.ordinal).where(mine).order_by(staged_chunks.c.ordinal).limit(limit)
        some = sa.and_(mine, staged_chunks.c.ordinal.in_(first))
        visible = sa.select(chunks.c.id).where(chunks.c.id == staged_chunks.c.id)
        made = sa.select(staged_chunks.c.tenant_id, staged_chunks.c.document_id, staged_chunks.c.id)
        # Whether a vector was written of what is not marked as embedded, nobody knows any more.
        await self.make_stale(made.where(some, ~visible.exists()))
        return int((await self._db.execute(staged_chunks.delete().where(some))).rowcount)

    async def stage_chunks(self, tenant_id: str, document: Document, rows: Sequence[Chunk]) -> bool:
        if not await self.is_current(tenant_id, document):
            return False
        values = {
            "tenant": tenant_id,
            "document": document.id,
            "ordinals": [row.ordinal for row in rows],
            "ids": [row.id for row in rows],
            "texts": [row.text for row in rows],
            "starts": [row.start for row in rows],
            "ends": [row.end for row in rows],
            "pages": [row.page for row in rows],
            "headings": [row.heading for row in rows],
            "lengths": [sum(row.terms.values()) for row in rows],
            "digests": [row.digest for row in rows],
            "terms": [orjson.dumps(dict(row.terms)).decode() for row in rows],
        }
        await self._db.execute(STAGE, values)
        return True

    async def next_staged(self, tenant_id: str, document_id: str, after: int, limit: int) -> list[Staged]:
        await self.read_in_order()
        columns = (staged_chunks.c[name] for name in ("id", "ordinal", "text", "heading", "like"))
        query = sa.select(*columns).where(
            staged_chunks.c.tenant_id == tenant_id,
            staged_chunks.c.document_id == document_id,
            staged_chunks.c.ordinal > after,
            ~staged_chunks.c.embedded,
        )
        found = await self._db.execute(query.order_by(staged_chunks.c.ordinal).limit(limit))
        return [Staged(row.id, row.ordinal, row.text, row.heading, row.like or "") for row in found]

    async def mark_embedded(self, tenant_id: str, document: Document, ordinals: Sequence[int]) -> bool:
        if not await self.is_current(tenant_id, document):
            return False
        change = staged_chunks.update().where(
            staged_chunks.c.tenant_id == tenant_id,
            staged_chunks.c.document_id == document.id,
            staged_chunks.c.ordinal.in_(ordinals),
        )
        await self._db.execute(change.values(embedded=True))
        return True
