"""Rows of documents."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.database import PLATFORM
from rag_service.domain.documents import Chunking, Description, Document, DocumentStatus, Doomed, Listing
from rag_service.repository.filters import compile_filter
from rag_service.repository.rows import Rows, is_id, page_of
from rag_service.repository.tables import collections, documents, jobs

DESCRIBED = ("title", "file_name", "media_type", "metadata", "bytes", "sha256")
GOING_ON = (DocumentStatus.QUEUED.value, DocumentStatus.RUNNING.value)
STATE = ("stage", "progress", "error", "fault", "chunks", "version", "ready_version", "run", "waits_since")


class DocumentRows(Rows):
    """Queries on documents."""

    async def add_documents(self, documents_: Sequence[Document]) -> None:
        if documents_:
            await self._db.execute(documents.insert(), [_row(document) for document in documents_])

    async def add_document(self, document: Document) -> None:
        await self._db.execute(documents.insert().values(_row(document)))

    async def delete_documents(self, tenant_id: str) -> int:
        return int((await self._db.execute(documents.delete().where(documents.c.tenant_id == tenant_id))).rowcount)

    async def drop_jobs(self, tenant_id: str) -> int:
        mine = jobs.c.tenant_id == tenant_id
        # Nobody is at what waits (see chassis/jobs.py), nor at what is due.
        idle = sa.or_(jobs.c.attempts <= 0, jobs.c.run_at <= sa.func.now())
        await self._db.execute(jobs.delete().where(mine, idle))
        return int((await self._db.execute(sa.select(sa.func.count()).where(mine))).scalar_one())

    async def get_document(self, tenant_id: str, document_id: str, *, lock: bool = False) -> Document | None:
        query = documents_there().where(documents.c.tenant_id == tenant_id, is_id(documents.c.id, document_id))
        if lock:
            # Whoever writes chunks of it, which refer to it, is not waited for.
            query = query.with_for_update(of=documents, key_share=True)
        row = (await self._db.execute(query)).one_or_none()
        return document_of(row) if row else None

    async def find_same(self, tenant_id: str, collection_id: str, described: Description) -> Document | None:
        query = documents_there().where(
            documents.c.tenant_id == tenant_id,
            documents.c.collection_id == collection_id,
            documents.c.identity == identity(described),
        )
        row = (await self._db.execute(query.order_by(documents.c.created_at, documents.c.id).limit(1))).one_or_none()
        return document_of(row) if row else None

    async def one_at_a_time(self, tenant_id: str, collection_id: str, sha256: str) -> None:
        key = sa.func.hashtextextended(f"{tenant_id}/{collection_id}/{sha256}", 0)
        await self._db.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))

    async def list_documents(
        self, tenant_id: str, collection_id: str, which: Listing, size: int, after: tuple[str | int, ...] | None
    ) -> list[Document]:
        query = documents_there().where(
            documents.c.tenant_id == tenant_id, compile_filter(which.filter, documents.c.metadata)
        )
        if which.status is not None:
            query = query.where(documents.c.status == which.status.value)
        if collection_id:
            query = query.where(documents.c.collection_id == collection_id)
        return [document_of(row) for row in await self._db.execute(page_of(query, documents, size, after))]

    async def put_version(self, tenant_id: str, document: Document) -> None:
        change = documents.update().where(documents.c.tenant_id == tenant_id, documents.c.id == document.id)
        await self._db.execute(change.values(_values(document)))

    async def claim_document(self, tenant_id: str, document: Document, claim: str) -> Document | None:
        change = documents.update().where(_wanted(tenant_id, document)).values(claim=claim)
        return replace(document, claim=claim) if (await self._db.execute(change)).rowcount else None

    async def set_progress(self, tenant_id: str, document: Document) -> bool:
        change = documents.update().where(current(tenant_id, document))
        told = {name: getattr(document, name) for name in ("stage", "progress", "error", "fault", "waits_since")}
        change = change.values(status=document.status.value, **told)
        return bool((await self._db.execute(change)).rowcount)

    async def present_runs(self, tenant_id: str, document_ids: Sequence[str]) -> dict[str, int]:
        query = sa.select(documents.c.id, documents.c.run).where(
            documents.c.id.in_(document_ids), documents.c.erasure_id.is_(None)
        )
        if tenant_id != PLATFORM:
            query = query.where(documents.c.tenant_id == tenant_id)
        return {row.id: row.run for row in await self._db.execute(query)}

    async def of_collection(self, tenant_id: str, collection_id: str, names: Sequence[str]) -> set[str]:
        query = sa.select(documents.c.id).where(
            documents.c.tenant_id == tenant_id,
            documents.c.collection_id == collection_id,
            documents.c.erasure_id.is_(None),
            sa.cast(documents.c.id, sa.Text) == sa.any_(sa.cast(list(names), ARRAY(sa.Text))),
        )
        return set((await self._db.execute(query)).scalars())

    async def mark_erased(self, tenant_id: str, erasure_id: str, which: Doomed) -> list[str]:
        mine = [documents.c.tenant_id == tenant_id, documents.c.erasure_id.is_(None)]
        if which.ids:
            mine.append(sa.cast(documents.c.id, sa.Text).in_([one.lower() for one in which.ids]))
        if which.collection_id:
            told = compile_filter(which.wanted, documents.c.metadata)
            mine += [documents.c.collection_id == which.collection_id, told]
        if which.file_id:
            mine.append(documents.c.file_id == which.file_id)
        change = documents.update().where(*mine).values(erasure_id=erasure_id, run=documents.c.run + 1)
        return list((await self._db.execute(change.returning(documents.c.id))).scalars())


def identity(described: Description) -> str:
    """What makes two documents the same."""
    told = (described.sha256, described.title, described.file_name, dict(described.metadata))
    return hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()


def current(tenant_id: str, document: Document) -> sa.ColumnElement[bool]:
    """The document's row, while its run is not over and no other worker has taken it."""
    return sa.and_(_wanted(tenant_id, document), documents.c.claim == document.claim)


