"""The books are proved by what is new, and read again in slices: real PostgreSQL, two workers, differences planted."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from chassis.database import Database
from chassis.jobs import Jobs
from chassis.settings import DatabaseSettings, RedisSettings, WireSettings
from tests.integration.conftest import ROOT
from tests.promptness import PATIENCE
from usage_service.adapters.valkey import new_lease_id
from usage_service.app import Worker, compose_worker
from usage_service.domain.errors import ProofTooLong
from usage_service.domain.ledger import EventStatus, Line, MeterEvent, Unit
from usage_service.repository.store import PostgresRepository, PostgresStore
from usage_service.repository.tables import jobs
from usage_service.service import erasure, proof
from usage_service.service.erasure import Erasure, account_of
from usage_service.service.proof import ProofRules, Proofs
from usage_service.service.review import Pace, Review
from usage_service.settings import Settings

MODEL = "local/smollm2-135m-instruct"
DAYS = itertools.count(1)
"""Far ahead, and apart: the database serves many tests."""
FILL = """
    WITH given AS (
        SELECT number, CAST(:day AS date) AS day, lpad(to_hex((extract(epoch FROM CAST(:day AS date)) * 1000)::bigint
            + number * 3), 12, '0') || '7000' || '8000' || lpad(to_hex(number), 12, '0') AS id
        FROM generate_series(CAST(:first AS int), CAST(:last AS int)) AS number
    ), booked AS (
        INSERT INTO days (day, booked) VALUES (CAST(:day AS date), 1)
        ON CONFLICT (day) DO UPDATE SET booked = days.booked + 1 RETURNING booked
    ), added AS (
        INSERT INTO events (id, kind, day, tenant_id, status, counts_request, request_id, user_id, key_id, service,
            model, provider, requests, input_tokens, output_tokens, characters, audio_milliseconds, stored_bytes,
            cost_nano_usd, lines, at, booking)
        SELECT CAST(id AS uuid), 'settle', day, CAST(:tenant AS uuid), 'settled', true, 'r', 'u', 'k', 'llm', 'm', 'p',
            1, 10, 0, 0, 0, 0, 0, CAST(:lines AS jsonb), day + make_interval(secs => number), booked.booked
        FROM given, booked
    )
    INSERT INTO rollups VALUES (CAST(:tenant AS uuid), CAST(:day AS date), 'llm', 'm',
        :last - :first + 1, 10 * (:last - :first + 1), 0, 0, 0, 0, 0)
    ON CONFLICT (tenant_id, day, service, model) DO UPDATE SET requests = rollups.requests + excluded.requests,
        input_tokens = rollups.input_tokens + excluded.input_tokens
"""
"""Books many events in one statement, as the worker does it."""
LINES = '[["llm", "gpt-4o-mini", "openai", "input_tokens", 10, 1, 17, 1500]]'
READ = """
    SELECT coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0) FROM pg_stat_xact_all_tables
    WHERE relname LIKE :tables
