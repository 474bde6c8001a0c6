"""What PostgreSQL is told of the ledger's partitions, and that queries find their way by index whatever it knows."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from sqlalchemy import text

from chassis.context import Keyring
from chassis.database import Database
from chassis.jobs import Jobs
from chassis.settings import DatabaseSettings
from tests.integration.conftest import ROOT
from tests.integration.test_proof import FILL, LINES, Counting
from usage_service.domain.ledger import EventFilter
from usage_service.domain.limits import Subject
from usage_service.repository.store import PostgresRepository, PostgresStore
from usage_service.repository.tables import AMOUNTS, jobs

TOLD = """
    SELECT c.relname, c.reloptions, array_agg(a.attname::text) FILTER (WHERE a.attstattarget = 0),
        count(*) FILTER (WHERE coalesce(a.attstattarget, -1) < 0)
    FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE inhparent = 'events'::regclass AND a.attnum > 0 AND NOT a.attisdropped GROUP BY 1, 2
"""
MANY, FEW = 30_000, 50
DAYS = count(1)


@pytest.fixture
async def store(migrated: Callable[[str], DatabaseSettings]) -> AsyncIterator[PostgresStore]:
    async with Database(migrated("usage_service"), "usage") as database:
        yield PostgresStore(database, Jobs(jobs, Keyring("usage_service", root=ROOT)))


async def owned(settings: DatabaseSettings, statement: str) -> None:
    owner = await asyncpg.connect(
        host=settings.host, port=settings.port, user="aisp_usage_owner", database="aisp_usage",
        password=settings.owner_password.get_secret_value(),
    )  # fmt: skip
    try:
        await owner.execute(statement)
    finally:
        await owner.close()


async def test_each_partition_is_analyzed_when_it_has_doubled_by_what_queries_ask(store: PostgresStore) -> None:
    """Those that the migration found, and those that are made since."""
    async with store.platform() as repository:
        await repository.ensure_partition(datetime(2035, 1, 1, tzinfo=UTC).date())
        told = (await repository._db.execute(text(TOLD))).all()
    assert {"events_default", "events_20350101"} <= {row.relname for row in told}
    for _, options, columns, left in told:
        assert set(options) == {"autovacuum_analyze_threshold=1000", "autovacuum_analyze_scale_factor=0.5"}
        assert (set(columns), left) == ({*AMOUNTS, "lines", "counts_request"}, 0)


@pytest.mark.parametrize("analyzed", [False, True])
async def test_queries_read_what_they_answer_with(
    store: PostgresStore, migrated: Callable[[str], DatabaseSettings], *, analyzed: bool
) -> None:
    """Of a day of many events, nearly all of one tenant: by index, before it was ever analyzed, and afterwards."""
    day = datetime(2035, 2, 1, tzinfo=UTC) + timedelta(days=next(DAYS))
    large, small = str(uuid4()), str(uuid4())
    async with store.platform() as repository:
        await repository.ensure_partition(day.date())
        for tenant, first, last in ((large, 1, MANY), (small, MANY + 1, MANY + FEW)):
            given = {"day": day.date(), "tenant": tenant, "first": first, "last": last, "lines": LINES}
            await repository._db.execute(text(FILL), given)
    if analyzed:
        await owned(migrated("usage_service"), f"ANALYZE events_{day:%Y%m%d}")

    async def read(query: Callable[[PostgresRepository], Awaitable[Any]]) -> tuple[int, Any]:
        # What other tests left in other days is theirs.
        counting = Counting(store, f"events_{day:%Y%m%d}%")
        async with counting.platform() as repository:
            found = await query(repository)
        return counting.read, found

    found: Any = []
    for tenant in (large, small):
        for narrowed in ({}, {"service": "llm", "request_id": "r"}):
            wanted = EventFilter(first=day.date(), last=day.date(), **narrowed)  # type: ignore[arg-type]  # texts
            for oldest in (False, True):
                asked = (tenant, wanted, 40, None)
                number, found = await read(lambda r, a=asked, o=oldest: r.list_events(*a, oldest_first=o))  # type: ignore[misc]  # defaults
                assert len(found) == 41
                assert number <= 2 * FEW, (tenant, narrowed)
    ids = [(str(UUID(int=row)), day.date()) for row in range(300)] + [(found[0].event.id, day.date())]
    number, found = await read(lambda r: r.booked(ids))
    assert len(found) == 1
    assert number <= 20
    at = day + timedelta(seconds=MANY)
    number, standing = await read(lambda r: r.standing(Subject("tenant", large), large, 0, at))
    assert standing.day.requests == MANY
    assert number <= 2 * 70
