"""The ledger, whatever comes: late, out of order, twice, by two workers at once, ahead of its day, contradicting."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from chassis.database import Database
from chassis.jobs import Jobs
from chassis.settings import DatabaseSettings, RedisSettings, WireSettings
from tests.integration.conftest import ROOT
from usage_service.adapters.valkey import new_lease_id
from usage_service.app import Worker, compose_worker
from usage_service.domain.ledger import EventStatus, Line, MeterEvent, Unit
from usage_service.domain.prices import Price
from usage_service.policy.ledger import day_of
from usage_service.repository.store import PostgresStore
from usage_service.repository.tables import jobs
from usage_service.settings import Settings

MODEL = "local/smollm2-135m-instruct"
NOW = datetime(2026, 11, 25, 23, 59, 59, tzinfo=UTC)


class Books:
    """Two workers on one ledger, and a tenant."""

    def __init__(self, workers: list[Worker], store: PostgresStore) -> None:
        self.workers = workers
        self.store = store
        self.tenant = str(uuid4())

    def event(self, at: datetime = NOW, kind: str = "settle", tokens: int = 10, **changes: object) -> MeterEvent:
        status = EventStatus.ABANDONED if kind == "sweep" else EventStatus.SETTLED
        lines = (Line("llm", MODEL, "local", Unit.INPUT_TOKENS, tokens),)
        lease = new_lease_id(at.timestamp)
        event = MeterEvent(lease, kind, status, self.tenant, True, "r", "u", "k", "llm", MODEL, lines, at)
        return replace(event, **changes)  # type: ignore[arg-type]

    async def sums(self) -> tuple[int, int]:
        """Requests and tokens, as the events and, equally, the rollups say."""
        async with self.store.transaction(self.tenant) as repository:
            rows = await repository.all_events(self.tenant)
            rollups = await repository.list_rollups(self.tenant, date(2020, 1, 1), date(2099, 1, 1))
        found = sum(row.amounts.requests for row in rows), sum(row.amounts.input_tokens for row in rows)
        assert found == (
            sum(row.amounts.requests for row in rollups), sum(row.amounts.input_tokens for row in rollups)
        )  # fmt: skip
        return found

    async def sql(self, statement: str, **values: object) -> list[object]:
        async with self.store.platform() as repository:
            return [row[0] for row in await repository._db.execute(text(statement), values)]


@pytest.fixture
async def books(migrated: Callable[[str], DatabaseSettings], valkey: RedisSettings) -> AsyncIterator[Books]:
    database = migrated("usage_service")
    settings = Settings(database=database, redis=valkey, wire=WireSettings(secret=SecretStr(ROOT.decode())))
    async with AsyncExitStack() as stack:
        workers = [await stack.enter_async_context(compose_worker(settings)) for _ in range(2)]
        opened = await stack.enter_async_context(Database(database, "usage"))
        yield Books(workers, PostgresStore(opened, Jobs(jobs, settings.keyring("usage_service"))))


@pytest.mark.parametrize("seed", range(3))
async def test_events_in_any_order_and_number_by_two_workers_at_once_are_booked_once(books: Books, seed: int) -> None:
    """Leases around midnight, of which some were swept before they were settled; each event comes one to four times."""
    rng = random.Random(seed)  # noqa: S311  # no secret
    sent: list[MeterEvent] = []
    tokens = 0
    for number in range(60):
        settled = books.event(NOW + timedelta(seconds=rng.randrange(-3, 4)), tokens=number)
        tokens += number
        sent += [settled] * rng.randrange(1, 5)
        if rng.random() < 0.4:
            lines = (replace(settled.lines[0], amount=rng.randrange(50)),)
            swept = replace(settled, kind="sweep", status=EventStatus.ABANDONED, lines=lines)
            sent += [swept] * rng.randrange(1, 5)
    rng.shuffle(sent)
    parts = [sent[first : first + 7] for first in range(0, len(sent), 7)]
    for pair in zip(parts[::2], parts[1::2], strict=False):
        both = zip(books.workers, pair, strict=True)
        await asyncio.gather(*(worker._ledger.book(part) for worker, part in both))
    for part in parts:
        await books.workers[0]._ledger.book(part)
    assert await books.sums() == (60, tokens)
    await books.workers[0]._ledger.rebuild(books.tenant)
    assert await books.sums() == (60, tokens)


async def test_a_late_settlement_is_a_second_linked_entry_and_never_a_third(books: Books) -> None:
    ledger = books.workers[0]._ledger
    settled = books.event(tokens=30)
    swept = replace(settled, kind="sweep", status=EventStatus.ABANDONED, lines=(replace(settled.lines[0], amount=12),))
    assert await ledger.book([swept]) == 1
    assert await books.sums() == (1, 12)
    assert [await ledger.book([replace(settled, kind=kind)]) for kind in ("correct", "settle", "correct")] == [1, 0, 0]
    assert await books.sums() == (1, 30)
    async with books.store.transaction(books.tenant) as repository:
        rows = await repository.all_events(books.tenant)
    assert sorted((row.event.kind, row.corrects_id, row.amounts.input_tokens) for row in rows) == [
        ("correct", settled.id, 18), ("sweep", "", 12)
    ]  # fmt: skip


async def test_what_contradicts_the_ledger_is_kept_apart_and_changes_nothing(books: Books) -> None:
    ledger = books.workers[0]._ledger
    told = books.event(tokens=30)
    assert await ledger.book([told]) == 1
    stranger = replace(told, tenant_id=str(uuid4()))
    for other in (replace(told, lines=()), replace(told, lines=(replace(told.lines[0], model="m"),)), stranger):
        assert await ledger.book([other]) == 0
    assert await books.sums() == (1, 30)
    kept = await books.sql("SELECT count(*) FROM conflicts WHERE event->>'id' = :id", id=told.id)
    assert kept == [3]


DAYS = itertools.count(1)
"""Of a month far ahead: a day has its partition once, and the database serves many tests."""


async def test_what_came_before_its_day_moves_into_the_days_partition(books: Books) -> None:
    """A gateway whose clock is far ahead: its events are in the default partition until their day is made."""
    ledger, day = books.workers[0]._ledger, datetime(2031, 5, next(DAYS), 12, tzinfo=UTC)
    ahead = [books.event(day, tokens=number) for number in range(5)]
    assert await ledger.book(ahead) == 5
    place = "SELECT DISTINCT tableoid::regclass::text FROM events WHERE tenant_id = CAST(:tenant AS uuid)"
    assert await books.sql(place, tenant=books.tenant) == ["events_default"]
    for _ in range(2):
        async with books.store.platform() as repository:
            await repository.ensure_partition(day.date())
    assert await books.sql(place, tenant=books.tenant) == [f"events_{day:%Y%m%d}"]
    assert await ledger.book(ahead) == 0
    assert await books.sums() == (5, 10)
    assert day_of(ahead[0].id) == day.date()


async def test_nobody_reads_past_the_policies_of_the_whole(books: Books) -> None:
    await books.workers[0]._ledger.ensure_partitions()
    partitions = await books.sql(
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'events'::regclass"
    )
    assert len(partitions) >= 4
    for name in partitions:
        with pytest.raises(ProgrammingError, match="permission denied"):
            await books.sql(f"SELECT count(*) FROM {name}")  # noqa: S608  # a name out of the catalogue


async def test_a_price_by_the_request_is_a_line_of_its_own(books: Books) -> None:
    model, provider = f"m-{uuid4()}", "openai"
    async with books.store.platform() as repository:
        for unit, nano in ((Unit.REQUESTS, 5_000_000_000), (Unit.OUTPUT_TOKENS, 2_000_000)):
            await repository.add_price(Price(0, provider, model, unit, nano, datetime(2026, 1, 1, tzinfo=UTC)))
    lines = (Line("llm", model, provider, Unit.OUTPUT_TOKENS, 7), Line("llm", model, provider, Unit.STORED_BYTES, 1))
    settled = books.event(lines=lines)
    swept = replace(books.event(lines=()), kind="sweep", status=EventStatus.ABANDONED)
    corrected = replace(swept, kind="correct", status=EventStatus.SETTLED, lines=lines)
    replayed = books.event(lines=(), status=EventStatus.REPLAYED)
    ledger = books.workers[0]._ledger
    assert await ledger.book([settled, swept, corrected, replayed]) == 4
    assert await ledger.book([settled, swept, corrected, replayed]) == 0
    async with books.store.transaction(books.tenant) as repository:
        rows = await repository.all_events(books.tenant)
    costs = sorted((row.event.kind, row.amounts.cost_nano_usd, row.amounts.requests, row.unpriced) for row in rows)
    assert costs == [
        ("correct", 5014, 0, False), ("settle", 0, 0, False), ("settle", 5014, 1, False), ("sweep", 0, 1, False)
    ]  # fmt: skip
    fees = [line.line.amount for row in rows for line in row.lines if line.line.unit is Unit.REQUESTS]
    assert fees == [1, 1]
