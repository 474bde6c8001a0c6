"""The index of what metadata say: it lets through what a filter means, no more and no less, and is used."""

import json
import random
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from chassis.database import Database
from chassis.settings import DatabaseSettings
from rag_service.domain.documents import Description, Document, DocumentStatus
from rag_service.domain.filters import Condition
from rag_service.domain.vectors import ChunkVector
from rag_service.policy.filters import parse
from rag_service.repository.facets import _some, _ways
from rag_service.repository.pgvector import PgVectorStore
from rag_service.repository.tables import chunks, facets
from tests.conftest import NEEDS_PGVECTOR
from tests.contract.test_vector_stores import FIELDS, generated, values, vector
from tests.integration.test_lexical import Library
from tests.standins.vector_twin import matches

MANY = 1_000_000
NOW = datetime(2026, 11, 26, tzinfo=UTC)


@pytest.fixture
async def library(migrated: Callable[[str], DatabaseSettings]) -> AsyncIterator[Library]:
    async with Database(migrated("rag_service"), "rag") as database:
        yield await Library(database, random.Random(5)).open()  # noqa: S311  # the same texts each time


async def added(library: Library, metadata: Mapping[str, Any], chunks: int = 1) -> Document:
    document = Document(
        str(uuid4()), library.tenant, library.collection.id, "default", Description("t", "", "", metadata, 1, ""),
        DocumentStatus.RUNNING, "indexing", NOW,
    )  # fmt: skip
    async with library.store.transaction(library.tenant) as repository:
        await repository.add_document(document)
    await library.write(document, *(library.text() for _ in range(chunks)))
    return document


async def let_through(library: Library, wanted: Mapping[str, Any], most: int = MANY) -> set[str] | None:
    async with library.store.transaction(library.tenant) as repository:
        told = parse(json.dumps(wanted))
        assert told is not None
        found = await repository.documents_let_through(library.tenant, library.collection.id, told, most)
    return None if found is None else set(found.documents)


def equal(field: str, value: Any) -> dict[str, Any]:
    return {"op": "eq", "field": field, "value": value}


async def test_generated_filters_let_through_what_they_mean(library: Library) -> None:
    rng = random.Random(11)  # noqa: S311  # the same cases each time
    told = [{field: values(rng) for field in FIELDS if rng.random() < 0.7} for _ in range(24)]
    documents = {(await added(library, metadata)).id: metadata for metadata in told}
    known = 0
    for _ in range(600):
        wanted = generated(rng)
        found, condition = await let_through(library, wanted), parse(json.dumps(wanted))
        if found is not None:
            known += 1
            assert found == {name for name, metadata in documents.items() if matches(condition, metadata)}, wanted
    assert known > 300
    assert await let_through(library, equal("no such field", 1)) == set()
    assert await let_through(library, {"op": "ne", "field": "no such field", "value": 1}) is None


async def test_it_follows_changes_and_says_when_there_are_many(library: Library) -> None:
    near = "the same sixty-four characters, and then some that are not, so far: "
    one, other = await added(library, {"about": near + "one"}, 3), await added(library, {"about": near + "other"}, 2)
    async with library.store.transaction(library.tenant) as repository:
        # Longer names than filters may have are not indexed, and do no harm.
        await repository.add_document(
            replace(one, id=str(uuid4()), described=Description("t", "", "", {"n" * 5000: 1}, 1, ""))
        )
    assert await let_through(library, equal("about", near + "one")) == {one.id}
    assert await let_through(library, {"op": "gte", "field": "about", "value": near[:48]}, 5) == {one.id, other.id}
    assert await let_through(library, {"op": "gte", "field": "about", "value": near[:48]}, 4) is None
    changed = replace(one, described=replace(one.described, metadata={"about": 7, "new": True}))
    async with library.store.transaction(library.tenant) as repository:
        await repository.put_version(library.tenant, changed)
    assert await let_through(library, equal("about", near + "one")) == set()
    assert await let_through(library, {"op": "and", "filters": [equal("new", True), equal("about", 7)]}) == {one.id}
    await library.remove(one)
    assert await let_through(library, equal("new", True)) == set()
    async with library.database.transaction(library.tenant) as connection:
        kept = await connection.execute(sa.select(facets.c.document_id).distinct())
        assert set(kept.scalars()) == {other.id}
    stranger = Library(library.database, library.rng)
    stranger.collection = library.collection
    assert await let_through(stranger, equal("about", near + "other")) == set()


