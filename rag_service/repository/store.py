"""Queries on collections, documents, chunks and postings. Returns domain types; decides nothing."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import context
from chassis.database import Database
from chassis.jobs import Jobs
from rag_service.domain import (
    Chunk,
    Collection,
    CollectionExists,
    Document,
    DocumentStatus,
    Filter,
    Passage,
)
from rag_service.repository.filters import compile_filter
from rag_service.repository.tables import chunks, collections, documents, postings

BM25_K1 = 1.2
BM25_B = 0.75
INSERT_ROWS = 2000
NOT_A_COLUMN = frozenset(("collection",))

BM25 = """
    WITH size AS (
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


class PostgresRepository:
    """Queries of one transaction."""

    def __init__(self, connection: AsyncConnection, jobs: Jobs) -> None:
        self._db = connection
        self._jobs = jobs

    async def add_collection(self, collection: Collection) -> None:
        values = {key: value for key, value in asdict(collection).items() if key != "documents"}
        try:
            await self._db.execute(collections.insert().values(values))
        except IntegrityError as error:
            raise CollectionExists from error

    async def find_collection(self, tenant_id: str, name: str) -> Collection | None:
        query = _counted().where(collections.c.tenant_id == tenant_id, collections.c.name == name)
        row = (await self._db.execute(query)).one_or_none()
        return _collection(row) if row else None

    async def list_collections(
        self, tenant_id: str, size: int, after: tuple[str | int, ...] | None
    ) -> list[Collection]:
        query = _page(_counted().where(collections.c.tenant_id == tenant_id), collections, size, after)
        return [_collection(row) for row in await self._db.execute(query)]

    async def add_document(self, document: Document) -> None:
        values = {key: value for key, value in asdict(document).items() if key not in NOT_A_COLUMN}
        await self._db.execute(documents.insert().values(values | {"status": document.status.value}))

    async def enqueue(self, kind: str, payload: Mapping[str, Any]) -> None:
        await self._jobs.enqueue(self._db, kind, context.current(), payload)

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
        return [_document(row) for row in await self._db.execute(_page(query, documents, size, after))]

    async def set_progress(
        self, tenant_id: str, document_id: str, status: DocumentStatus, stage: str, progress: int, error: str = ""
    ) -> bool:
        change = documents.update().where(documents.c.tenant_id == tenant_id, documents.c.id == document_id)
        change = change.values(status=status.value, stage=stage, progress=progress, error=error)
        return bool((await self._db.execute(change)).rowcount)

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

    async def delete_document(self, tenant_id: str, document_id: str) -> bool:
        gone = documents.delete().where(documents.c.tenant_id == tenant_id, documents.c.id == document_id)
        return bool((await self._db.execute(gone)).rowcount)

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

    async def _insert_chunks(self, document: Document, place: dict[str, str], rows: Sequence[Chunk]) -> None:
        fields = ("id", "ordinal", "text", "start", "end", "page", "heading")
        values = [
            {name: getattr(row, name) for name in fields}
            | {"document_id": document.id, "length": sum(row.terms.values()), **place}
            for row in rows
        ]
        await self._db.execute(chunks.insert(), values)
        found = [
            {"term": term, "chunk_id": row.id, "frequency": frequency, **place}
            for row in rows
            for term, frequency in row.terms.items()
        ]
        if found:
            await self._db.execute(postings.insert(), found)


class PostgresStore:
    """Opens transactions on the service's database."""

    def __init__(self, database: Database, jobs: Jobs) -> None:
        self._database = database
        self._jobs = jobs

    @asynccontextmanager
    async def transaction(self, tenant_id: str) -> AsyncIterator[PostgresRepository]:
        async with self._database.transaction(tenant_id) as connection:
            yield PostgresRepository(connection, self._jobs)


def _counted() -> sa.Select[Any]:
    count = sa.select(sa.func.count()).where(documents.c.collection_id == collections.c.id).scalar_subquery()
    return sa.select(collections, count.label("documents"))


def _documents() -> sa.Select[Any]:
    query = sa.select(documents, collections.c.name.label("collection"))
    return query.join(collections, collections.c.id == documents.c.collection_id)


def _page(query: sa.Select[Any], table: sa.Table, size: int, after: tuple[str | int, ...] | None) -> sa.Select[Any]:
    """Newest first, after the row whose (microseconds, id) is `after`; one row more than the size."""
    micros = sa.cast(sa.extract("epoch", table.c.created_at) * 1_000_000, sa.BigInteger)
    key = sa.cast(table.c.id, sa.Text)
    if after is not None:
        position = sa.tuple_(sa.literal(int(after[0])), sa.literal(str(after[1])))
        query = query.where(sa.tuple_(micros, key) < position)
    return query.order_by(micros.desc(), key.desc()).limit(size + 1)


def _collection(row: Any) -> Collection:
    return Collection(
        row.id,
        row.tenant_id,
        row.name,
        row.description,
        row.vector_store,
        row.embedding_model,
        row.created_at,
        row.documents,
    )


def _document(row: Any) -> Document:
    values = {key: value for key, value in row._mapping.items()}  # noqa: C416, SLF001  # SQLAlchemy's public name for a row's columns
    return Document(**values | {"status": DocumentStatus(row.status)})
