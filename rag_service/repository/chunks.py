"""Rows of chunks."""

from collections.abc import Sequence

from rag_service.domain.chunks import Chunk
from rag_service.domain.documents import Document, DocumentStatus
from rag_service.repository.postings import insert_postings, take_numbers
from rag_service.repository.rows import Rows
from rag_service.repository.tables import chunks, documents

INSERT_ROWS = 2000


class ChunkRows(Rows):
    """Queries on chunks."""

    async def replace_chunks(self, tenant_id: str, document: Document, rows: Sequence[Chunk]) -> bool:
        change = documents.update().where(documents.c.tenant_id == tenant_id, documents.c.id == document.id)
        change = change.values(
            status=DocumentStatus.READY.value, stage="done", progress=100, error="", chunks=len(rows)
        )
        if not (await self._db.execute(change)).rowcount:
            return False
        await self._db.execute(
            chunks.delete().where(chunks.c.tenant_id == tenant_id, chunks.c.document_id == document.id)
        )
        place = {"tenant_id": tenant_id, "collection_id": document.collection_id}
        for start in range(0, len(rows), INSERT_ROWS):
            await self._insert_chunks(document, place, rows[start : start + INSERT_ROWS])
        return True

    async def _insert_chunks(self, document: Document, place: dict[str, str], rows: Sequence[Chunk]) -> None:
        fields = ("id", "ordinal", "text", "start", "end", "page", "heading")
        numbers = await take_numbers(self._db, rows, place)
        values = [
            {name: getattr(row, name) for name in fields}
            | {"document_id": document.id, "length": sum(row.terms.values()), "number": number, **place}
            for row, number in zip(rows, numbers, strict=True)
        ]
        await self._db.execute(chunks.insert(), values)
        await insert_postings(self._db, rows, numbers, place)