"""


class Counting:
    """A store that counts what its transactions read of events, or of the tables that are named."""

    def __init__(self, store: PostgresStore, tables: str = "events%") -> None:
        self._store = store
        self._tables = tables
        self.read = 0

    @asynccontextmanager
    async def platform(self, seconds: int | None = None) -> AsyncIterator[PostgresRepository]:
        async with self._store.platform(seconds) as repository:
            before = await self._rows(repository)
            yield repository
            self.read += await self._rows(repository) - before

    async def _rows(self, repository: PostgresRepository) -> int:
        return int((await repository._db.execute(text(READ), {"tables": self._tables})).scalar_one())


class Books:
    """Two workers on one ledger, a tenant, and a day that nobody else books under."""

    def __init__(self, workers: list[Worker], database: Database, store: PostgresStore) -> None:
        self.workers = workers
        self.database = database
        self.store = store
        self.tenant = str(uuid4())
        self.at = datetime(2033, 3, 1, 12, tzinfo=UTC) + timedelta(days=3 * next(DAYS))

    @property
    def day(self) -> date:
        return self.at.date()

    def event(self, at: datetime | None = None, tokens: int = 10, **changes: object) -> MeterEvent:
        when = at or self.at
        lines = (Line("llm", MODEL, "local", Unit.INPUT_TOKENS, tokens),)
        lease = new_lease_id(when.timestamp)
        event = MeterEvent(
            lease, "settle", EventStatus.SETTLED, self.tenant, True, "r", "u", "k", "llm", MODEL, lines, when
        )
        return replace(event, **changes)  # type: ignore[arg-type]

    async def book(self, *events: MeterEvent, worker: int = 0) -> None:
        await self.workers[worker]._ledger.book(events)

    async def watch(self, worker: int = 0) -> dict[str, tuple[int, int]]:
        """What is alarmed of the tenant's day then."""
        await self.workers[worker]._proofs.watch()
        return await self.alarmed(self.tenant)

    async def alarmed(self, tenant: str) -> dict[str, tuple[int, int]]:
        rows = await self.rows("SELECT unit, ledger, rollups FROM differences WHERE tenant_id = :tenant", tenant=tenant)
        return {row.unit: (row.ledger, row.rollups) for row in rows}

    async def review(self) -> None:
        """Reads the day again, all of it."""
        await self.rows("UPDATE days SET reviewed_at = '2020-01-01' WHERE day = :day", day=self.day)
        while (await self.rows("SELECT reviewed_at FROM days WHERE day = :day", day=self.day))[0][0].year == 2020:
            assert await self.workers[0]._review.read_on()

    async def rows(self, statement: str, **values: object) -> list[Any]:
        async with self.store.platform() as repository:
            found = await repository._db.execute(text(statement), values)
            return list(found.all()) if found.returns_rows else []

    async def number(self) -> int:
        """Of the tenant's events."""
        found = await self.rows("SELECT count(*) FROM events WHERE tenant_id = :tenant", tenant=self.tenant)
        return int(found[0][0])

    async def proved(self) -> list[tuple[int, int]]:
        """By hour: requests."""
        rows = await self.rows(
            "SELECT hour, requests FROM proofs WHERE tenant_id = :tenant AND requests <> 0 ORDER BY day, hour",
            tenant=self.tenant,
        )
        return [(row.hour, row.requests) for row in rows]


@pytest.fixture
async def books(migrated: Callable[[str], DatabaseSettings], valkey: RedisSettings) -> AsyncIterator[Books]:
    database = migrated("usage_service")
    settings = Settings(database=database, redis=valkey, wire=WireSettings(secret=SecretStr(ROOT.decode())))
    async with AsyncExitStack() as stack:
        workers = [await stack.enter_async_context(compose_worker(settings)) for _ in range(2)]
        await workers[0]._open()
        opened = await stack.enter_async_context(Database(database, "usage"))
        yield Books(workers, opened, PostgresStore(opened, Jobs(jobs, settings.keyring("usage_service"))))


@pytest.mark.parametrize("seed", range(2))
async def test_what_two_workers_book_while_it_is_proved_is_proved_once(books: Books, seed: int) -> None:
    """Late events of the day before and early ones of the next, while both workers book and watch at once."""
    rng = random.Random(seed)  # noqa: S311  # no secret
    hours = [rng.choice((-13, -12, 0, 3, 11, 12)) for _ in range(60)]
    events = [books.event(books.at + timedelta(hours=hour), tokens=number) for number, hour in enumerate(hours)]
    for first in range(0, 60, 6):
        parts = events[first : first + 3], events[first + 3 : first + 6]
        both = [books.book(*part, worker=worker) for worker, part in enumerate(parts)]
        alarms = await asyncio.gather(*both, books.watch(0), books.watch(1))
        assert alarms[2:] == [{}, {}]
    assert await books.watch() == {}
    wanted = sorted((0 if hour == 12 else 12 + hour if hour >= -12 else 23, hour) for hour in hours)
    assert sum(number for _, number in await books.proved()) == 60
    assert {hour for hour, _ in await books.proved()} == {hour for hour, _ in wanted}
    before = await books.rows("SELECT * FROM proofs WHERE tenant_id = :tenant ORDER BY day, hour", tenant=books.tenant)
    await books.rows("DELETE FROM proofs WHERE tenant_id = :tenant", tenant=books.tenant)
    await books.rows(
        "UPDATE days SET proved = 0 WHERE day BETWEEN CAST(:day AS date) - 1 AND CAST(:day AS date) + 1", day=books.day
    )
    await books.watch()
    again = await books.rows("SELECT * FROM proofs WHERE tenant_id = :tenant ORDER BY day, hour", tenant=books.tenant)
    assert again == before, "all at once comes to the same"


