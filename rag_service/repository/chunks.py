"""Rows of chunks: how the staged ones become the visible ones, and what is stale then.

Those of a large document are written ahead, run by run of the lexical index, where no search looks; the one transaction
that swaps a version in shows these runs, hides those that it replaces, and writes what is left.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import UUID, insert

from rag_service.domain.chunks import Count, EmbeddedText, TextMark
from rag_service.domain.documents import Document, DocumentStatus
from rag_service.repository.documents import DocumentRows, current
from rag_service.repository.postings import (
    RUN,
    NewHome,
    Place,
    Terms,
    insert_postings,
    one_writer,
    take_numbers,
)
from rag_service.repository.tables import chunks, collections, documents, runs, staged_chunks, stale_vectors

MANY_ROWS = 8192
"""So many chunks a statement where the database works alone. As many as share a home in the lexical index."""
# Their texts stay in the database: only numbers come, and words go.
SHOW = sa.text("""
    WITH taken AS (
        DELETE FROM staged_chunks s USING unnest(CAST(:ordinals AS int[]), CAST(:numbers AS int[])) AS new(at, number)
        WHERE s.tenant_id = CAST(:tenant AS uuid) AND s.document_id = CAST(:document AS uuid) AND s.ordinal = new.at
        RETURNING s.*, new.number
    ), shown AS (
        INSERT INTO chunks (id, tenant_id, collection_id, document_id, ordinal, text, start, "end", page, heading,
            length, number, digest)
        SELECT id, tenant_id, CAST(:collection AS uuid), document_id, ordinal, text, start, "end", page, heading,
            length, number, digest
        FROM taken
    )
    SELECT CAST(terms AS text) FROM taken ORDER BY number
