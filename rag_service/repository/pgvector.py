"""VectorStore in the service's own PostgreSQL. Exact: it looks at every vector of the collection.

pgvector   where the server has that extension
arrays     where it has not: plain arrays, the same results, ten times slower; for some ten thousand passages
"""

import array
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, REAL, insert

from chassis.database import Database
from chassis.settings import ConfigurationError
from rag_service.domain.filters import Filter
from rag_service.domain.vectors import ChunkVector, StoreCapabilities
from rag_service.repository.filters import compile_filter
from rag_service.repository.tables import vectors

DELETE_ROWS = 10_000


async def has_pgvector(database: Database) -> bool:
    """Whether the vectors are kept as pgvector's type (decided when the table was made)."""
    query = sa.text(
        "SELECT udt_name FROM information_schema.columns WHERE table_name = 'vectors' AND column_name = 'embedding'"
    )
    async with database.platform() as connection:
        found = (await connection.execute(query)).scalar_one_or_none()
    if found is None:
        raise ConfigurationError("the database aisp_rag is not migrated: run `python -m rag_service migrate`")
    return str(found) == "vector"


class PostgresVectors(ABC):
    """A tenant's rows are told apart by row-level security and, for the planner, by an explicit predicate."""

    capabilities = StoreCapabilities(
        tenancy="row-level security", exact=True, reads_own_writes=True, most_results=10_000, most_rows=2000
    )

    def __init__(self, database: Database) -> None:
        self._database = database

    async def upsert(self, tenant_id: str, collection_id: str, rows: Sequence[ChunkVector]) -> None:
        values = [
            {
                "chunk_id": row.chunk_id,
                "tenant_id": tenant_id,
                "collection_id": collection_id,
                "document_id": row.document_id,
                "metadata": dict(row.metadata),
                "embedding": self._value(row.vector),
            }
            for row in rows
        ]
        if not values:
            return
        statement = insert(vectors).values(values)
        kept = {name: statement.excluded[name] for name in ("embedding", "metadata", "collection_id")}
        statement = statement.on_conflict_do_update(index_elements=["chunk_id"], set_=kept)
        async with self._database.transaction(tenant_id) as connection:
            await connection.execute(statement)

    async def search(
        self, tenant_id: str, collection_id: str, vector: bytes, limit: int, wanted: Filter | None
    ) -> list[tuple[str, float]]:
        distance = self._distance(vector)
        query = sa.select(vectors.c.chunk_id, (1 - distance).label("cosine")).where(
            vectors.c.tenant_id == tenant_id,
            vectors.c.collection_id == collection_id,
            compile_filter(wanted, vectors.c.metadata),
        )
        query = query.order_by(distance, vectors.c.chunk_id).limit(limit)
        async with self._database.transaction(tenant_id) as connection:
            return [(row.chunk_id, float(row.cosine)) for row in await connection.execute(query)]

    async def vectors(self, tenant_id: str, collection_id: str, chunk_ids: Sequence[str]) -> list[bytes]:
        query = sa.select(sa.cast(vectors.c.embedding, sa.Text)).where(
            vectors.c.tenant_id == tenant_id,
            vectors.c.collection_id == collection_id,
            vectors.c.chunk_id.in_(chunk_ids),
        )
        async with self._database.transaction(tenant_id) as connection:
            found = (await connection.execute(query)).scalars().all()
        return [array.array("f", map(float, text[1:-1].split(","))).tobytes() for text in found]

    async def visible(self, _tenant_id: str, _collection_id: str, _rows: Sequence[ChunkVector]) -> None:
        return  # they are already

    async def sample(self, tenant_id: str, document_id: str, limit: int) -> list[tuple[str, bytes]]:
        query = sa.select(vectors.c.chunk_id, sa.cast(vectors.c.embedding, ARRAY(REAL)).label("numbers"))
        query = query.where(vectors.c.tenant_id == tenant_id, vectors.c.document_id == document_id).limit(limit)
        async with self._database.transaction(tenant_id) as connection:
            return [(row.chunk_id, array.array("f", row.numbers).tobytes()) for row in await connection.execute(query)]

    async def delete_chunks(self, tenant_id: str, chunk_ids: Sequence[str]) -> None:
        for start in range(0, len(chunk_ids), DELETE_ROWS):
            await self._delete(tenant_id, vectors.c.chunk_id.in_(chunk_ids[start : start + DELETE_ROWS]))

    async def delete_document(self, tenant_id: str, document_id: str) -> None:
        await self._delete(tenant_id, vectors.c.document_id == document_id)

    async def erase(self, tenant_id: str) -> None:
        await self._delete(tenant_id, sa.true())

    async def check(self) -> None:
        await self._database.check()

    async def close(self) -> None:
        return  # the database is the service's

    async def _delete(self, tenant_id: str, which: sa.ColumnElement[bool]) -> None:
        async with self._database.transaction(tenant_id) as connection:
            await connection.execute(vectors.delete().where(vectors.c.tenant_id == tenant_id, which))

    @abstractmethod
    def _value(self, vector: bytes) -> Any:
        """The vector as the column takes it."""

    @abstractmethod
    def _distance(self, vector: bytes) -> sa.ColumnElement[float]:
        """One less the cosine, of each row."""


class PgVectorStore(PostgresVectors):
    """With pgvector."""

    def _value(self, vector: bytes) -> Any:
        return _text(vector)

    def _distance(self, vector: bytes) -> sa.ColumnElement[float]:
        sought = sa.cast(sa.literal(_text(vector), sa.Text), vectors.c.embedding.type)
        return vectors.c.embedding.op("<=>", return_type=sa.Float)(sought)


class ArrayVectorStore(PostgresVectors):
    """With arrays. Vectors have length 1, so their product is the cosine."""

    def _value(self, vector: bytes) -> Any:
        return sa.literal(_numbers(vector), ARRAY(REAL))

    def _distance(self, vector: bytes) -> sa.ColumnElement[float]:
        product: sa.ColumnElement[float] = sa.func.dot_product(
            vectors.c.embedding, sa.literal(_numbers(vector), ARRAY(REAL)), type_=sa.Float
        )
        return 1 - product


def _numbers(vector: bytes) -> list[float]:
    return array.array("f", vector).tolist()


def _text(vector: bytes) -> str:
    return "[" + ",".join(map(repr, _numbers(vector))) + "]"
