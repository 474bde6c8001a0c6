"""VectorStore with pgvector: exact for small collections; a large one has an HNSW index of its own.

Where the documents that a filter lets through are known and few, all vectors of theirs are looked at. A filter that by
a sample of the lane lets very little through is asked of every row, and all that it lets through is looked at. Else the
vectors' index is asked, with iterative scans, so that the filter does not leave it short; where it is short all the
same, every vector is looked at. So a filter finds what there is, however little.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import asyncpg
import sqlalchemy as sa
import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import Database, Query
from chassis.errors import PlatformError
from chassis.settings import ConfigurationError
from rag_service.domain.filters import Filter
from rag_service.domain.vectors import ChunkVector, StoreCapabilities
from rag_service.repository.filters import compile_filter
from rag_service.repository.tables import Vector, vector_lanes, vectors
from rag_service.repository.vectors import SHARED, PostgresVectors, numbers

log = structlog.get_logger()

WHOLE_LENGTH = 2000
"""Numbers of a vector up to which pgvector's index keeps it whole; beyond, in half precision."""
LEAST_BREADTH = 40
MOST_BREADTH = 1000
SAMPLED_ROWS = 1000
READ_ROWS = 15
"""So many rows are read, one after the other, in the time in which the index comes to one more: 1.5 µs beside 22."""
SCANNED_ROWS = 20_000
"""The index gives up after so many (hnsw.max_scan_tuples)."""
MOVE_SECONDS = 3600
REMEMBERED_LANES = 10_000
PLACE = ("tenant", "collection")
_OWN = sa.select(vector_lanes.c.lane).where(
    vector_lanes.c.tenant_id == sa.bindparam("tenant"), vector_lanes.c.collection_id == sa.bindparam("collection")
)
LANE = Query(_OWN)


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


