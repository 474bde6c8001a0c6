"""One suite over every vector store behind the port.

pgvector, arrays   real PostgreSQL
pgvector-hnsw      the same, where every collection of more than two vectors has a lane and an index of its own
qdrant-local       Qdrant's client over its own local mode
qdrant-edge        Qdrant's client over HTTP, before Qdrant's real engine in this process
weaviate           Weaviate's client (REST and gRPC) before a stand-in: unverified on the real service
pinecone           Pinecone's client before a stand-in whose writes lag: unverified on the real service
twin               the plainest implementation, the judge
"""

import array
import asyncio
import json
import math
import os
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from qdrant_client import AsyncQdrantClient

from chassis.database import Database, url
from chassis.settings import DatabaseSettings
from rag_service.adapters.qdrant import QdrantVectors
from rag_service.adapters.registry import VECTOR_STORES
from rag_service.domain.filters import Filter
from rag_service.domain.vectors import ChunkVector, VectorStore
from rag_service.policy.filters import parse
from tests.conftest import HAS_PGVECTOR, NEEDS_PGVECTOR
from tests.standins.pinecone import pinecone
from tests.standins.qdrant_edge import qdrant_edge
from tests.standins.vector_twin import VectorTwin, matches
from tests.standins.weaviate import weaviate

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def migrated(postgres: DatabaseSettings) -> DatabaseSettings:
    environment = os.environ | {
        "AI_PLATFORM_DATABASE__HOST": postgres.host,
        "AI_PLATFORM_DATABASE__PORT": str(postgres.port),
        "AI_PLATFORM_DATABASE__OWNER_PASSWORD": postgres.owner_password.get_secret_value(),
    }
    command = [sys.executable, "-m", "rag_service", "migrate"]
    subprocess.run(command, check=True, env=environment, cwd=ROOT, capture_output=True)
    return postgres


pytestmark = pytest.mark.filterwarnings(
    "ignore:Payload indexes have no effect in the local Qdrant", "ignore:Local mode performs exact"
)

PGVECTOR = tuple(pytest.param(name, marks=NEEDS_PGVECTOR) for name in ("pgvector", "pgvector-hnsw"))
STORES = (*PGVECTOR, "arrays", "qdrant-local", "qdrant-edge", "weaviate", "pinecone", "twin")
COMMON = {"prefix": "aisp", "seconds": 10.0}


async def emptied(migrated: DatabaseSettings, column: str) -> None:
    """Takes all vectors away, and makes the column what a server with pgvector, or without it, has."""
    dsn = url(migrated, "rag", owner=True).set(drivername="postgresql").render_as_string(hide_password=False)
    owner = await asyncpg.connect(dsn)
    await owner.execute("SELECT set_config('aisp.tenant', '*', false)")
    children = "SELECT inhrelid::regclass::text AS lane FROM pg_inherits WHERE inhparent = 'vectors'::regclass"
    lanes = await owner.fetch(children)
    for lane in {row["lane"] for row in lanes} - {"vectors_0"}:
        await owner.execute(f"DROP TABLE {lane}")
    await owner.execute("TRUNCATE vector_lanes, vectors")
    await owner.execute(f"ALTER TABLE vectors ALTER COLUMN embedding TYPE {column} USING embedding::{column}")
    await owner.close()


@asynccontextmanager
async def in_postgres(name: str, migrated: DatabaseSettings) -> AsyncIterator[VectorStore]:
    await emptied(migrated, "real[]" if name == "arrays" else "vector")
    async with Database(migrated, "rag") as database:
        if name == "pgvector-hnsw":
            yield VECTOR_STORES.load("pgvector")(database, exact_vectors=2)
        else:
            yield VECTOR_STORES.load(name)(database)
    if name == "arrays" and HAS_PGVECTOR:
        # The database is other tests', too.
        await emptied(migrated, "vector")


