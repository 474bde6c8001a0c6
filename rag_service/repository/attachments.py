"""Rows of documents as collections' files, and of batches."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from chassis.pagination import IdPage
from rag_service.domain.documents import Document, DocumentStatus
from rag_service.domain.files import Attached, FileBatch
from rag_service.repository.collections import COUNTS, counts_of
from rag_service.repository.documents import GOING_ON, document_of, documents_there
from rag_service.repository.rows import Rows, is_id, known_ids
from rag_service.repository.tables import batch_documents, documents, file_batches


class AttachmentRows(Rows):
    """Queries on collections' files."""

    async def attached(
        self, tenant_id: str, collection_id: str, file_ids: Sequence[str], batch_id: str = ""
    ) -> dict[str, Document]:
        query = _attached(tenant_id, Attached(collection_id, batch_id))
        ids = known_ids(file_ids)
        itself = sa.and_(documents.c.id.in_(ids), documents.c.file_id.is_(None))
        found = await self._db.execute(query.where(sa.or_(documents.c.file_id.in_(ids), itself)))
        return {document.file: document for document in map(document_of, found)}

    async def page_of_attached(self, tenant_id: str, which: Attached, page: IdPage) -> tuple[list[Document], bool]:
        query = _attached(tenant_id, which)
        if which.statuses:
            query = query.where(documents.c.status.in_([status.value for status in which.statuses]))
        rows, more = await self.page_by_id(query, (documents.c.created_at, documents.c.id), _named, page)
        return [document_of(row) for row in rows], more

    async def add_batch(self, batch: FileBatch, document_ids: Sequence[str]) -> None:
        told = {name: getattr(batch, name) for name in ("id", "tenant_id", "collection_id", "created_at", "cancelled")}
        await self._db.execute(file_batches.insert().values(told))
        rows = [{"tenant_id": batch.tenant_id, "batch_id": batch.id, "document_id": one} for one in document_ids]
        await self._db.execute(batch_documents.insert(), rows)

    async def get_batch(self, tenant_id: str, collection_id: str, batch_id: str) -> FileBatch | None:
        query = sa.select(file_batches).where(
            file_batches.c.tenant_id == tenant_id,
            is_id(file_batches.c.collection_id, collection_id),
            is_id(file_batches.c.id, batch_id),
        )
        row = (await self._db.execute(query)).one_or_none()
        if row is None:
            return None
        counted = sa.select(*COUNTS).where(*_of_batch(tenant_id, row.id))
        counts = counts_of((await self._db.execute(counted)).one())
        return FileBatch(row.id, row.tenant_id, row.collection_id, row.created_at, row.cancelled, counts)

    async def cancel_batch(self, tenant_id: str, batch_id: str, limit: int) -> list[Document]:
        which = file_batches.c.tenant_id == tenant_id, file_batches.c.id == batch_id
        await self._db.execute(file_batches.update().where(*which).values(cancelled=True))
        going_on = *_of_batch(tenant_id, batch_id), documents.c.status.in_(GOING_ON)
        query = documents_there().where(*going_on).order_by(documents.c.id).limit(limit)
        found = await self._db.execute(query.with_for_update(of=documents, key_share=True))
        ended = [_ended(document_of(row)) for row in found]
        told = {"status": "cancelled", "stage": "done", "progress": 100, "error": "", "fault": "", "waits_since": None}
        change = documents.update().where(*going_on, documents.c.id.in_([document.id for document in ended]))
        await self._db.execute(change.values(told | {"run": documents.c.run + 1}))
        return ended


def _ended(document: Document) -> Document:
    return replace(document.at(DocumentStatus.CANCELLED, "done", 100), run=document.run + 1)


def _of_batch(tenant_id: str, batch_id: str) -> tuple[sa.ColumnElement[bool], ...]:
    mine = sa.select(batch_documents.c.document_id).where(
        batch_documents.c.tenant_id == tenant_id, batch_documents.c.batch_id == batch_id
    )
    return documents.c.tenant_id == tenant_id, documents.c.erasure_id.is_(None), documents.c.id.in_(mine)


def _named(file_id: str) -> sa.ColumnElement[bool]:
    """Made of this file, or the document that is one itself."""
    itself = sa.and_(is_id(documents.c.id, file_id), documents.c.file_id.is_(None))
    return sa.or_(is_id(documents.c.file_id, file_id), itself)


def _attached(tenant_id: str, which: Attached) -> sa.Select[Any]:
    query = documents_there().where(
        documents.c.tenant_id == tenant_id, documents.c.collection_id == which.collection_id
    )
    return query.where(*_of_batch(tenant_id, which.batch_id)) if which.batch_id else query
