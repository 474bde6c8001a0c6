"""Rows of chunks: how the staged ones become the visible ones, in one transaction, and what is stale then."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import UUID, insert

from rag_service.domain.chunks import Count
from rag_service.domain.documents import Document, DocumentStatus
from rag_service.repository.documents import DocumentRows, current
from rag_service.repository.postings import insert_postings, take_numbers
from rag_service.repository.tables import chunks, collections, documents, staged_chunks, stale_vectors

SWAP_ROWS = 500
"""So many chunks a statement: what is in memory at once, and far from the time that a statement may take."""
MANY_ROWS = 8192
"""The same where the database works alone. As many as share a home in the lexical index (repository/postings.py)."""
# Their words stay where they are: only numbers come and go.
SHOW = sa.text("""
    INSERT INTO chunks (id, tenant_id, collection_id, document_id, ordinal, text, start, "end", page, heading, length,
        number, digest)
    SELECT s.id, s.tenant_id, CAST(:collection AS uuid), s.document_id, s.ordinal, s.text, s.start, s."end", s.page,
        s.heading, s.length, new.number, s.digest
    FROM unnest(CAST(:ordinals AS int[]), CAST(:numbers AS int[])) AS new(ordinal, number)
    JOIN staged_chunks s ON s.ordinal = new.ordinal
    WHERE s.tenant_id = CAST(:tenant AS uuid) AND s.document_id = CAST(:document AS uuid)