""")
MOVED = ("ordinal", "start", "end", "page")
"""What may change of a chunk that stays the same."""


class ChunkRows(DocumentRows):
    """Queries on chunks."""

    async def one_writer(self, collection_id: str) -> None:
        await one_writer(self._db, collection_id)

    async def write_ahead(self, tenant_id: str, document: Document) -> int:
        place = {"tenant_id": tenant_id, "collection_id": document.collection_id}
        home = await NewHome.behind_all(self._db, place)
        ordinals = await self._not_there(tenant_id, document, MANY_ROWS)
        # A whole home, or else one run: what is less than that is little for the swap.
        count = len(ordinals) if len(ordinals) == MANY_ROWS else min(RUN, len(ordinals) // RUN * RUN)
        for start in range(0, count, RUN):
            words = await self._show(document, place, ordinals[start : start + RUN], home.numbers())
            await asyncio.to_thread(home.add, words)
        if count:
            await home.write(self._db, place, document.id)
        return count

    async def swap_chunks(self, tenant_id: str, document: Document) -> Document | None:
        await one_writer(self._db, document.collection_id)
        if not await self.is_current(tenant_id, document):
            return None
        ahead = sa.and_(runs.c.tenant_id == tenant_id, runs.c.hidden_of == document.id)
        written = (await self._db.execute(sa.select(sa.func.sum(runs.c.alive)).where(ahead))).scalar_one() or 0
        count = (await self.count_staged(tenant_id, document.id)).all + written
        replaced = await self._replace(tenant_id, document) if document.ready_version else []
        # At once: what was written ahead is seen, and what it replaces is not.
        mark = sa.case((runs.c.hidden_of == document.id, sa.null()), else_=sa.literal(document.id, UUID))
        place = runs.c.tenant_id == tenant_id, runs.c.collection_id == document.collection_id
        turned = runs.update().where(*place, sa.or_(ahead, _in(runs.c.home, replaced)))
        await self._db.execute(turned.values(hidden_of=mark))
        await self._add_staged(tenant_id, document)
        ready = replace(
            document.at(DocumentStatus.READY, "done", 100),
            described=document.latest,
            coming=None,
            ready_version=document.version,
            chunks=count,
        )
        await self.put_version(tenant_id, ready)
        swapped = collections.c.tenant_id == tenant_id, collections.c.id == document.collection_id
        await self._db.execute(collections.update().where(*swapped).values(swaps=collections.c.swaps + 1))
        return ready

    async def clear_hidden(self, tenant_id: str, document: Document) -> bool:
        place = runs.c.tenant_id == tenant_id, runs.c.collection_id == document.collection_id
        query = sa.select(sa.func.array_agg(runs.c.run)).where(*place, runs.c.hidden_of == document.id)
        found = (
            await self._db.execute(query.group_by(runs.c.home).order_by(runs.c.home).limit(1))
        ).scalar_one_or_none()
        if found is None:
            return False
        which = sa.and_(
            chunks.c.tenant_id == tenant_id,
            chunks.c.collection_id == document.collection_id,
            chunks.c.number.between(min(found) * RUN, max(found) * RUN + RUN - 1),
            _in(chunks.c.number // RUN, found),
        )
        await self.make_stale(sa.select(chunks.c.tenant_id, chunks.c.document_id, chunks.c.id).where(which))
        await self._db.execute(chunks.delete().where(which))
        await self._db.execute(runs.delete().where(*place, _in(runs.c.run, found)))
        return True

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
        self, tenant_id: str, document_id: str, after: TextMark | None, limit: int
    ) -> list[EmbeddedText]:
        # In the orders of two indexes: however many there are, each part is found where the one before ended.
        await self.read_in_order()
        orders: tuple[Sequence[sa.Column[Any]], ...] = (staged_chunks.c.ordinal,), (chunks.c.digest, chunks.c.id)
        found: list[EmbeddedText] = []
        for place, key in enumerate(orders):
            if (after and place < after.place) or len(found) == limit:
                continue
            table = key[0].table
            query = sa.select(*key, table.c.id.label("name"), table.c.heading, table.c.text).where(
                table.c.tenant_id == tenant_id, table.c.document_id == document_id
            )
            if after and place == after.place:
                last = [sa.literal(value, column.type) for column, value in zip(key, after.key, strict=True)]
                query = query.where(sa.tuple_(*key) > sa.tuple_(*last))
            for row in await self._db.execute(query.order_by(*key).limit(limit - len(found))):
                mark = TextMark(place, tuple(row[: len(key)]))
                found.append(EmbeddedText(row.name, row.heading, row.text, mark))
        return found

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
        query = sa.select(documents.c.id).where(current(tenant_id, document)).with_for_update(key_share=True)
        return (await self._db.execute(query)).first() is not None

    async def make_stale(self, rows: sa.Select[Any]) -> None:
        """(tenant, document, chunk id) of vectors that belong to no chunk any more."""
        columns = ["tenant_id", "document_id", "chunk_id"]
        await self._db.execute(insert(stale_vectors).from_select(columns, rows).on_conflict_do_nothing())

    async def _replace(self, tenant_id: str, document: Document) -> list[int]:
        """Chunks that the version to come does not have go, those that it keeps get their places in it. Answers homes
        in the lexical index in which nothing else is: they are left, to be hidden.
        """
        mine = sa.and_(chunks.c.tenant_id == tenant_id, chunks.c.document_id == document.id)
        staged = sa.and_(staged_chunks.c.tenant_id == tenant_id, staged_chunks.c.document_id == document.id)
        again = sa.select(staged_chunks.c.id).where(staged, staged_chunks.c.id == chunks.c.id)
        place = sa.and_(runs.c.tenant_id == tenant_id, runs.c.collection_id == document.collection_id)
        ahead = sa.select(runs.c.run).where(place, runs.c.hidden_of == document.id)
        gone = sa.and_(mine, ~again.exists(), (chunks.c.number // RUN).not_in(ahead))
        lost = sa.select((chunks.c.number // RUN).label("run"), sa.func.count().label("count")).where(gone)
        lost_of = lost.group_by(sa.literal_column("1")).subquery()
        whole = sa.select(runs.c.home).outerjoin(lost_of, lost_of.c.run == runs.c.run)
        whole = whole.where(place, runs.c.folded, runs.c.hidden_of.is_(None)).group_by(runs.c.home)
        whole = whole.having(sa.func.sum(runs.c.alive) == sa.func.sum(lost_of.c.count))
        replaced = list((await self._db.execute(whole)).scalars())
        left = sa.select(runs.c.run).where(place, _in(runs.c.home, replaced))
        single = sa.and_(gone, (chunks.c.number // RUN).not_in(left))
        await self.make_stale(sa.select(chunks.c.tenant_id, chunks.c.document_id, chunks.c.id).where(single))
        await self._remove_stale(mine)
        moved = chunks.update().where(mine, staged, chunks.c.id == staged_chunks.c.id)
        moved = moved.where(sa.or_(*(chunks.c[name] != staged_chunks.c[name] for name in MOVED)))
        moved = moved.values({name: staged_chunks.c[name] for name in MOVED})
        last = (await self._db.execute(sa.select(sa.func.max(staged_chunks.c.ordinal)).where(staged))).scalar_one()
        parts = [
            staged_chunks.c.ordinal.between(first, first + MANY_ROWS - 1)
            for first in range(0, 0 if last is None else last + 1, MANY_ROWS)
        ]
        kept = sa.select(chunks.c.id).where(chunks.c.id == staged_chunks.c.id)
        for part in parts:
            await self._db.execute(moved.where(part))
            await self._db.execute(staged_chunks.delete().where(staged, part, kept.exists()))
        return replaced

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
        """What is staged still gets its place among the chunks, and in the lexical index."""
        place = {"tenant_id": tenant_id, "collection_id": document.collection_id}
        while ordinals := await self._not_there(tenant_id, document, RUN):
            numbers = await take_numbers(self._db, len(ordinals), place)
            words = await self._show(document, place, ordinals, numbers)
            await insert_postings(self._db, words, numbers, place)

    async def _not_there(self, tenant_id: str, document: Document, limit: int) -> list[int]:
        """Ordinals of the next staged chunks that no version before has."""
        await self.read_in_order()
        query = sa.select(staged_chunks.c.ordinal).where(
            staged_chunks.c.tenant_id == tenant_id, staged_chunks.c.document_id == document.id
        )
        if document.ready_version:
            # By the id alone: by the document, too, each is held against all of the document's.
            there = sa.select(chunks.c.id).where(chunks.c.id == staged_chunks.c.id)
            query = query.where(~there.exists())
        return list((await self._db.execute(query.order_by(staged_chunks.c.ordinal).limit(limit))).scalars())

    async def _show(
        self, document: Document, place: Place, ordinals: Sequence[int], numbers: Sequence[int]
    ) -> list[Terms]:
        """Staged chunks become chunks of these numbers; their words."""
        shown = {"ordinals": list(ordinals), "numbers": list(numbers), "document": document.id}
        shown |= {"tenant": place["tenant_id"], "collection": place["collection_id"]}
        return [orjson.loads(told) for told in (await self._db.execute(SHOW, shown)).scalars()]


def _in(column: sa.ColumnElement[int], values: Sequence[int]) -> sa.ColumnElement[bool]:
    return column == sa.any_(sa.literal(list(values), sa.ARRAY(sa.Integer)))
