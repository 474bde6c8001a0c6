"""VectorStore in the service's own PostgreSQL, as far as pgvector and plain arrays have it in common.

A collection's vectors are in a lane. Lane 0 is shared by all small collections: every vector of the collection is
looked at. A large one has a lane (a partition) of its own, which pgvector indexes (docs/decisions/0010-lanes.md).
"""

import array
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, REAL, UUID, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import Database, Query
from rag_service.domain.filters import Filter
from rag_service.domain.vectors import ChunkVector, StoreCapabilities
from rag_service.repository.filters import compile_filter
from rag_service.repository.rows import one_of
from rag_service.repository.tables import vector_lanes, vectors

DELETE_ROWS = 10_000
SHARED = 0
"""The lane of small collections."""
# Arrays, not a row of parameters each: a tenth of the time.
UPSERT = """
    INSERT INTO vectors (lane, chunk_id, tenant_id, collection_id, document_id, metadata, embedding)
    SELECT CAST(:lane AS int), r.chunk_id, CAST(:tenant AS uuid), CAST(:collection AS uuid), r.document_id, r.metadata,
        CAST(r.embedding AS {kind})
    FROM unnest(CAST(:ids AS uuid[]), CAST(:documents AS uuid[]), CAST(:told AS jsonb[]), CAST(:vectors AS text[]))
        AS r(chunk_id, document_id, metadata, embedding)
    ON CONFLICT (lane, chunk_id) DO UPDATE SET
        embedding = excluded.embedding, metadata = excluded.metadata, collection_id = excluded.collection_id
"""

HELD = Query(
    sa.select(sa.cast(vectors.c.embedding, ARRAY(REAL))).where(
        vectors.c.lane == sa.any_(sa.bindparam("lanes", type_=ARRAY(sa.Integer))),
        vectors.c.tenant_id == sa.bindparam("tenant"),
        vectors.c.collection_id == sa.bindparam("collection"),
        vectors.c.chunk_id == sa.any_(sa.bindparam("ids", type_=ARRAY(UUID(as_uuid=False)))),
    )
)