@asynccontextmanager
async def opened(name: str, migrated: DatabaseSettings, directory: Path) -> AsyncIterator[VectorStore]:
    async with AsyncExitStack() as stack:
        made: VectorStore
        if name in ("pgvector", "pgvector-hnsw", "arrays"):
            made = await stack.enter_async_context(in_postgres(name, migrated))
        elif name == "qdrant-local":
            made = QdrantVectors(AsyncQdrantClient(":memory:"), "aisp")
        elif name == "qdrant-edge":
            address = await stack.enter_async_context(qdrant_edge(directory))
            made = VECTOR_STORES.load("qdrant")(url=address, key="", **COMMON)
        elif name == "weaviate":
            address, grpc_address = await stack.enter_async_context(weaviate())
            made = VECTOR_STORES.load("weaviate")(url=address, grpc_address=grpc_address, key="", **COMMON)
        elif name == "pinecone":
            there = (await stack.enter_async_context(pinecone())).address
            place = {"cloud": "aws", "region": "us-east-1", "lag_seconds": 10.0}
            made = VECTOR_STORES.load("pinecone")(key="test-key", host=there, **place, **COMMON)
        else:
            made = VectorTwin()
        stack.push_async_callback(made.close)
        yield made


@pytest.fixture(params=STORES)
async def store(
    migrated: DatabaseSettings, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[VectorStore]:
    async with opened(request.param, migrated, tmp_path) as made:
        yield made


async def written(store: VectorStore, tenant: str, collection: str, rows: Sequence[ChunkVector]) -> None:
    """As ingestion does it."""
    await store.upsert(tenant, collection, rows)
    await store.visible(tenant, collection, rows)


def vector(*numbers: float) -> bytes:
    length = math.sqrt(sum(number * number for number in numbers))
    return array.array("f", (number / length for number in numbers)).tobytes()


def row(document: str, numbers: tuple[float, ...], **metadata: Any) -> ChunkVector:
    return ChunkVector(str(uuid4()), document, vector(*numbers), metadata)


async def test_the_nearest_come_first_with_their_cosine(store: VectorStore) -> None:
    tenant, collection, document = (str(uuid4()) for _ in range(3))
    near, far, middle = (row(document, numbers) for numbers in ((1, 0.1, 0), (0, 0, 1), (1, 1, 0)))
    await written(store, tenant, collection, [far, middle, near])
    found = await store.search(tenant, collection, vector(1, 0, 0), 10, None)
    assert [name for name, _ in found] == [near.chunk_id, middle.chunk_id, far.chunk_id]
    assert found[1][1] == pytest.approx(1 / math.sqrt(2), abs=1e-5)
    assert found[2][1] == pytest.approx(0, abs=1e-6)
    assert len(await store.search(tenant, collection, vector(1, 0, 0), 2, None)) == 2


async def test_vectors_come_back_to_their_tenant_only(store: VectorStore) -> None:
    tenant, other, collection, document = (str(uuid4()) for _ in range(4))
    one, two = row(document, (1, 0.1, 0)), row(document, (0, 0, 1))
    await written(store, tenant, collection, [one, two])
    names = [one.chunk_id, two.chunk_id, str(uuid4())]
    found = await store.vectors(tenant, collection, names)
    assert sorted(found) == sorted([one.vector, two.vector])
    assert await store.vectors(other, collection, names) == []
    assert await store.vectors(tenant, str(uuid4()), names) == []
    assert await store.vectors(tenant, collection, []) == []


async def test_writing_again_replaces(store: VectorStore) -> None:
    tenant, collection, document = (str(uuid4()) for _ in range(3))
    first = row(document, (1, 0))
    await written(store, tenant, collection, [first])
    await written(store, tenant, collection, [ChunkVector(first.chunk_id, document, vector(0, 1), {})])
    found = await store.search(tenant, collection, vector(0, 1), 10, None)
    assert [name for name, _ in found] == [first.chunk_id]
    assert found[0][1] == pytest.approx(1)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ('{"op": "eq", "field": "year", "value": 2024}', {"a"}),
        ('{"op": "ne", "field": "year", "value": 2024}', {"b", "c"}),
        ('{"op": "gte", "field": "year", "value": 2024}', {"a", "b"}),
        ('{"op": "lt", "field": "year", "value": 2024.5}', {"a"}),
        ('{"op": "gt", "field": "name", "value": "a"}', {"b", "c"}),
        ('{"op": "in", "field": "name", "value": ["a", "c"]}', {"a", "c"}),
        ('{"op": "nin", "field": "name", "value": ["a", "c"]}', {"b"}),
        ('{"op": "eq", "field": "draft", "value": true}', {"c"}),
        ('{"op": "gt", "field": "name", "value": 1}', set()),
        ('{"op": "not", "filter": {"op": "gte", "field": "year", "value": 2025}}', {"a", "c"}),
        ('{"op": "not", "filter": {"op": "lt", "field": "name", "value": "b"}}', {"b", "c"}),
        ('{"op": "not", "filter": {"op": "not", "filter": {"op": "gt", "field": "year", "value": 2024}}}', {"b"}),
        (
            (
                '{"op": "not", "filter": {"op": "or", "filters": [{"op": "eq", "field": "draft", "value": true},'
                ' {"op": "lte", "field": "year", "value": 2024}]}}'
            ),
            {"b"},
        ),
        (
            (
                '{"op": "and", "filters": [{"op": "gt", "field": "year", "value": 2000},'
                ' {"op": "or", "filters": [{"op": "eq", "field": "name", "value": "b"},'
                ' {"op": "eq", "field": "name", "value": "c"}]}]}'
            ),
            {"b"},
        ),
    ],
)
async def test_filters(store: VectorStore, wanted: str, expected: set[str]) -> None:
    tenant, collection, document = (str(uuid4()) for _ in range(3))
    rows = {
        "a": row(document, (1, 0), year=2024, name="a"),
        "b": row(document, (1, 0), year=2025, name="b"),
        "c": row(document, (1, 0), year="2030", name="c", draft=True),
    }
    await written(store, tenant, collection, list(rows.values()))
    found = await store.search(tenant, collection, vector(1, 0), 10, parse(wanted))
    assert {name for name, one in rows.items() if one.chunk_id in dict(found)} == expected


