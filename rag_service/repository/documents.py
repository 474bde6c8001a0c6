"""Rows of documents."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from chassis import context
from chassis.jobs import LEASE_SECONDS
from rag_service.domain.documents import Document, DocumentStatus
from rag_service.repository.rows import Rows, page_of
from rag_service.repository.tables import collections, documents, jobs

NOT_A_COLUMN = frozenset(("collection", "vector_store", "embedding_model"))


class DocumentRows(Rows):
    """Queries on documents, and the jobs on them."""

    async def add_document(self, document: Document) -> None:
        values = {key: value for key, value in asdict(document).items() if key not in NOT_A_COLUMN}
        await self._db.execute(documents.insert().values(values | {"status": document.status.value}))

    async def enqueue(self, kind: str, payload: Mapping[str, Any]) -> None:
        await self._jobs.enqueue(self._db, kind, context.current(), payload)

    async def delete_documents(self, tenant_id: str) -> int:
        return int((await self._db.execute(documents.delete().where(documents.c.tenant_id == tenant_id))).rowcount)

    async def drop_jobs(self, tenant_id: str) -> int:
        mine = jobs.c.tenant_id == tenant_id
        # A lease lies a little in the future; what is due, or waits for longer, nobody is at.
        leased_until = sa.func.now() + sa.func.make_interval(0, 0, 0, 0, 0, 0, LEASE_SECONDS)
        idle = sa.or_(jobs.c.run_at <= sa.func.now(), jobs.c.run_at > leased_until)
        await self._db.execute(jobs.delete().where(mine, idle))
        return int((await self._db.execute(sa.select(sa.func.count()).where(mine))).scalar_one())

    async def get_document(self, tenant_id: str, document_id: str) -> Document | None:
        query = _documents().where(
            documents.c.tenant_id == tenant_id, sa.cast(documents.c.id, sa.Text) == document_id.lower()
        )
        row = (await self._db.execute(query)).one_or_none()
        return _document(row) if row else None

    async def list_documents(
        self, tenant_id: str, collection_id: str, size: int, after: tuple[str | int, ...] | None
    ) -> list[Document]:
        query = _documents().where(documents.c.tenant_id == tenant_id)
        if collection_id:
            query = query.where(documents.c.collection_id == collection_id)
        return [_document(row) for row in await self._db.execute(page_of(query, documents, size, after))]

    async def set_progress(
        self, tenant_id: str, document_id: str, status: DocumentStatus, stage: str, progress: int, error: str = ""
    ) -> bool:
        change = documents.update().where(documents.c.tenant_id == tenant_id, documents.c.id == document_id)
        change = change.values(status=status.value, stage=stage, progress=progress, error=error)
        return bool((await self._db.execute(change)).rowcount)

    async def delete_document(self, tenant_id: str, document_id: str) -> bool:
        gone = documents.delete().where(documents.c.tenant_id == tenant_id, documents.c.id == document_id)
        return bool((await self._db.execute(gone)).rowcount)


def _documents() -> sa.Select[Any]:
    query = sa.select(
        documents,
        collections.c.name.label("collection"),
        collections.c.vector_store,
        collections.c.embedding_model,
    )
    return query.join(collections, collections.c.id == documents.c.collection_id)


def _document(row: Any) -> Document:
    values = {key: value for key, value in row._mapping.items()}  # noqa: C416, SLF001  # SQLAlchemy's public name for a row's columns
    return Document(**values | {"status": DocumentStatus(row.status)})
