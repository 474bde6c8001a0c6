"""What it costs to prove the ledger, by its size: what is new, beside the comparison of whole days.

That a watch reads what is new, and no more, is tested in every run, by rows (tests/integration/test_proof.py).
"""

import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from chassis.context import Keyring
from chassis.database import Database
from chassis.jobs import Jobs
from chassis.settings import DatabaseSettings
from tests.integration.test_proof import FILL, LINES
from usage_service.domain.limits import Books
from usage_service.repository.store import PostgresStore
from usage_service.repository.tables import jobs
from usage_service.service.proof import ProofRules, Proofs
from usage_service.service.review import Pace, Review

SIZES = (10_000, 100_000, 1_000_000)
NEW = 1_000
ROUNDS = 5
MOST_BY_SIZE = 3.0
"""Of what a watch costs at the smallest size, at the largest."""
AT = datetime(2034, 5, 5, 12, tzinfo=UTC)


class NoMeter:
    """Its books are not what is measured."""

    async def books(self) -> Books:
        return Books(0, 0, 0, 0)


async def seconds(work: Callable[[], Awaitable[Any]]) -> float:
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


@pytest.mark.skipif("AISP_FIGURES" not in os.environ, reason="AISP_FIGURES: it books a million events")
async def test_a_watch_does_not_grow_with_the_ledger(postgres: DatabaseSettings) -> None:
    told = {
        "HOST": postgres.host,
        "PORT": str(postgres.port),
        "PASSWORD": postgres.password.get_secret_value(),
        "OWNER_PASSWORD": postgres.owner_password.get_secret_value(),
    }
    environment: Mapping[str, str] = {f"AI_PLATFORM_DATABASE__{name}": value for name, value in told.items()}
    command = [sys.executable, "-m", "usage_service", "migrate"]
    subprocess.run(command, check=True, env=os.environ | environment, capture_output=True)  # noqa: ASYNC221  # nothing else runs
    async with Database(postgres, "usage") as database:
        store: Any = PostgresStore(
            database, Jobs(jobs, Keyring("usage_service", root=b"of tests, thirty-two bytes, or so"))
        )
        meter: Any = NoMeter()
        proofs = Proofs(store, meter, lambda: AT, ProofRules(1, 60))
        review = Review(store, proofs, lambda: datetime.now(UTC) + timedelta(days=2), Pace(timedelta(days=1), 1))
        tenant, there, watched = str(uuid4()), 0, []

        async def book(number: int) -> None:
            nonlocal there
            given = {"day": AT.date(), "tenant": tenant, "first": there + 1, "last": there + number, "lines": LINES}
            async with store.platform() as repository:
                await repository._db.execute(text(FILL), given)
            there += number

        async def whole() -> None:
            async with store.platform() as repository:
                assert not (await repository.compare(AT.date() - timedelta(days=2), AT.date())).differences

        async with store.platform() as repository:
            await repository.ensure_partition(AT.date())
        for size in SIZES:
            while there < size:
                await book(min(100_000, size - there))
            await proofs.watch()
            news = []
            for _ in range(ROUNDS):
                await book(NEW)
                news.append(await seconds(proofs.watch))
            watched.append(min(news))
            compared = min([await seconds(whole) for _ in range(3)])
            async with store.platform() as repository:
                # The first hour has all of them.
                await repository.set_reviewed(AT.date(), 0)
            again = await seconds(review.read_on)
            news_ms, whole_ms, again_ms = (round(took * 1e3) for took in (watched[-1], compared, again))
            print(f"{size:>9,} events: {NEW:,} new {news_ms} ms; whole {whole_ms} ms; read again {again_ms} ms")
        assert watched[-1] < MOST_BY_SIZE * watched[0]