def _wanted(tenant_id: str, document: Document) -> sa.ColumnElement[bool]:
    return sa.and_(
        documents.c.status.in_(GOING_ON),
        documents.c.tenant_id == tenant_id,
        documents.c.id == document.id,
        documents.c.run == document.run,
        documents.c.erasure_id.is_(None),
    )


def _row(document: Document) -> dict[str, Any]:
    place = {name: getattr(document, name) for name in ("id", "tenant_id", "collection_id")}
    return place | {"file_id": document.file_id or None} | _values(document)


def _values(document: Document) -> dict[str, Any]:
    coming = asdict(document.coming) if document.coming else None
    return {
        **asdict(document.described),
        **{name: getattr(document, name) for name in STATE},
        "status": document.status.value,
        "created_at": document.created_at,
        "coming": coming,
        "identity": identity(document.latest),
        "own_chunk_tokens": document.own_chunking and document.own_chunking.tokens,
        "own_chunk_overlap": document.own_chunking and document.own_chunking.overlap,
    }


def documents_there() -> sa.Select[Any]:
    """Documents with what they have of their collections; those that are being erased are left out."""
    query = sa.select(
        documents,
        collections.c.name.label("collection"),
        collections.c.vector_store,
        collections.c.embedding_model,
        collections.c.chunk_tokens,
        collections.c.chunk_overlap,
    )
    query = query.join(collections, collections.c.id == documents.c.collection_id)
    return query.where(documents.c.erasure_id.is_(None))


def document_of(row: Any) -> Document:
    """Out of a row of the query above."""
    own = Chunking(row.own_chunk_tokens, row.own_chunk_overlap) if row.own_chunk_tokens else None
    return Document(
        id=row.id,
        tenant_id=row.tenant_id,
        collection_id=row.collection_id,
        collection=row.collection,
        described=Description(**{name: getattr(row, name) for name in DESCRIBED}),
        coming=Description(**row.coming) if row.coming else None,
        status=DocumentStatus(row.status),
        created_at=row.created_at,
        vector_store=row.vector_store,
        embedding_model=row.embedding_model,
        chunking=own or Chunking(row.chunk_tokens, row.chunk_overlap),
        own_chunking=own,
        file_id=row.file_id or "",
        claim=row.claim,
        **{name: getattr(row, name) for name in STATE},
    )
