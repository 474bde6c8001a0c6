"""A large document is gone through part by part: each part reads its own rows, not all that are left."""

import random
from collections.abc import AsyncIterator, Callable
from uuid import uuid4

import pytest
import sqlalchemy as sa

from chassis.database import Database
from chassis.settings import DatabaseSettings
from rag_service.domain.chunks import Chunk
from rag_service.domain.documents import Document
from rag_service.repository.store import PostgresRepository
from tests.integration.test_lexical import Library

CHUNKS, PART = 3000, 50


@pytest.fixture
async def library(migrated: Callable[[str], DatabaseSettings]) -> AsyncIterator[Library]:
    async with Database(migrated("rag_service"), "rag") as database:
        yield await Library(database, random.Random(7)).open()  # noqa: S311  # the same texts each time


async def staged(library: Library) -> Document:
    document = library.document()
    rows = [
        Chunk(str(uuid4()), place, f"Text {place}. " * 20, 0, 0, 0, "", f"{place:064x}", {"w": 1})
        for place in range(CHUNKS)
    ]
    async with library.store.transaction(library.tenant) as repository:
        await repository.add_document(document)
        assert await repository.stage_chunks(library.tenant, document, rows)
    return document


async def rows_read(repository: PostgresRepository, table: str) -> int:
    """On this connection, since it last told the server's statistics."""
    query = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = :table"
    return int((await repository._db.execute(sa.text(query), {"table": table})).scalar_one())


async def test_what_waits_for_vectors_is_read_once(library: Library) -> None:
    document = await staged(library)
    async with library.store.transaction(library.tenant) as repository:
        before = await rows_read(repository, "staged_chunks")
        found = await repository.next_staged(library.tenant, document.id, 1000, PART)
        assert [row.ordinal for row in found] == list(range(1001, 1001 + PART))
        assert await rows_read(repository, "staged_chunks") - before <= 2 * PART


@pytest.mark.parametrize("table", ["staged_chunks", "chunks"])
async def test_texts_of_a_document_are_read_once(library: Library, table: str) -> None:
    document = await staged(library)
    if table == "chunks":
        async with library.store.transaction(library.tenant) as repository:
            assert await repository.swap_chunks(library.tenant, document)
    texts, after = set(), None
    for _ in range(CHUNKS // PART):
        async with library.store.transaction(library.tenant) as repository:
            before = await rows_read(repository, table)
            found = await repository.embedded_texts(library.tenant, document.id, after, PART)
            assert await rows_read(repository, table) - before <= 2 * PART
        after = found[-1].mark
        texts |= {row.chunk_id for row in found}
    assert len(texts) == CHUNKS
    async with library.store.transaction(library.tenant) as repository:
        assert await repository.embedded_texts(library.tenant, document.id, after, PART) == []
