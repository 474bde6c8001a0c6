"""Filters that match few rows of a large lane: complete, and not slow. The judge is a search without any index."""

import array
import os
import statistics
import time
from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest

from chassis.database import Database, url
from chassis.settings import DatabaseSettings
from rag_service.domain.filters import Filter
from rag_service.policy.filters import parse
from rag_service.repository.pgvector import PgVectorStore
from tests.performance.test_search_speed import migrated, texts  # noqa: F401  # a fixture

ROWS = int(os.environ.get("AISP_FILTERED_ROWS", "4000"))
"""`make test` takes a few; the figures in the notes are of 200,000."""
SIZE = 128
FILTERS = {
    "none": "",
    "ten rows by a value": '{"op": "eq", "field": "batch", "value": 7}',
    "ten rows by values": '{"op": "in", "field": "batch", "value": [8, 9, -1]}',
    "some rows by a number": f'{{"op": "lt", "field": "number", "value": {ROWS // 1000}}}',
    "one in a hundred": '{"op": "eq", "field": "year", "value": 1991}',
    "all but one in a hundred": '{"op": "ne", "field": "year", "value": 1991}',
    "nothing": '{"op": "eq", "field": "year", "value": 1066}',
}
INSERT = """
    INSERT INTO vectors_0 (lane, chunk_id, tenant_id, collection_id, document_id, metadata, embedding)
    SELECT 0, gen_random_uuid(), $1, $2, gen_random_uuid(), jsonb_build_object(
        'batch', row.number / 10, 'number', row.number, 'year', 1950 + row.number % 100, 'about', 'what documents have'
    ), row.embedding::vector FROM unnest($3::int[], $4::text[]) AS row(number, embedding)
"""


@pytest.fixture
async def lane(migrated: DatabaseSettings) -> AsyncIterator[tuple[Database, str, str]]:  # noqa: F811
    tenant, collection = str(uuid4()), str(uuid4())
    dsn = url(migrated, "rag", owner=True).set(drivername="postgresql").render_as_string(hide_password=False)
    owner = await asyncpg.connect(dsn)
    await owner.execute("SELECT set_config('aisp.tenant', '*', false)")
    await owner.execute("INSERT INTO vector_lanes (tenant_id, collection_id) VALUES ($1, $2)", tenant, collection)
    for start in range(0, ROWS, 2000):
        made = texts(2000, 50 + start)[:, :SIZE]
        told = [str(row.tolist()) for row in made[: ROWS - start]]
        await owner.execute(INSERT, tenant, collection, list(range(start, start + len(told))), told)
    await owner.fetchval("SELECT own_lane($1, $2)", tenant, collection, timeout=1800)
    await owner.close()
    async with Database(migrated, "rag") as database:
        yield database, tenant, collection


async def right(store: PgVectorStore, place: tuple[str, str], question: bytes, wanted: Filter | None) -> list[str]:
    """What is nearest, by looking at all."""
    async with store._database.transaction(place[0]) as connection:
        lane = await store._prepared(connection, place, 10)
        for name in ("indexscan", "bitmapscan"):
            await connection.exec_driver_sql(f"SET LOCAL enable_{name} = off")
        return [name for name, _ in await store._exact(connection, (*place, lane), question, 10, wanted)]


async def test_a_filter_that_matches_little_finds_it_all_and_fast(lane: tuple[Database, str, str]) -> None:
    database, *place = lane
    store, where = PgVectorStore(database), (place[0], place[1])
    questions = [array.array("f", row[:SIZE].tolist()).tobytes() for row in texts(12, 7)]
    told, recall = {}, {}
    for name, said in FILTERS.items():
        wanted, took, shares = parse(said), [], []
        for question in questions:
            began = time.perf_counter()
            found = [chunk for chunk, _ in await store.search(*where, question, 10, wanted)]
            took.append(time.perf_counter() - began)
            judged = await right(store, where, question, wanted)
            assert len(found) == len(judged)
            shares.append(len(set(found) & set(judged)) / len(judged) if judged else 1.0)
        told[name], recall[name] = round(1000 * statistics.median(took), 1), round(statistics.mean(shares), 3)
    print({"rows": ROWS, "p50 in ms": told, "recall@10": recall})  # with -s
    for name in ("ten rows by a value", "ten rows by values", "some rows by a number", "nothing"):
        assert recall[name] == 1, recall
    assert min(recall.values()) >= 0.9


TENANTS = int(os.environ.get("AISP_TENANTS", "5"))
EACH = int(os.environ.get("AISP_TENANT_ROWS", "400"))
"""`make test` takes a few; the figures in the notes are of 50 others, and 5,000 rows each."""
MADE = """
    INSERT INTO vectors_0 (lane, chunk_id, tenant_id, collection_id, document_id, metadata, embedding)
    SELECT 0, gen_random_uuid(), $1, $2, gen_random_uuid(), '{}', (
        SELECT array_agg(random() - 0.5) FROM generate_series(1, 64) WHERE row.number > 0)::real[]::vector
    FROM generate_series(1, $3) AS row(number)
"""


async def test_a_search_costs_what_its_tenant_has_not_what_all_have(migrated: DatabaseSettings) -> None:  # noqa: F811
    """A tenant of some thousand rows, alone and beside others of as many."""
    tenants = [(str(uuid4()), str(uuid4())) for _ in range(TENANTS + 1)]
    dsn = url(migrated, "rag", owner=True).set(drivername="postgresql").render_as_string(hide_password=False)
    owner = await asyncpg.connect(dsn)
    await owner.execute("SELECT set_config('aisp.tenant', '*', false)")

    async def fill(some: list[tuple[str, str]]) -> None:
        for tenant, collection in some:
            await owner.execute(MADE, tenant, collection, EACH)
        await owner.execute("ANALYZE vectors_0")

    questions = [array.array("f", row[:64].tolist()).tobytes() for row in texts(20, 7)]

    async def least(store: PgVectorStore) -> float:
        """On a busy machine the medians tell of others."""
        took = []
        for question in questions * 2:
            began = time.perf_counter()
            assert len(await store.search(*tenants[0], question, 10, None)) == 10
            took.append(time.perf_counter() - began)
        return min(took)

    async with Database(migrated, "rag") as database:
        store = PgVectorStore(database)
        await fill(tenants[:1])
        await least(store)
        alone = await least(store)
        await fill(tenants[1:])
        await least(store)
        beside = await least(store)
    for tenant, _ in tenants:
        await owner.execute("DELETE FROM vectors_0 WHERE tenant_id = $1", tenant)
    await owner.close()
    told = {"rows": EACH, "others": TENANTS, "least in ms": [round(1000 * one, 2) for one in (alone, beside)]}
    print(told, "ratio", round(beside / alone, 2))  # with -s
    assert beside <= 3 * alone, told