async def test_what_is_booked_between_adding_up_and_comparing_makes_no_difference(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare = PostgresRepository.differing

    async def late(*asked: Any) -> Any:
        await books.book(books.event(tokens=3), worker=1)
        return await compare(*asked)

    await books.book(books.event())
    monkeypatch.setattr(PostgresRepository, "differing", late)
    assert await books.watch() == {}
    monkeypatch.undo()
    assert await books.proved() == [(12, 1)]
    assert await books.watch() == {}
    assert await books.proved() == [(12, 2)]


async def test_a_difference_in_what_is_new_is_found_at_once_and_stays_alarmed_until_it_is_mended(books: Books) -> None:
    await books.book(books.event())
    await books.rows(
        "UPDATE rollups SET input_tokens = input_tokens + 1 WHERE tenant_id = :tenant", tenant=books.tenant
    )
    wrong = {"input_tokens": (10, 11)}
    assert await books.watch() == wrong
    assert [await books.watch(worker) for worker in (0, 1, 1)] == [wrong] * 3, "also by one that started anew"
    await books.book(books.event(tokens=5))
    assert await books.watch() == {"input_tokens": (15, 16)}
    await books.workers[1]._ledger.rebuild(books.tenant)
    assert await books.watch() == {}


async def test_it_is_found_however_much_is_new(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is new is added up in parts, each a transaction: whoever was in the first is compared behind the last."""
    monkeypatch.setattr(proof, "MOST_EVENTS", 4)
    stranger = str(uuid4())
    for number in range(6):
        await books.book(*(books.event(tenant_id=stranger if number else books.tenant) for _ in range(3)))
    await books.rows("UPDATE rollups SET requests = 7 WHERE tenant_id = :tenant", tenant=books.tenant)
    assert await books.watch() == {"requests": (3, 7)}
    assert await books.alarmed(stranger) == {}
    await books.workers[0]._ledger.rebuild(books.tenant)
    assert await books.watch() == {}


async def test_a_difference_in_what_is_old_is_found_when_it_is_read_again(books: Books) -> None:
    first, second = books.event(books.at - timedelta(hours=11)), books.event()
    await books.book(first, second)
    assert await books.watch() == {}
    change = "UPDATE rollups SET cost_nano_usd = cost_nano_usd + 3 WHERE tenant_id = :tenant"
    await books.rows(change, tenant=books.tenant)
    await books.review()
    assert (await books.alarmed(books.tenant)).keys() == {"cost_nano_usd"}
    await books.workers[0]._ledger.rebuild(books.tenant)
    assert await books.watch() == {}
    for change in (
        "DELETE FROM events WHERE id = CAST(:lease AS uuid)",
        "UPDATE events SET requests = 3 WHERE id = CAST(:lease AS uuid)",
    ):
        await books.rows(change, lease=(first if "DELETE" in change else second).id)
        assert await books.watch() == {}
        await books.review()
        assert "requests" in await books.alarmed(books.tenant)
        await books.workers[0]._ledger.rebuild(books.tenant)
        assert await books.watch() == {}


async def test_rollups_of_a_day_that_nothing_was_booked_under_are_found_with_the_day_beside_it(books: Books) -> None:
    await books.book(books.event())
    await books.watch()
    stray = "INSERT INTO rollups SELECT tenant_id, day + 1, service, model, 1, 0, 0, 0, 0, 0, 0 FROM rollups "
    await books.rows(stray + "WHERE tenant_id = :tenant", tenant=books.tenant)
    await books.review()
    assert await books.watch() == {"requests": (0, 1)}
    await books.workers[0]._ledger.rebuild(books.tenant)
    assert await books.watch() == {}


async def test_what_a_watch_reads_is_what_is_new(books: Books) -> None:
    """However many events the day has; and a review reads an hour of them at a time."""
    counting = Counting(books.store)
    proofs = Proofs(counting, books.workers[0]._meter, lambda: books.at, ProofRules(1, 1))  # type: ignore[arg-type]
    review = Review(counting, proofs, lambda: datetime.now(UTC), Pace(timedelta(days=365), 1))  # type: ignore[arg-type]
    async with books.store.platform() as repository:
        await repository.ensure_partition(books.day)
    await proofs.watch()
    read, there = [], 0
    for new in (10_000, 50, 20_000, 50):
        told = {"day": books.day, "tenant": books.tenant, "first": there + 1, "last": there + new, "lines": LINES}
        await books.rows(FILL, **told)
        there, counting.read = there + new, 0
        await proofs.watch()
        read.append(counting.read)
    assert await books.alarmed(books.tenant) == {}
    # Their numbers, and themselves.
    assert read[1] == read[3] <= 150, read
    counting.read = 0
    await proofs.watch()
    assert counting.read == 0
    await books.rows("UPDATE days SET reviewed_at = '2020-01-01' WHERE day = :day", day=books.day)
    for _ in range(2):
        # All leases are of the first hour; the second has none.
        assert await review.read_on()
    assert there <= counting.read <= there + 150, counting.read


@pytest.mark.parametrize("reviewed", [False, True])
async def test_a_deleted_tenants_ledger_balances_all_the_time(
    books: Books, monkeypatch: pytest.MonkeyPatch, *, reviewed: bool
) -> None:
    """Also where nothing puts its proofs right meanwhile: they move with the events that they are of."""
    monkeypatch.setattr(erasure, "BATCH", 4)
    deletion = str(uuid4())
    account = account_of(deletion)
    await books.book(*(books.event(books.at + timedelta(hours=number % 3)) for number in range(7)))
    await books.watch()
    await books.book(*(books.event(books.at - timedelta(hours=1)) for _ in range(4)))
    erasing = Erasure(books.store, books.workers[0]._meter)
    for _ in range(3):
        await erasing._move(books.tenant, account)
        assert await books.watch() == {}
        assert await books.alarmed(account) == {}
        if reviewed:
            await books.review()
        assert await books.watch() == {}
        assert await books.alarmed(account) == {}
    rows = await books.rows(
        "SELECT hour, requests FROM proofs WHERE tenant_id = :account ORDER BY hour", account=account
    )
    assert [(row.hour, row.requests) for row in rows] == [(11, 4), (12, 3), (13, 2), (14, 2)]
    for table in ("events", "rollups", "proofs", "differences"):
        left = f"SELECT count(*) FROM {table} WHERE tenant_id = :tenant"  # noqa: S608  # a name of ours
        assert (await books.rows(left, tenant=books.tenant))[0][0] == 0


async def test_days_that_take_too_long_to_compare_are_refused_with_what_to_do(books: Books) -> None:
    proofs = Proofs(books.store, books.workers[0]._meter, lambda: books.at, ProofRules(366, 1))
    async with books.store.platform() as repository:
        await repository._db.execute(text("LOCK TABLE rollups IN ACCESS EXCLUSIVE MODE"))
        with pytest.raises(ProofTooLong, match="fewer"):
            await proofs.prove()
    assert (await proofs.prove()).books


@pytest.mark.parametrize("raised", ["SELECT pg_sleep(60)", "SELECT 1 / 0"])
async def test_a_watch_that_fails_does_not_end_the_worker(books: Books, raised: str) -> None:
    """Neither by what the server says of a statement that takes too long, nor by what nobody thought of."""
    worker, failed = books.workers[0], 0

    async def watch() -> None:
        nonlocal failed
        failed += 1
        async with books.database.transaction("*", settings={"statement_timeout": 50}) as connection:
            await connection.execute(text(raised))

    async def book() -> None:
        await books.book(books.event())
        await asyncio.sleep(0.01)

    worker._proofs.watch, worker._move = watch, book  # type: ignore[method-assign]
    running = asyncio.create_task(worker.run())
    try:
        async with asyncio.timeout(PATIENCE):
            while not failed:
                await asyncio.sleep(0.05)
            # It books behind the failure.
            before = await books.number()
            while await books.number() == before:
                await asyncio.sleep(0.05)
        assert not running.done()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
