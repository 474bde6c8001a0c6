"""The lexical index: exactly BM25, through appends, replacements, deletions, folding and filters, each tenant alone."""

import math
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest
import sqlalchemy as sa

from chassis.context import Keyring
from chassis.database import Database
from chassis.jobs import Jobs
from chassis.settings import DatabaseSettings
from rag_service.domain.chunks import Chunk
from rag_service.domain.collections import Collection
from rag_service.domain.documents import Description, Document, DocumentStatus
from rag_service.domain.search import Gleaned
from rag_service.policy.bm25 import K1, B
from rag_service.policy.filters import parse
from rag_service.repository.postings import FOLD, RUN
from rag_service.repository.store import PostgresStore
from rag_service.repository.tables import jobs, postings

NOW = datetime(2026, 11, 25, tzinfo=UTC)
WORDS = [f"w{number}" for number in range(400)]
SHARES = [1 / (rank + 3) for rank in range(len(WORDS))]


class Library:
    """A tenant's collection, and the same texts in memory: the plainest BM25 is the judge."""

    def __init__(self, database: Database, rng: random.Random) -> None:
        self.tenant = str(uuid4())
        self.database = database
        self.store = PostgresStore(database, Jobs(jobs, Keyring("rag_service", root=b"r" * 32)))
        self.collection = Collection(str(uuid4()), self.tenant, "default", "", "pgvector", "m", NOW)
        self.rng = rng
        self.texts: dict[str, tuple[Document, Counter[str]]] = {}

    async def open(self) -> "Library":
        async with self.store.transaction(self.tenant) as repository:
            await repository.add_collection(self.collection)
        return self

    def text(self, most: int = 60) -> Counter[str]:
        return Counter(self.rng.choices(WORDS, SHARES, k=self.rng.randint(1, most)))

    def document(self, year: int = 2026) -> Document:
        return Document(
            str(uuid4()), self.tenant, self.collection.id, "default", Description("t", "", "", {"year": year}, 1, ""),
            DocumentStatus.RUNNING, "indexing", NOW,
        )  # fmt: skip

    async def add(self, *texts: Counter[str], year: int = 2026) -> Document:
        document = self.document(year)
        async with self.store.transaction(self.tenant) as repository:
            await repository.add_document(document)
        await self.write(document, *texts)
        return document

    async def write(self, document: Document, *texts: Counter[str]) -> None:
        await self.stage(document, [(str(uuid4()), text) for text in texts])

    async def rewrite(self, document: Document, every: int) -> None:
        """A version in which every so manieth chunk is another one."""
        held = [(name, text) for name, (of, text) in self.texts.items() if of.id == document.id]
        new = [(str(uuid4()), self.text()) if place % every == 0 else one for place, one in enumerate(held)]
        await self.stage(document, new)

    async def stage(self, document: Document, texts: Sequence[tuple[str, Counter[str]]]) -> None:
        rows = [Chunk(name, place, "", 0, 0, 0, "", "", text) for place, (name, text) in enumerate(texts)]
        async with self.store.transaction(self.tenant) as repository:
            if any(held.id == document.id for held, _ in self.texts.values()):
                document = replace(document, ready_version=1)
            await repository.put_version(self.tenant, document)
            assert await repository.stage_chunks(self.tenant, document, rows)
            assert await repository.swap_chunks(self.tenant, document)
        self.texts = {name: held for name, held in self.texts.items() if held[0].id != document.id}
        self.texts |= {row.id: (document, Counter(row.terms)) for row in rows}

    async def ahead(self, document: Document, texts: Sequence[tuple[str, Counter[str]]]) -> list[int]:
        """Staged, and written ahead of the swap: how many each time."""
        rows = [Chunk(name, place, "", 0, 0, 0, "", "", text) for place, (name, text) in enumerate(texts)]
        async with self.store.transaction(self.tenant) as repository:
            await repository.put_version(self.tenant, document)
            assert await repository.stage_chunks(self.tenant, document, rows)
        written = [1]
        while written[-1]:
            async with self.store.transaction(self.tenant) as repository:
                written.append(await repository.write_ahead(self.tenant, document))
        return written[1:]

    async def swap(self, document: Document, texts: Sequence[tuple[str, Counter[str]]]) -> Document:
        async with self.store.transaction(self.tenant) as repository:
            ready = await repository.swap_chunks(self.tenant, document)
        assert ready is not None
        self.texts = {name: held for name, held in self.texts.items() if held[0].id != document.id}
        self.texts |= {name: (document, text) for name, text in texts}
        return ready

    async def cleared(self, document: Document) -> None:
        async with self.store.transaction(self.tenant) as repository:
            await repository.clear_staged(self.tenant, document.id, 10_000)
            while await repository.clear_hidden(self.tenant, document):
                pass

    async def count(self, table: str, where: str = "true") -> int:
        async with self.database.transaction(self.tenant) as connection:
            query = sa.select(sa.func.count()).select_from(sa.table(table)).where(sa.text(where))
            return int((await connection.execute(query)).scalar_one())

    async def remove(self, document: Document) -> None:
        async with self.store.transaction(self.tenant) as repository:
            await repository.remove_document(self.tenant, document.id)
        self.texts = {name: held for name, held in self.texts.items() if held[0].id != document.id}

    async def search(self, terms: Mapping[str, float], limit: int = 20, wanted: str = "") -> list[tuple[str, float]]:
        async with self.store.transaction(self.tenant) as repository:
            return await repository.search_terms(self.tenant, self.collection.id, terms, limit, parse(wanted))

    def plain(self, terms: Mapping[str, float], year: int = 0) -> dict[str, float]:
        """Every score, by the formula."""
        held = {name: text for name, (_, text) in self.texts.items()}
        mean = sum(sum(text.values()) for text in held.values()) / max(1, len(held))
        df = {term: sum(term in text for text in held.values()) for term in terms}
        scores: dict[str, float] = {}
        for name, text in held.items():
            score = 0.0
            for term, weight in terms.items():
                if term in text:
                    rarity = math.log(1 + (len(held) - df[term] + 0.5) / (df[term] + 0.5))
                    norm = text[term] + K1 * (1 - B + B * sum(text.values()) / mean)
                    score += weight * rarity * text[term] * (K1 + 1) / norm
            if score and year in (0, self.texts[name][0].described.metadata["year"]):
                scores[name] = score
        return scores

    async def check(self, questions: int = 20, limit: int = 20, year: int = 0) -> None:
        """What is found is what the formula says; equals may come in any order."""
        wanted = f'{{"op": "eq", "field": "year", "value": {year}}}' if year else ""
        for _ in range(questions):
            terms = {term: self.rng.choice((1.0, 0.5, 2.0)) for term in self.rng.sample([*WORDS, "absent"], 5)}
            found, plain = await self.search(terms, limit, wanted), self.plain(terms, year)
            assert len(found) == min(limit, len(plain))
            assert [score for _, score in found] == pytest.approx(sorted(plain.values(), reverse=True)[: len(found)])
            assert all(plain[name] == pytest.approx(score) for name, score in found)