""")
MOVED = ("ordinal", "start", "end", "page")
"""What may change of a chunk that stays the same."""


class ChunkRows(DocumentRows):
    """Queries on chunks."""

    async def swap_chunks(self, tenant_id: str, document: Document) -> Document | None:
        if not await self.is_current(tenant_id, document):
            return None
        mine = sa.and_(chunks.c.tenant_id == tenant_id, chunks.c.document_id == document.id)
        staged = sa.and_(staged_chunks.c.tenant_id == tenant_id, staged_chunks.c.document_id == document.id)
        again = sa.select(staged_chunks.c.id).where(staged, staged_chunks.c.id == chunks.c.id)
        gone = sa.select(chunks.c.tenant_id, chunks.c.document_id, chunks.c.id).where(mine, ~again.exists())
        await self.make_stale(gone)
        await self._remove_stale(mine)
        moved = chunks.update().where(mine, staged, chunks.c.id == staged_chunks.c.id)
        moved = moved.values({name: staged_chunks.c[name] for name in MOVED})
        count = (await self.count_staged(tenant_id, document.id)).all
        parts = [staged_chunks.c.ordinal.between(first, first + MANY_ROWS - 1) for first in range(0, count, MANY_ROWS)]
        for part in parts:
            await self._db.execute(moved.where(part))
        await self._add_staged(tenant_id, document)
        ready = replace(
            document.at(DocumentStatus.READY, "done", 100),
            described=document.latest,
            coming=None,
            ready_version=document.version,
            chunks=count,
        )
        for part in parts:
            await self._db.execute(staged_chunks.delete().where(staged, part))
        await self.put_version(tenant_id, ready)
        place = collections.c.tenant_id == tenant_id, collections.c.id == document.collection_id
        await self._db.execute(collections.update().where(*place).values(swaps=collections.c.swaps + 1))
        return ready

    async def count_staged(self, tenant_id: str, document_id: str) -> Count:
        query = sa.select(sa.func.count(), sa.func.count().filter(staged_chunks.c.embedded)).where(
            staged_chunks.c.tenant_id == tenant_id, staged_chunks.c.document_id == document_id
        )
        return Count(*(await self._db.execute(query)).one())

    async def stale_vectors(self, tenant_id: str, document_id: str, limit: int) -> list[str]:
        query = sa.select(stale_vectors.c.chunk_id).where(
            stale_vectors.c.tenant_id == tenant_id, stale_vectors.c.document_id == document_id
        )
        return list((await self._db.execute(query.limit(limit))).scalars())

    async def disown(self, tenant_id: str, document_id: str, chunk_ids: Sequence[str]) -> None:
        ids = sa.func.unnest(sa.literal(list(chunk_ids), sa.ARRAY(UUID(as_uuid=False)))).column_valued("chunk_id")
        owned = sa.select(chunks.c.id).where(chunks.c.document_id == document_id)
        staged = sa.select(staged_chunks.c.id).where(staged_chunks.c.document_id == document_id)
        place = sa.cast(sa.literal(tenant_id), UUID), sa.cast(sa.literal(document_id), UUID)
        await self.make_stale(sa.select(*place, ids).where(ids.not_in(owned), ids.not_in(staged)))

    async def forget_stale(self, tenant_id: str, document_id: str, chunk_ids: Sequence[str]) -> None:
        gone = stale_vectors.delete().where(
            stale_vectors.c.tenant_id == tenant_id,
            stale_vectors.c.document_id == document_id,
            stale_vectors.c.chunk_id.in_(chunk_ids),
        )
        await self._db.execute(gone)

    async def embedded_texts(
        self, tenant_id: str, document_id: str, after: str, limit: int
    ) -> list[tuple[str, str, str]]:
        parts = [
            sa.select(table.c.id, table.c.heading, table.c.text).where(
                table.c.tenant_id == tenant_id,
                table.c.document_id == document_id,
                *([table.c.id > after] if after else []),
            )
            for table in (chunks, staged_chunks)
        ]
        both = sa.union(*parts).order_by("id").limit(limit)
        return [(row.id, row.heading, row.text) for row in await self._db.execute(both)]

    async def delete_chunks_of(self, tenant_id: str, document_id: str, limit: int) -> int:
        removed = 0
        # In the order of their numbers: so few lists of the lexical index are touched by each part.
        for table, key in ((staged_chunks, staged_chunks.c.ordinal), (chunks, chunks.c.number)):
            mine = sa.and_(table.c.tenant_id == tenant_id, table.c.document_id == document_id)
            some = sa.select(key).where(mine).order_by(key).limit(limit)
            removed += (await self._db.execute(table.delete().where(mine, key.in_(some)))).rowcount
        return removed

    async def is_current(self, tenant_id: str, document: Document) -> bool:
        """Whether the document's run is not over; it stays so until the transaction ends."""
        query = sa.select(documents.c.id).where(current(tenant_id, document)).with_for_update()
        return (await self._db.execute(query)).first() is not None

    async def make_stale(self, rows: sa.Select[Any]) -> None:
        """(tenant, document, chunk id) of vectors that belong to no chunk any more."""
        columns = ["tenant_id", "document_id", "chunk_id"]
        await self._db.execute(insert(stale_vectors).from_select(columns, rows).on_conflict_do_nothing())

    async def _remove_stale(self, mine: sa.ColumnElement[bool]) -> None:
        """The chunks of a document whose vectors are stale, home by home of the lexical index."""
        stale = sa.select(stale_vectors.c.chunk_id).where(
            stale_vectors.c.document_id == chunks.c.document_id, stale_vectors.c.chunk_id == chunks.c.id
        )
        query = sa.select(chunks.c.id, chunks.c.number).where(mine, stale.exists()).order_by(chunks.c.number)
        last = -1
        while found := (await self._db.execute(query.where(chunks.c.number > last).limit(MANY_ROWS))).all():
            ids = sa.literal([row.id for row in found], sa.ARRAY(UUID(as_uuid=False)))
            await self._db.execute(chunks.delete().where(mine, chunks.c.id == sa.any_(ids)))
            last = found[-1].number

    async def _add_staged(self, tenant_id: str, document: Document) -> None:
        """Those that are not visible yet get their place among the chunks, and in the lexical index."""
        place = {"tenant_id": tenant_id, "collection_id": document.collection_id}
        there = sa.select(chunks.c.id).where(chunks.c.id == staged_chunks.c.id)
        query = sa.select(staged_chunks.c.ordinal, staged_chunks.c.terms).where(
            staged_chunks.c.tenant_id == tenant_id, staged_chunks.c.document_id == document.id, ~there.exists()
        )
        query = query.order_by(staged_chunks.c.ordinal).limit(SWAP_ROWS)
        last = -1
        while found := (await self._db.execute(query.where(staged_chunks.c.ordinal > last))).all():
            terms = [row.terms for row in found]
            numbers = await take_numbers(self._db, terms, place)
            shown = {"ordinals": [row.ordinal for row in found], "numbers": numbers, "document": document.id}
            await self._db.execute(SHOW, shown | {"tenant": tenant_id, "collection": document.collection_id})
            await insert_postings(self._db, terms, numbers, place)
            last = found[-1].ordinal
