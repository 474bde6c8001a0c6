"""One suite over every vector store: what is found, in which order, by which filter, and never another tenant's."""

import array
import math
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from chassis.database import Database, url
from chassis.settings import DatabaseSettings
from rag_service.adapters.registry import VECTOR_STORES
from rag_service.domain.vectors import ChunkVector, VectorStore
from rag_service.policy.filters import parse

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


@pytest.fixture(params=list(VECTOR_STORES))
async def store(migrated: DatabaseSettings, request: pytest.FixtureRequest) -> AsyncIterator[VectorStore]:
    wanted = "real[]" if request.param == "arrays" else "vector"
    dsn = url(migrated, "rag", owner=True).set(drivername="postgresql").render_as_string(hide_password=False)
    owner = await asyncpg.connect(dsn)
    await owner.execute(f"ALTER TABLE vectors ALTER COLUMN embedding TYPE {wanted} USING embedding::{wanted}")
    await owner.close()
    async with Database(migrated, "rag") as database:
        yield VECTOR_STORES.load(request.param)(database)


def vector(*numbers: float) -> bytes:
    length = math.sqrt(sum(number * number for number in numbers))
    return array.array("f", (number / length for number in numbers)).tobytes()


def row(document: str, numbers: tuple[float, ...], **metadata: Any) -> ChunkVector:
    return ChunkVector(str(uuid4()), document, vector(*numbers), metadata)


async def test_the_nearest_come_first_with_their_cosine(store: VectorStore) -> None:
    tenant, collection, document = (str(uuid4()) for _ in range(3))
    near, far, middle = (row(document, numbers) for numbers in ((1, 0.1, 0), (0, 0, 1), (1, 1, 0)))
    await store.upsert(tenant, collection, [far, middle, near])
    found = await store.search(tenant, collection, vector(1, 0, 0), 10, None)
    assert [name for name, _ in found] == [near.chunk_id, middle.chunk_id, far.chunk_id]
    assert found[1][1] == pytest.approx(1 / math.sqrt(2), abs=1e-5)
    assert found[2][1] == pytest.approx(0, abs=1e-6)
    assert len(await store.search(tenant, collection, vector(1, 0, 0), 2, None)) == 2


async def test_vectors_come_back_to_their_tenant_only(store: VectorStore) -> None:
    tenant, other, collection, document = (str(uuid4()) for _ in range(4))
    one, two = row(document, (1, 0.1, 0)), row(document, (0, 0, 1))
    await store.upsert(tenant, collection, [one, two])
    names = [one.chunk_id, two.chunk_id, str(uuid4())]
    found = await store.vectors(tenant, collection, names)
    assert sorted(found) == sorted([one.vector, two.vector])
    assert await store.vectors(other, collection, names) == []
    assert await store.vectors(tenant, str(uuid4()), names) == []
    assert await store.vectors(tenant, collection, []) == []


async def test_writing_again_replaces(store: VectorStore) -> None:
    tenant, collection, document = (str(uuid4()) for _ in range(3))
    first = row(document, (1, 0))
    await store.upsert(tenant, collection, [first])
    await store.upsert(tenant, collection, [ChunkVector(first.chunk_id, document, vector(0, 1), {})])
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
    await store.upsert(tenant, collection, list(rows.values()))
    found = await store.search(tenant, collection, vector(1, 0), 10, parse(wanted))
    assert {name for name, one in rows.items() if one.chunk_id in dict(found)} == expected


async def test_neither_tenants_nor_collections_mix_and_deleting_takes_only_its_own(store: VectorStore) -> None:
    tenant, stranger, collection, other, document = (str(uuid4()) for _ in range(5))
    mine, theirs, elsewhere = row(document, (1, 0)), row(document, (1, 0)), row(document, (1, 0))
    await store.upsert(tenant, collection, [mine])
    await store.upsert(stranger, collection, [theirs])
    await store.upsert(tenant, other, [elsewhere])
    assert [name for name, _ in await store.search(tenant, collection, vector(1, 0), 10, None)] == [mine.chunk_id]
    await store.delete_document(tenant, document)
    assert await store.search(tenant, collection, vector(1, 0), 10, None) == []
    assert len(await store.search(stranger, collection, vector(1, 0), 10, None)) == 1