class PgVectorStore(PostgresVectors):
    """A collection of more than `exact_vectors` gets an index."""

    capabilities = StoreCapabilities(
        tenancy="row-level security", exact=False, reads_own_writes=True, most_results=10_000, most_rows=2000
    )
    kind = "vector"

    def __init__(self, database: Database, exact_vectors: int = 5000) -> None:
        super().__init__(database)
        self._exact_vectors = exact_vectors
        self._own_lanes: dict[tuple[str, str], int] = {}

    async def upsert(self, tenant_id: str, collection_id: str, rows: Sequence[ChunkVector]) -> None:
        await super().upsert(tenant_id, collection_id, rows)
        async with self._database.transaction(tenant_id) as connection:
            if await self._lanes(connection, tenant_id, collection_id) != [SHARED]:
                return
            there = sa.select(sa.literal(1)).where(
                vectors.c.lane == SHARED, vectors.c.tenant_id == tenant_id, vectors.c.collection_id == collection_id
            )
            counted = sa.select(sa.func.count()).select_from(there.limit(self._exact_vectors + 1).subquery())
            if (await connection.execute(counted)).scalar_one() <= self._exact_vectors:
                return
        await self._move(tenant_id, collection_id)

    async def search(
        self,
        tenant_id: str,
        collection_id: str,
        vector: bytes,
        limit: int,
        wanted: Filter | None,
        among: Sequence[str] | None = None,
    ) -> list[tuple[str, float]]:
        place, breadth = (tenant_id, collection_id), min(MOST_BREADTH, max(LEAST_BREADTH, limit))
        settings: dict[str, str | int] = {
            "hnsw.ef_search": breadth,
            # What is found a little out of order is put in order here; the strict order leaves it out, for more work.
            "hnsw.iterative_scan": "relaxed_order",
            # Row-level security looks to the planner as if it left next to nothing, which it would rather sort.
            "enable_sort": "off",
        }
        if among is not None:
            settings["enable_indexscan"] = "off"
        async with self._database.transaction(tenant_id, settings=settings) as connection:
            lane = await self._lane(connection, place)
            if lane == SHARED:
                found = await self._exact(connection, (*place, SHARED), vector, limit, wanted, among)
                # The collection may have moved between the two statements.
                if found or (lane := await self._lane(connection, place)) == SHARED:
                    return found
            if among is not None:
                return await self._exact(connection, (*place, lane), vector, limit, wanted, among)
            found = []
            if wanted is None or not await self._is_narrow(connection, (*place, lane), limit, wanted):
                found = await self._nearest(connection, (*place, lane), vector, limit, wanted)
            if len(found) < limit:
                await connection.execute(sa.text("SET LOCAL enable_indexscan = off"))
                found = await self._exact(connection, (*place, lane), vector, limit, wanted)
            return found

    async def erase(self, tenant_id: str) -> None:
        await super().erase(tenant_id)
        async with self._database.transaction(tenant_id) as connection:
            await connection.execute(vector_lanes.delete().where(vector_lanes.c.tenant_id == tenant_id))
        try:
            async with self._database.transaction(tenant_id) as connection:
                await connection.execute(sa.select(sa.func.drop_free_lanes()))
        except (DBAPIError, PlatformError) as error:
            # Searches were in its way. They are empty; the next erasure drops them, too.
            log.warning("lanes of vectors that nobody has were not dropped", why=repr(error.__cause__ or error))

    async def _lane(self, connection: AsyncConnection, place: tuple[str, str]) -> int:
        """The collection's. One of its own is its own for good: it is asked for once."""
        if place not in self._own_lanes:
            rows = await LANE.rows(connection, dict(zip(PLACE, place, strict=True)))
            lane = int(rows[0].lane) if rows else SHARED
            if lane == SHARED:
                return SHARED
            if len(self._own_lanes) >= REMEMBERED_LANES:
                self._own_lanes.clear()
            self._own_lanes[place] = lane
        return self._own_lanes[place]

    async def _lanes(
        self, connection: AsyncConnection, tenant_id: str, collection_id: str = "", *, kept: bool = False
    ) -> list[int]:
        known = self._own_lanes.get((tenant_id, collection_id))
        return [SHARED, known] if known else await super()._lanes(connection, tenant_id, collection_id, kept=kept)

    async def _is_narrow(
        self, connection: AsyncConnection, place: tuple[str, str, int], limit: int, wanted: Filter
    ) -> bool:
        """Whether a filter seems to let so little through that it is cheaper to look at every row than to ask the index
        for the best and leave out the others, or that the index would give up before.
        """
        tenant_id, collection_id, lane = place
        query = sa.text("SELECT greatest(reltuples, 1) FROM pg_class WHERE relname = :name AND relkind = 'r'")
        rows = float((await connection.execute(query, {"name": f"vectors_{lane}"})).scalar_one())
        sample = sa.tablesample(vectors, sa.func.system(min(100.0, 100.0 * SAMPLED_ROWS / rows)))
        counts = sa.select(sa.func.count(), sa.func.count().filter(compile_filter(wanted, sample.c.metadata)))
        mine = sample.c.lane == lane, sample.c.tenant_id == tenant_id, sample.c.collection_id == collection_id
        seen, through = (await connection.execute(counts.where(*mine))).one()
        return through * rows <= limit * max(READ_ROWS, rows / SCANNED_ROWS) * max(1, seen)

    async def _nearest(
        self,
        connection: AsyncConnection,
        place: tuple[str, str, int],
        vector: bytes,
        limit: int,
        wanted: Filter | None,
    ) -> list[tuple[str, float]]:
        """By the index. Its expression must be met to the letter; a second key to order by would sort everything."""
        told = dict(zip((*PLACE, "lane"), place, strict=True)) | {"vector": numbers(vector), "most": limit}
        size = len(vector) // 4
        if wanted is None:
            rows = await _nearest_of_all(size).rows(connection, told)
        else:
            query = _nearest(size).where(compile_filter(wanted, vectors.c.metadata))
            rows = (await connection.execute(query, told)).all()
        return sorted(((name, cosine) for name, cosine in rows), key=lambda row: (-row[1], row[0]))

    async def _move(self, tenant_id: str, collection_id: str) -> None:
        """Gives the collection a lane of its own. If that fails it is searched as before, and tried again."""
        try:
            async with self._database.transaction(tenant_id) as connection:
                await connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
                driver = (await connection.get_raw_connection()).driver_connection
                call = "SELECT own_lane($1, $2)"
                lane = await driver.fetchval(call, tenant_id, collection_id, timeout=MOVE_SECONDS)  # type: ignore[union-attr]  # asyncpg's
        except (PlatformError, asyncpg.PostgresError) as error:
            log.warning("a large collection could not be indexed", collection_id=collection_id, why=str(error))
        else:
            log.info("a large collection is indexed", collection_id=collection_id, lane=lane)

    def _value(self, vector: bytes) -> str:
        return _text(vector)

    def _distance(self, sought: sa.ColumnElement[Any]) -> sa.ColumnElement[float]:
        return vectors.c.embedding.op("<=>", return_type=sa.Float)(sa.cast(sought, vectors.c.embedding.type))


@cache
def _nearest(size: int) -> sa.Select[Any]:
    """What the index of vectors of so many numbers answers."""
    kind = Vector(f"{'vector' if size <= WHOLE_LENGTH else 'halfvec'}({size})")
    sought = sa.cast(sa.bindparam("vector", type_=sa.ARRAY(sa.REAL)), kind)
    distance = sa.cast(vectors.c.embedding, kind).op("<=>", return_type=sa.Float)(sought)
    query = sa.select(sa.cast(vectors.c.chunk_id, sa.Text), (1 - distance).label("cosine")).where(
        vectors.c.lane == sa.bindparam("lane"),
        vectors.c.tenant_id == sa.bindparam("tenant"),
        vectors.c.collection_id == sa.bindparam("collection"),
    )
    return query.order_by(distance).limit(sa.bindparam("most"))


@cache
def _nearest_of_all(size: int) -> Query:
    return Query(_nearest(size))


def _text(vector: bytes) -> str:
    return "[" + ",".join(map(repr, numbers(vector))) + "]"