async def test_neither_tenants_nor_collections_mix_and_deleting_takes_only_its_own(store: VectorStore) -> None:
    tenant, stranger, collection, other, document = (str(uuid4()) for _ in range(5))
    mine, theirs, elsewhere = row(document, (1, 0)), row(document, (1, 0)), row(document, (1, 0))
    await written(store, tenant, collection, [mine])
    await written(store, stranger, collection, [theirs])
    await written(store, tenant, other, [elsewhere])
    assert [name for name, _ in await store.search(tenant, collection, vector(1, 0), 10, None)] == [mine.chunk_id]
    await store.delete_document(tenant, document)
    assert await store.search(tenant, collection, vector(1, 0), 10, None) == []
    assert await store.search(tenant, other, vector(1, 0), 10, None) == []
    assert len(await store.search(stranger, collection, vector(1, 0), 10, None)) == 1


async def test_some_chunks_or_a_whole_tenant_are_removed(store: VectorStore) -> None:
    tenant, stranger, collection, document = (str(uuid4()) for _ in range(4))
    rows = [row(document, (1, number)) for number in range(5)]
    await written(store, tenant, collection, rows)
    await written(store, stranger, collection, [theirs := row(document, (1, 0))])
    await store.delete_chunks(tenant, [rows[0].chunk_id, rows[3].chunk_id, theirs.chunk_id])
    found = dict(await store.search(tenant, collection, vector(1, 0), 10, None))
    assert set(found) == {rows[index].chunk_id for index in (1, 2, 4)}
    await store.erase(tenant)
    assert await store.search(tenant, collection, vector(1, 0), 10, None) == []
    assert len(await store.search(stranger, collection, vector(1, 0), 10, None)) == 1
    await store.erase(tenant)


async def test_what_is_deleted_before_it_is_seen_does_not_come_back(store: VectorStore) -> None:
    """Also where writes are applied late (here 0.2 s): those of a worker that died are not left behind."""
    tenant, collection, document = (str(uuid4()) for _ in range(3))
    rows = [row(document, (1, number)) for number in range(3)]
    await written(store, tenant, collection, [row(document, (0, 1))])
    await store.upsert(tenant, collection, rows)
    await store.delete_chunks(tenant, [one.chunk_id for one in rows])
    if not store.capabilities.reads_own_writes:
        await asyncio.sleep(0.5)
    assert len(await store.search(tenant, collection, vector(1, 0), 10, None)) == 1