@pytest.fixture
async def library(migrated: Callable[[str], DatabaseSettings]) -> AsyncIterator[Library]:
    async with Database(migrated("rag_service"), "rag") as database:
        yield await Library(database, random.Random(5)).open()  # noqa: S311  # the same texts each time


async def test_it_is_bm25_exactly_through_every_change(library: Library) -> None:
    kept = [await library.add(*(library.text() for _ in range(library.rng.randint(1, 9)))) for _ in range(30)]
    await library.check()
    for document in kept[::3]:
        await library.remove(document)
    await library.check()
    for document in kept[1::3]:
        await library.write(document, *(library.text() for _ in range(4)))
    await library.check()


async def test_a_version_that_changes_here_and_there_costs_little_more_than_a_new_document(library: Library) -> None:
    """Taken out one by one, its changed chunks took a hundred times as long: a search-and-replace in a manual never
    ended. The first one is folded with others, so that long lists are in it.
    """
    words = [f"v{number}" for number in range(20_000)]
    shares = [1 / (rank + 10) for rank in range(len(words))]
    texts = [Counter(library.rng.choices(words, shares, k=100)) + library.text() for _ in range(900)]
    began = time.monotonic()
    document = await library.add(*texts)
    first = time.monotonic() - began
    await library.add(*(library.text(5) for _ in range(RUN * FOLD - 900)))
    began = time.monotonic()
    await library.rewrite(document, every=3)
    second = time.monotonic() - began
    await library.check(5)
    assert second < 12 * first, (first, second)


