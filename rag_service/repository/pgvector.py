"""VectorStore in the service's own PostgreSQL, with pgvector. Exact: it looks at every vector of the collection."""

import array
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from chassis.database import Database
from rag_service.domain import ChunkVector, Filter
from rag_service.repository.filters import compile_filter
from rag_service.repository.tables import vectors


class PgVectorStore:
    """A tenant's rows are told apart by row-level security and, for the planner, by an explicit predicate."""

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
                "embedding": _text(row.vector),
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
        sought = sa.cast(sa.literal(_text(vector), sa.Text), vectors.c.embedding.type)
        distance = vectors.c.embedding.op("<=>", return_type=sa.Float)(sought)
        query = sa.select(vectors.c.chunk_id, (1 - distance).label("cosine")).where(
            vectors.c.tenant_id == tenant_id,
            vectors.c.collection_id == collection_id,
            compile_filter(wanted, vectors.c.metadata),
        )
        query = query.order_by(distance, vectors.c.chunk_id).limit(limit)
        async with self._database.transaction(tenant_id) as connection:
            return [(row.chunk_id, float(row.cosine)) for row in await connection.execute(query)]

    async def delete_document(self, tenant_id: str, document_id: str, keep: Sequence[str] = ()) -> None:
        gone = vectors.delete().where(vectors.c.tenant_id == tenant_id, vectors.c.document_id == document_id)
        if keep:
            gone = gone.where(vectors.c.chunk_id.not_in(keep))
        async with self._database.transaction(tenant_id) as connection:
            await connection.execute(gone)

    async def check(self) -> None:
        await self._database.check()


def _text(vector: bytes) -> str:
    return "[" + ",".join(map(repr, array.array("f", vector))) + "]"
