"""Rows of erasures, and what of a document goes last."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from rag_service.domain.erasures import COUNTED, ErasedDocument, Erasure
from rag_service.repository.rows import Rows
from rag_service.repository.tables import collections, documents, erasures, probes, stale_vectors


class ErasureRows(Rows):
    """Queries on erasures."""

    async def add_erasure(self, tenant_id: str, erasure: Erasure) -> None:
        values = {
            "id": erasure.id,
            "tenant_id": tenant_id,
            "document_id": erasure.document_id or None,
            "documents": erasure.documents,
            "counts": dict.fromkeys(COUNTED, 0),
            "created_at": erasure.created_at,
        }
        await self._db.execute(erasures.insert().values(values))

    async def get_erasure(self, tenant_id: str, erasure_id: str) -> Erasure | None:
        query = sa.select(erasures).where(
            erasures.c.tenant_id == tenant_id, sa.cast(erasures.c.id, sa.Text) == erasure_id.lower()
        )
        row = (await self._db.execute(query)).one_or_none()
        if row is None:
            return None
        return Erasure(
            row.id, row.tenant_id, row.created_at, row.documents, row.document_id or "", row.ended_at, row.counts
        )

    async def next_erased(self, tenant_id: str, erasure_id: str) -> ErasedDocument | None:
        query = sa.select(documents, collections.c.vector_store, collections.c.embedding_model)
        query = query.join(collections, collections.c.id == documents.c.collection_id)
        query = query.where(documents.c.tenant_id == tenant_id, documents.c.erasure_id == erasure_id)
        row = (await self._db.execute(query.order_by(documents.c.id).limit(1))).one_or_none()
        if row is None:
            return None
        titles = tuple(dict.fromkeys((row.title, *([row.coming["title"]] if row.coming else []))))
        return ErasedDocument(row.id, tenant_id, row.collection_id, titles, row.vector_store, row.embedding_model)

    async def keep_probes(
        self, tenant_id: str, erasure_id: str, document_id: str, found: Sequence[tuple[str, bytes]]
    ) -> None:
        rows = [
            {
                "tenant_id": tenant_id,
                "erasure_id": erasure_id,
                "document_id": document_id,
                "chunk_id": chunk_id,
                "vector": vector,
            }
            for chunk_id, vector in found
        ]
        if rows:
            await self._db.execute(insert(probes).values(rows).on_conflict_do_nothing())

    async def kept_probes(self, tenant_id: str, document_id: str) -> Sequence[tuple[str, bytes]]:
        query = sa.select(probes.c.chunk_id, probes.c.vector).where(
            probes.c.tenant_id == tenant_id, probes.c.document_id == document_id
        )
        return [(row.chunk_id, bytes(row.vector)) for row in await self._db.execute(query)]

    async def add_counts(self, tenant_id: str, erasure_id: str, counts: Mapping[str, int]) -> None:
        query = sa.select(erasures.c.counts).where(erasures.c.tenant_id == tenant_id, erasures.c.id == erasure_id)
        held = (await self._db.execute(query.with_for_update())).scalar_one()
        change = erasures.update().where(erasures.c.tenant_id == tenant_id, erasures.c.id == erasure_id)
        sums = {name: held.get(name, 0) + counts.get(name, 0) for name in COUNTED}
        await self._db.execute(change.values(counts=sums))

    async def remove_document(self, tenant_id: str, document_id: str) -> bool:
        for table in (probes, stale_vectors):
            await self._db.execute(
                table.delete().where(table.c.tenant_id == tenant_id, table.c.document_id == document_id)
            )
        gone = documents.delete().where(documents.c.tenant_id == tenant_id, documents.c.id == document_id)
        return bool((await self._db.execute(gone)).rowcount)

    async def end_erasure(self, tenant_id: str, erasure_id: str, at: datetime) -> None:
        change = erasures.update().where(erasures.c.tenant_id == tenant_id, erasures.c.id == erasure_id)
        await self._db.execute(change.values(ended_at=at))