async def test_vectors_can_be_read_back(store: VectorStore) -> None:
    tenant, collection, document = (str(uuid4()) for _ in range(3))
    rows = [row(document, (1, number)) for number in range(3)]
    await written(store, tenant, collection, [*rows, row(str(uuid4()), (0, 1))])
    told = dict(await store.sample(tenant, document, 10))
    assert set(told) == {one.chunk_id for one in rows}
    for one in rows:
        assert list(array.array("f", told[one.chunk_id])) == pytest.approx(list(array.array("f", one.vector)), abs=1e-6)
    assert len(await store.sample(tenant, document, 2)) == 2
    assert await store.sample(str(uuid4()), document, 2) == []


async def test_vectors_of_several_lengths_live_side_by_side(store: VectorStore) -> None:
    tenant, document, short, long = (str(uuid4()) for _ in range(4))
    await written(store, tenant, short, [row(document, (1, 0))])
    await written(store, tenant, long, [row(document, (1, 0, 0))])
    assert len(await store.search(tenant, short, vector(1, 0), 10, None)) == 1
    assert len(await store.search(tenant, long, vector(1, 0, 0), 10, None)) == 1
    await store.delete_document(tenant, document)
    assert await store.search(tenant, short, vector(1, 0), 10, None) == []
    assert await store.search(tenant, long, vector(1, 0, 0), 10, None) == []


async def test_nothing_is_there_before_anything_is_written(store: VectorStore) -> None:
    tenant, collection = str(uuid4()), str(uuid4())
    await store.check()
    assert await store.search(tenant, collection, vector(1, 0, 0, 0), 10, None) == []
    await store.delete_document(tenant, str(uuid4()))
    await store.delete_chunks(tenant, [str(uuid4())])
    assert store.capabilities.told()


CASES = 10_000
"""Filters, made from one seed: the same for every store."""
FIELDS = ("year", "name", "draft", "Straße mit Ü", "x.y[0]")
TEXTS = (
    "",
    "a",
    "abcde",
    "abcdef",
    "abcdefg",
    "abcdefghijkl",
    "abcdefghijklm",
    "Ä",
    "é",
    "z" * 60,
    "\U0001f600",
    "2024-01-31",
)
NUMBERS = (0, 1, -1, 2024, 2024.5, 0.1, -0.0, 1e-9, 2**53, -(2**53), 3.0)


def values(rng: random.Random) -> Any:
    return rng.choice((rng.choice(TEXTS), rng.choice(NUMBERS), rng.choice((True, False))))


def generated(rng: random.Random, depth: int = 0) -> dict[str, Any]:
    if depth < 3 and rng.random() < 0.35:
        parts = [generated(rng, depth + 1) for _ in range(rng.randint(1, 3))]
        return {"op": rng.choice(("and", "or")), "filters": parts}
    if depth < 3 and rng.random() < 0.1:
        return {"op": "not", "filter": generated(rng, depth + 1)}
    op, field = rng.choice(("eq", "ne", "gt", "gte", "lt", "lte", "in", "nin")), rng.choice((*FIELDS, "missing"))
    if op in ("in", "nin"):
        return {"op": op, "field": field, "value": [values(rng) for _ in range(rng.randint(1, 3))]}
    value = values(rng)
    while op not in ("eq", "ne") and (isinstance(value, bool) or (isinstance(value, str) and len(value) > 48)):
        value = values(rng)
    return {"op": op, "field": field, "value": value}


@pytest.mark.slow
async def test_ten_thousand_filters_mean_the_same_everywhere(store: VectorStore) -> None:
    rng = random.Random(7)  # noqa: S311  # the same cases each time
    tenant, collection, document = (str(uuid4()) for _ in range(3))
    rows = [
        row(document, (1, number), **{field: values(rng) for field in FIELDS if rng.random() < 0.7})
        for number in range(24)
    ]
    await written(store, tenant, collection, rows)
    filters = [wanted for _ in range(CASES) if (wanted := parse(json.dumps(generated(rng))))]
    assert len(filters) == CASES
    at_once = asyncio.Semaphore(8)

    async def found(wanted: Filter) -> set[str]:
        async with at_once:
            return {name for name, _ in await store.search(tenant, collection, vector(1, 0), 100, wanted)}

    for start in range(0, CASES, 500):
        part = filters[start : start + 500]
        for wanted, told in zip(part, await asyncio.gather(*map(found, part)), strict=True):
            assert told == {one.chunk_id for one in rows if matches(wanted, one.metadata)}, wanted
