"""Filters that let little of a large collection through: complete, and not slow. The judge is a search without index.

The same at any size: AISP_FILTERED_CHUNKS=1000000 AISP_FILTERED_SIZE=64 AISP_FILTERED_MEMORY=2GB with
AISP_FILTERED_EACH=10, AISP_FILTERED_PATTERNS=4 and AISP_FILTERED_WORDS=20000 tells what a million chunks of a tenant
cost.
"""

import array
import os
import statistics
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import asyncpg
import pytest

from chassis.context import Keyring
from chassis.database import Database, url
from chassis.jobs import Jobs
from chassis.settings import DatabaseSettings
from rag_service.domain.collections import Collection
from rag_service.domain.filters import Filter
from rag_service.domain.search import SearchMode, Seeking
from rag_service.domain.usage import Tally
from rag_service.policy.filters import parse
from rag_service.repository.pgvector import PgVectorStore
from rag_service.repository.store import PostgresStore
from rag_service.repository.tables import jobs
from rag_service.service.collections import Collections
from rag_service.service.search import Models, Search, SearchRules
from tests.conftest import NEEDS_PGVECTOR
from tests.performance.library import Library, questions
from tests.performance.test_search_speed import migrated, texts  # noqa: F401  # a fixture

pytestmark = NEEDS_PGVECTOR

CHUNKS = int(os.environ.get("AISP_FILTERED_CHUNKS", "3000"))
"""`make test` takes a few; the figures in the notes are of 50,000 and 1,000,000."""
SIZE = int(os.environ.get("AISP_FILTERED_SIZE", "96"))
MEMORY = os.environ.get("AISP_FILTERED_MEMORY", "256MB")
EACH_DOCUMENT = int(os.environ.get("AISP_FILTERED_EACH", "1"))
PATTERNS = int(os.environ.get("AISP_FILTERED_PATTERNS", "0"))
WORDS = int(os.environ.get("AISP_FILTERED_WORDS", "200000"))
ASKED = 20
FILTERS = {
    "none": "",
    "five documents": '{"op": "eq", "field": "batch", "value": "b7"}',
    "fifteen documents": '{"op": "in", "field": "batch", "value": ["b8", "b9", "b10", -1]}',
    "one in a thousand": f'{{"op": "lt", "field": "number", "value": {CHUNKS // EACH_DOCUMENT // 1000}}}',
    "one in a hundred": '{"op": "eq", "field": "year", "value": 1991}',
    "one in ten": '{"op": "eq", "field": "ten", "value": 3}',
    "all but one in a hundred": '{"op": "ne", "field": "year", "value": 1991}',
    "nothing": '{"op": "eq", "field": "year", "value": 1066}',
    "nothing, untold": '{"op": "and", "filters": [{"op": "ne", "field": "about", "value": "what documents have"}]}',
}


@pytest.fixture
async def library(migrated: DatabaseSettings) -> AsyncIterator[tuple[Database, Library]]:  # noqa: F811
    made = Library(str(uuid4()), str(uuid4()), CHUNKS // EACH_DOCUMENT, EACH_DOCUMENT, SIZE, WORDS, PATTERNS)
    async with Database(migrated, "rag") as database:
        collection = Collection(made.collection, made.tenant, "default", "", "pgvector", "m", datetime.now(UTC))
        store = PostgresStore(database, Jobs(jobs, Keyring("rag_service", root=b"r" * 32)))
        async with store.transaction(made.tenant) as repository:
            await repository.add_collection(collection)
        dsn = url(migrated, "rag", owner=True).set(drivername="postgresql").render_as_string(hide_password=False)
        owner = await asyncpg.connect(dsn)
        began = time.perf_counter()
        await made.fill(owner, MEMORY)
        print(f"\n{CHUNKS} chunks, vectors of {SIZE}, written in {time.perf_counter() - began:.0f} s")  # with -s
        await owner.close()
        yield database, made


class Given:
    """The vectors of questions, made before."""

    def __init__(self, library: Library, asked: list[str]) -> None:
        self.vectors: dict[str, bytes] = dict(
            zip(asked, (row.tobytes() for row in library.vectors(len(asked), 7)), strict=True)
        )

    async def embed_query(self, _model: str, text: str, _tally: Tally) -> bytes:
        return self.vectors[text]


def searching(database: Database, embedder: Given) -> Search:
    store = PostgresStore(database, Jobs(jobs, Keyring("rag_service", root=b"r" * 32)))
    stores: Any = {"pgvector": PgVectorStore(database)}
    collections = Collections(store, lambda: datetime.now(UTC), stores, "m")
    models = Models(cast("Any", embedder), cast("Any", SimpleNamespace()), cast("Any", SimpleNamespace()))
    return Search(store, stores, models, collections, SearchRules())


async def right(database: Database, library: Library, question: bytes, wanted: Filter | None) -> list[str]:
    """What is nearest, by looking at all."""
    store, place = PgVectorStore(database), (library.tenant, library.collection)
    async with database.transaction(library.tenant) as connection:
        lane = await store._lane(connection, place)
        for name in ("indexscan", "bitmapscan"):
            await connection.exec_driver_sql(f"SET LOCAL enable_{name} = off")
        return [name for name, _ in await store._exact(connection, (*place, lane), question, 10, wanted)]


async def test_a_filter_that_lets_little_through_finds_it_all_and_fast(library: tuple[Database, Library]) -> None:
    database, made = library
    asked = questions(ASKED, 5, WORDS)
    embedder = Given(made, asked)
    search = searching(database, embedder)
    recall: dict[str, float] = {}
    for name, said in FILTERS.items():
        wanted, told = parse(said), {}
        for mode in SearchMode:
            took = []
            for question in asked:
                began = time.perf_counter()
                found = await search.find(made.tenant, Seeking(question, 10, "", wanted, mode), Tally())
                took.append(time.perf_counter() - began)
            told[mode.value] = round(1000 * statistics.median(took), 1)
        shares = []
        for question in asked[:5]:
            found = await search.find(made.tenant, Seeking(question, 10, "", wanted, SearchMode.DENSE), Tally())
            names = {passage.chunk_id for passage in found.passages}
            judged = set(await right(database, made, embedder.vectors[question], wanted))
            assert len(names) == len(judged)
            shares.append(len(names & judged) / len(judged) if judged else 1.0)
        recall[name] = statistics.mean(shares)
        print(name, told, "recall@10", round(recall[name], 3))  # with -s
    for name in ("five documents", "fifteen documents", "one in a thousand", "nothing", "nothing, untold"):
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