async def test_full_runs_are_folded_and_chunks_leave_folded_runs(library: Library) -> None:
    whole = RUN * FOLD
    documents = [await library.add(*(library.text(8) for _ in range(count))) for count in (700, whole - 900, 1500)]
    folded = sa.select(sa.func.count(sa.distinct(postings.c.run))).where(
        postings.c.collection_id == library.collection.id
    )
    async with library.database.transaction(library.tenant) as connection:
        assert (await connection.execute(folded)).scalar_one() == 4  # one of sixteen, two full ones, the open one
    await library.check(5)
    await library.remove(documents[0])
    await library.check(5)
    await library.add(library.text(), library.text())
    await library.remove(documents[1])
    await library.check(5)
    await library.remove(documents[2])
    assert len(library.texts) == 2
    await library.check(5)


async def test_nothing_is_left_of_the_words_of_deleted_documents(library: Library) -> None:
    document = await library.add(*(library.text() for _ in range(20)))
    await library.remove(document)
    rows = sa.select(sa.func.count()).select_from(postings).where(postings.c.collection_id == library.collection.id)
    async with library.database.transaction(library.tenant) as connection:
        assert (await connection.execute(rows)).scalar_one() == 0


@pytest.mark.parametrize("rare", [True, False])
@pytest.mark.parametrize("most", [60, 20_000])
async def test_a_filter_asks_all_when_the_best_are_not_enough(
    library: Library, monkeypatch: pytest.MonkeyPatch, most: int, *, rare: bool
) -> None:
    monkeypatch.setattr("rag_service.repository.lexical.FILTERED_MOST", most)
    for number in range(60):
        await library.add(library.text(), library.text(), year=1999 if number % (20 if rare else 2) == 0 else 2026)
    await library.check(year=1999)