async def test_what_the_index_does_not_know_to_the_last_is_asked_of_the_documents(library: Library) -> None:
    large = 2**53
    told: list[Any] = [True, "true", large - 1, large, -large, 0.5, "x" * 63, "x" * 64, "x" * 65]
    documents = {(await added(library, {"field": value})).id: {"field": value} for value in told}
    for op in ("eq", "gt", "gte", "lt", "lte", "in"):
        for value in told:
            if op in ("gt", "gte", "lt", "lte") and (isinstance(value, bool) or len(str(value)) > 48):
                continue
            wanted = {"op": op, "field": "field", "value": [value, 7] if op == "in" else value}
            condition = parse(json.dumps(wanted))
            meant = {name for name, metadata in documents.items() if matches(condition, metadata)}
            assert await let_through(library, wanted) == meant, wanted


async def test_it_tells_the_numbers_of_what_it_lets_through_and_no_others(library: Library) -> None:
    documents = [await added(library, {"kind": kind}, chunks) for kind, chunks in (("a", 3), ("b", 2), ("a", 1))]
    wanted = {"a": {documents[0].id, documents[2].id}, "b": {documents[1].id}}
    async with library.store.transaction(library.tenant) as repository:
        for kind, owners in wanted.items():
            told = parse(json.dumps(equal("kind", kind)))
            assert told is not None
            found = await repository.documents_let_through(library.tenant, library.collection.id, told, MANY)
            assert found is not None
            assert set(found.documents) == owners
            async with library.database.transaction(library.tenant) as connection:
                query = sa.select(chunks.c.number).where(chunks.c.document_id.in_(owners))
                theirs = (await connection.execute(query)).scalars()
            assert sorted(found.numbers.tolist()) == sorted(theirs)


@NEEDS_PGVECTOR
async def test_what_is_known_changes_no_result(library: Library) -> None:
    """On the index of a lane, in the shared lane, and by words."""
    store = PgVectorStore(library.database, exact_vectors=100)
    place = library.tenant, library.collection.id
    rng = library.rng
    rows = []
    for number in range(150):
        document = await added(library, {"number": number, "kind": rng.choice("abc")})
        for name in (name for name, (owner, _) in library.texts.items() if owner.id == document.id):
            numbers = vector(rng.random(), rng.random(), rng.random())
            rows.append(ChunkVector(name, document.id, numbers, document.described.metadata))
        if number in (90, 149):  # before and after it moves
            await store.upsert(*place, rows)
            rows = []
            for wanted in (
                equal("kind", "a"),
                {"op": "lt", "field": "number", "value": 7},
                {"op": "and", "filters": [equal("kind", "b"), {"op": "gt", "field": "number", "value": 40}]},
            ):
                told, among = parse(json.dumps(wanted)), await let_through(library, wanted)
                assert among
                question = vector(1, 0.5, 0.2)
                plain = await store.search(*place, question, 200, told)
                assert await store.search(*place, question, 200, told, sorted(among)) == plain
                assert len(plain) == len(among)
                terms = dict.fromkeys(("w0", "w1", "w7"), 1.0)
                async with library.store.transaction(library.tenant) as repository:
                    both = [
                        await repository.search_terms(*place, terms, 30, told, names) for names in (None, sorted(among))
                    ]
                assert both[0] == both[1] != []


@pytest.mark.parametrize(("wanted", "index"), [("x", "ix_facets_text"), (3, "ix_facets_number")])
async def test_row_level_security_leaves_it_in_use(library: Library, wanted: Any, index: str) -> None:
    """Equality and order are leakproof for these types; the whole index would be read otherwise."""
    for op in ("eq", "lt"):
        (which,) = _ways(Condition(op, "field", wanted))
        query = _some(library.tenant, library.collection.id, which)
        async with library.database.transaction(library.tenant) as connection:
            await connection.execute(sa.text("SET LOCAL enable_seqscan = off"))
            told = query.compile(connection.engine, compile_kwargs={"literal_binds": True})
            plan = "\n".join((await connection.exec_driver_sql(f"EXPLAIN {told}")).scalars())
        assert index in plan, plan
        bounds = next(line for line in plan.splitlines() if "Index Cond" in line)
        assert "field =" in bounds, plan
        assert index.removeprefix("ix_facets_") in bounds, plan
