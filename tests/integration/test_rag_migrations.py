"""rag_service's revisions with rows in the tables: to the newest, back to the first, and forth again."""

import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from chassis.database import Database, url
from chassis.settings import DatabaseSettings
from rag_service.domain.vectors import ChunkVector, VectorStore
from rag_service.repository.pgvector import PgVectorStore, has_pgvector
from rag_service.repository.vectors import ArrayVectorStore
from tests.integration.test_lexical import Library

ROOT = Path(__file__).parents[2]
NEAR = b"\x00\x00\x80?" + b"\x00" * 12
FAR = b"\x00" * 12 + b"\x00\x00\x80?"


@pytest.fixture
def alembic(postgres: DatabaseSettings) -> Callable[..., None]:
    environment = os.environ | {
        "AI_PLATFORM_DATABASE__HOST": postgres.host,
        "AI_PLATFORM_DATABASE__PORT": str(postgres.port),
        "AI_PLATFORM_DATABASE__PASSWORD": postgres.password.get_secret_value(),
        "AI_PLATFORM_DATABASE__OWNER_PASSWORD": postgres.owner_password.get_secret_value(),
    }

    def run(*arguments: str) -> None:
        command = [sys.executable, "-m", "alembic", "-n", "rag", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]

    return run


async def posting_rows(postgres: DatabaseSettings) -> dict[tuple[str, str], int]:
    """As the first revision had them."""
    dsn = url(postgres, "rag", owner=True).set(drivername="postgresql").render_as_string(hide_password=False)
    owner = await asyncpg.connect(dsn)
    try:
        await owner.execute("SELECT set_config('aisp.tenant', '*', false)")
        rows = await owner.fetch("SELECT chunk_id::text AS chunk, term, frequency FROM postings")
        return {(row["chunk"], row["term"]): row["frequency"] for row in rows}
    finally:
        await owner.close()


async def vector_store(database: Database) -> VectorStore:
    """What the server has."""
    return PgVectorStore(database, exact_vectors=2) if await has_pgvector(database) else ArrayVectorStore(database)


async def test_down_and_up_again_nothing_is_lost(postgres: DatabaseSettings, alembic: Callable[..., None]) -> None:
    alembic("upgrade", "head")
    document = str(uuid4())
    async with Database(postgres, "rag") as database:
        library = await Library(database, random.Random(3)).open()  # noqa: S311  # the same texts each time
        kept = [await library.add(*(library.text() for _ in range(20))) for _ in range(40)]
        await library.remove(kept[7])
        await library.add(Counter({"often": 700}))
        store = await vector_store(database)
        rows = [ChunkVector(str(uuid4()), document, vector, {}) for vector in (NEAR, FAR, FAR)]
        await store.upsert(library.tenant, library.collection.id, rows)
        found = await store.search(library.tenant, library.collection.id, NEAR, 3, None)
    alembic("downgrade", "rag_0001")
    held = {key: count for key, count in (await posting_rows(postgres)).items() if key[0] in library.texts}
    assert held == {(name, term): count for name, (_, text) in library.texts.items() for term, count in text.items()}
    alembic("upgrade", "head")
    async with Database(postgres, "rag") as database:
        library.database, library.store = database, library.store.__class__(database, library.store._jobs)
        await library.check(10)
        await library.remove(kept[3])
        await library.check(5)
        store = await vector_store(database)
        assert await store.search(library.tenant, library.collection.id, NEAR, 3, None) == found
    alembic("downgrade", "base")
    alembic("upgrade", "head")