async def test_words_that_many_chunks_have_are_told_by_the_lengths_of_their_postings(library: Library) -> None:
    document = await library.add(*(library.text() for _ in range(700)))
    having = Counter(term for _, text in library.texts.values() for term in text)
    terms, most = [*having, "absent"], sorted(having.values())[len(having) // 2]
    place, weights = (library.tenant, library.collection.id), dict.fromkeys(terms, 1.0)
    rare = {term for term in having if having[term] <= most}
    assert 0 < len(rare) < len(having)
    async with library.store.transaction(library.tenant) as repository:
        gleaned = Gleaned(most)
        found = await repository.search_terms(*place, weights, 700, None, gleaned=gleaned, rare=set(terms))
        assert set(gleaned.terms) == rare
        assert dict(found) == pytest.approx(library.plain(dict.fromkeys(rare, 1.0)))
        # One that is asked for by the question itself counts, however many have it; the rest is not read again.
        common = next(term for term in terms if having[term] > most)
        asked = set(terms) - {common}
        found = await repository.search_terms(*place, weights, 700, None, gleaned=gleaned, rare=asked)
        assert dict(found) == pytest.approx(library.plain(dict.fromkeys({*rare, common}, 1.0)))
    await library.remove(document)
    async with library.store.transaction(library.tenant) as repository:
        assert await repository.search_terms(*place, weights, 700, None, gleaned=gleaned, rare=set(terms)) == []


async def test_what_was_read_before_is_read_anew_where_the_collection_changed(library: Library) -> None:
    """A search that lasts through an ingestion, a new version and a deletion: its next question is of the new state."""
    documents = [await library.add(*(library.text() for _ in range(20))) for _ in range(3)]
    place, gleaned = (library.tenant, library.collection.id), Gleaned()
    terms = {"w1": 1.0, "w2": 0.5, "w30": 2.0}

    async def check(asked: Mapping[str, float]) -> None:
        async with library.store.transaction(library.tenant, snapshot=True) as repository:
            found = await repository.search_terms(*place, asked, 500, None, gleaned=gleaned)
        assert dict(found) == pytest.approx(library.plain(asked))

    await check(terms)
    held = gleaned.terms["w1"]
    await check(terms | {"w4": 1.0})
    assert gleaned.terms["w1"] is held
    await library.add(library.text(), library.text())
    await check(terms | {"w5": 1.0})
    await library.rewrite(documents[0], every=2)
    await check(terms | {"w4": 0.3})
    await library.remove(documents[1])
    await check(terms)


async def test_tenants_and_collections_do_not_count_each_others_words(library: Library) -> None:
    other = await Library(library.database, random.Random(6)).open()  # noqa: S311  # the same texts each time
    await library.add(*(library.text() for _ in range(30)))
    await other.add(*(other.text() for _ in range(50)))
    await library.check(5)
    await other.check(5)
    async with library.store.transaction(library.tenant) as repository:
        assert await repository.search_terms(other.tenant, other.collection.id, {"w1": 1.0}, 5, None) == []


async def test_writers_of_one_collection_take_turns(library: Library) -> None:
    import asyncio

    texts = [[library.text() for _ in range(300)] for _ in range(4)]
    await asyncio.gather(*(library.add(*group) for group in texts))
    assert len(library.texts) == 1200
    await library.check(5)


async def test_what_is_written_ahead_is_seen_from_the_swap_on_and_replaced_by_the_next(library: Library) -> None:
    """A version of a home and a run and some, and one that keeps nothing of it; beside documents that stay."""
    await library.add(*(library.text() for _ in range(40)))
    count = RUN * FOLD + RUN + 30
    first, second = (
        [(str(uuid4()), Counter(library.rng.choices(words, k=4))) for _ in range(count)]
        for words in (WORDS[:200], WORDS[200:])
    )
    document = library.document()
    async with library.store.transaction(library.tenant) as repository:
        await repository.add_document(document)
    assert await library.ahead(document, first) == [RUN * FOLD, RUN, 0]
    await library.check(5)
    async with library.store.transaction(library.tenant) as repository:
        assert await repository.passages(library.tenant, [name for name, _ in first]) == {}
    ready = await library.swap(document, first)
    assert ready.chunks == count
    await library.check(5)
    await library.add(library.text())
    # Of the second one the last chunks of the first stay.
    again = replace(ready, status=DocumentStatus.RUNNING, version=2)
    second[-10:] = first[-10:]
    assert await library.ahead(again, second) == [RUN * FOLD, RUN, 0]
    await library.check(5)
    assert (await library.swap(again, second)).chunks == count
    await library.check(5)
    async with library.store.transaction(library.tenant) as repository:
        assert await repository.passages(library.tenant, [name for name, _ in first[:-10]]) == {}
        assert len(await repository.passages(library.tenant, [name for name, _ in second])) == count
    await library.cleared(document)
    await library.check(5)
    assert await library.count("chunks") == len(library.texts)
    assert await library.count("runs", "hidden_of IS NOT NULL") == 0
    await library.remove(document)
    await library.check(5)


async def test_what_was_written_ahead_and_given_up_leaves_nothing(library: Library) -> None:
    kept = await library.add(*(library.text() for _ in range(40)))
    words = await library.count("postings")
    document = library.document()
    async with library.store.transaction(library.tenant) as repository:
        await repository.add_document(document)
    texts = [(str(uuid4()), library.text(5)) for _ in range(2 * RUN + 5)]
    assert await library.ahead(document, texts) == [RUN, RUN, 0]
    await library.add(library.text())
    await library.cleared(document)
    assert await library.count("stale_vectors") == len(texts)
    assert await library.count("chunks") == 41
    assert await library.count("runs") == 1
    # Once more, and erased while it is hidden.
    assert await library.ahead(document, texts) == [RUN, RUN, 0]
    await library.remove(document)
    await library.check(5)
    await library.remove(kept)
    assert words
    assert await library.count("chunks") == 1