class PostgresVectors(ABC):
    """A tenant's rows are told apart by row-level security and, for the planner, by an explicit predicate."""

    capabilities: StoreCapabilities
    kind: str
    """The type of the vectors' column."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._all = [Query(self._exactly(among=among)) for among in (False, True)]

    async def upsert(self, tenant_id: str, collection_id: str, rows: Sequence[ChunkVector]) -> None:
        if not rows:
            return
        values = {
            "tenant": tenant_id,
            "collection": collection_id,
            "ids": [row.chunk_id for row in rows],
            "documents": [row.document_id for row in rows],
            "told": [orjson.dumps(dict(row.metadata)).decode() for row in rows],
            "vectors": [self._value(row.vector) for row in rows],
        }
        async with self._database.transaction(tenant_id) as connection:
            lane = await self._lane_to_write(connection, tenant_id, collection_id)
            await connection.execute(sa.text(UPSERT.format(kind=self.kind)), values | {"lane": lane})

    async def search(
        self,
        tenant_id: str,
        collection_id: str,
        vector: bytes,
        limit: int,
        wanted: Filter | None,
        among: Sequence[str] | None = None,
    ) -> list[tuple[str, float]]:
        async with self._database.transaction(tenant_id) as connection:
            return await self._exact(connection, (tenant_id, collection_id, SHARED), vector, limit, wanted, among)

    async def vectors(self, tenant_id: str, collection_id: str, chunk_ids: Sequence[str]) -> list[bytes]:
        async with self._database.transaction(tenant_id) as connection:
            lanes = await self._lanes(connection, tenant_id, collection_id)
            told = {"tenant": tenant_id, "collection": collection_id, "lanes": lanes, "ids": list(chunk_ids)}
            return [array.array("f", numbers).tobytes() for (numbers,) in await HELD.rows(connection, told)]

    async def visible(self, _tenant_id: str, _collection_id: str, _rows: Sequence[ChunkVector]) -> None:
        return  # they are already

    async def sample(self, tenant_id: str, document_id: str, limit: int) -> list[tuple[str, bytes]]:
        query = sa.select(vectors.c.chunk_id, sa.cast(vectors.c.embedding, ARRAY(REAL)).label("numbers"))
        async with self._database.transaction(tenant_id) as connection:
            lanes = await self._lanes(connection, tenant_id)
            query = query.where(
                vectors.c.lane.in_(lanes), vectors.c.tenant_id == tenant_id, vectors.c.document_id == document_id
            )
            found = await connection.execute(query.limit(limit))
            return [(row.chunk_id, array.array("f", row.numbers).tobytes()) for row in found]

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

    async def _exact(
        self,
        connection: AsyncConnection,
        place: tuple[str, str, int],
        vector: bytes,
        limit: int,
        wanted: Filter | None,
        among: Sequence[str] | None = None,
    ) -> list[tuple[str, float]]:
        told = dict(zip(("tenant", "collection", "lane"), place, strict=True)) | {"most": limit}
        told |= {"vector": numbers(vector), "among": among}
        if wanted is None or among is not None:
            # What documents are let through, has been asked.
            rows = await self._all[among is not None].rows(connection, told)
        else:
            query = self._exactly(among=False).where(compile_filter(wanted, vectors.c.metadata))
            rows = (await connection.execute(query, told)).all()
        return [(name, float(cosine)) for name, cosine in rows]

    def _exactly(self, *, among: bool) -> sa.Select[str, float]:
        """The nearest of all, or of those of some documents."""
        distance = self._distance(sa.bindparam("vector", type_=ARRAY(REAL)))
        query = sa.select(sa.cast(vectors.c.chunk_id, sa.Text), (1 - distance).label("cosine")).where(
            vectors.c.lane == sa.bindparam("lane"),
            vectors.c.tenant_id == sa.bindparam("tenant"),
            vectors.c.collection_id == sa.bindparam("collection"),
        )
        if among:
            query = query.where(one_of(vectors.c.document_id, "among"))
        return query.order_by(distance, vectors.c.chunk_id).limit(sa.bindparam("most"))

    async def _lane_to_write(self, connection: AsyncConnection, tenant_id: str, collection_id: str) -> int:
        """The collection's lane, which stays its lane until the transaction ends."""
        of_it = sa.select(vector_lanes.c.lane).where(
            vector_lanes.c.tenant_id == tenant_id, vector_lanes.c.collection_id == collection_id
        )
        query = of_it.with_for_update(read=True)
        lane = (await connection.execute(query)).scalar_one_or_none()
        if lane is None:
            made = insert(vector_lanes).values(tenant_id=tenant_id, collection_id=collection_id)
            await connection.execute(made.on_conflict_do_nothing())
            lane = (await connection.execute(query)).scalar_one()
        return int(lane)

    async def _lanes(
        self, connection: AsyncConnection, tenant_id: str, collection_id: str = "", *, kept: bool = False
    ) -> list[int]:
        """The tenant's lanes, or its collection's; if `kept`, nothing moves between them until the transaction ends."""
        query = sa.select(vector_lanes.c.lane).where(vector_lanes.c.tenant_id == tenant_id)
        if collection_id:
            query = query.where(vector_lanes.c.collection_id == collection_id)
        if kept:
            query = query.order_by(vector_lanes.c.collection_id).with_for_update(read=True)
        found = (await connection.execute(query)).scalars().all()
        return sorted({SHARED, *found})

    async def _delete(self, tenant_id: str, which: sa.ColumnElement[bool]) -> None:
        """Part by part, lane by lane, so that none takes longer than a statement may; nothing moves meanwhile."""
        row: sa.ColumnElement[Any] = sa.literal_column("ctid")
        emptied = False
        while not emptied:
            async with self._database.transaction(tenant_id) as connection:
                for lane in await self._lanes(connection, tenant_id, kept=True):
                    mine = sa.and_(vectors.c.lane == lane, vectors.c.tenant_id == tenant_id)
                    some = sa.select(row).select_from(vectors).where(mine, which).limit(DELETE_ROWS).correlate(None)
                    gone = vectors.delete().where(mine, row == sa.any_(sa.func.array(some.scalar_subquery())))
                    emptied = (await connection.execute(gone)).rowcount < DELETE_ROWS
                    if not emptied:
                        break

    @abstractmethod
    def _value(self, vector: bytes) -> str:
        """The vector as the column's type reads it."""

    @abstractmethod
    def _distance(self, sought: sa.ColumnElement[Any]) -> sa.ColumnElement[float]:
        """One less the cosine, of each row, with a vector that is given as an array."""


class ArrayVectorStore(PostgresVectors):
    """With arrays: ten times slower than pgvector, for some ten thousand passages. Vectors have length 1, so their
    product is the cosine.
    """

    capabilities = StoreCapabilities(
        tenancy="row-level security", exact=True, reads_own_writes=True, most_results=10_000, most_rows=2000
    )
    kind = "real[]"

    def _value(self, vector: bytes) -> str:
        return "{" + ",".join(map(repr, numbers(vector))) + "}"

    def _distance(self, sought: sa.ColumnElement[Any]) -> sa.ColumnElement[float]:
        return 1 - sa.func.dot_product(vectors.c.embedding, sought, type_=sa.Float)


def numbers(vector: bytes) -> list[float]:
    """Those of a vector."""
    return array.array("f", vector).tolist()
