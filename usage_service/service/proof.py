"""Whether the books balance: every admitted lease is accounted for, and the ledger's sums are its rollups'.

The worker proves what is new: it adds up what was booked since it last did, and compares whom that was booked of. What
it costs grows with that, and not with the ledger; `service/review.py` reads again what is old. What an operator asks
for is compared whole (docs/decisions/0022).
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import structlog
from prometheus_client import Gauge

from chassis.errors import DeadlineExceeded
from usage_service.domain.errors import ProofTooLong
from usage_service.domain.ledger import Comparison
from usage_service.domain.limits import Books
from usage_service.domain.ports import Meter, Store
from usage_service.policy.dates import span

log = structlog.get_logger()

DEFAULT_DAYS = 30
MOST_EVENTS = 200_000
"""Added up in one transaction."""
MOST_TENANTS = 1_000
"""Of a day, whose differences are kept; while there are more, the whole day is compared again and again."""
MOST_TOLD = 100
"""Differences, in a round's log."""

DIFFERENCES = Gauge("aisp_usage_ledger_differences", "Sums in the ledger that the rollups contradict")
REVIEWED = Gauge("aisp_usage_ledger_reviewed_seconds", "Since when (Unix time) all of the ledger has been read again")
LEASES = Gauge("aisp_usage_leases", "Leases ever admitted, and what became of them", ["state"])
UNBALANCED = Gauge("aisp_usage_books_unbalanced", "1 where admitted is not settled + abandoned + live")


@dataclass(frozen=True, slots=True)
class Proof:
    """The books, and the ledger beside its rollups from `first` to `last`."""

    books: Books
    first: date
    last: date
    comparison: Comparison

    @property
    def balanced(self) -> bool:
        """Whether all of it does."""
        return self.books.balanced and not self.comparison.differences


@dataclass(frozen=True, slots=True)
class ProofRules:
    """Bounds: the days of one question, and the seconds that its answer may take."""

    longest: int
    seconds: int


class Proofs:
    """Proves. Several may: one does at a time."""

    def __init__(self, store: Store, meter: Meter, clock: Callable[[], datetime], rules: ProofRules) -> None:
        self._store = store
        self._meter = meter
        self._clock = clock
        self._rules = rules
        self.turn = asyncio.Lock()
        """Of this process, so that its watch and its review do not wait for each other in the database."""

    async def prove(self, first: str = "", last: str = "") -> Proof:
        """Compares whole days. BadDateRange, ProofTooLong."""
        # A gateway whose clock is ahead books under tomorrow.
        tomorrow = self._clock().date() + timedelta(days=1)
        start, end = span(first, last, tomorrow, DEFAULT_DAYS, self._rules.longest)
        try:
            async with self._store.platform(self._rules.seconds) as repository:
                comparison = await repository.compare(start, end)
        except DeadlineExceeded as error:
            raise ProofTooLong from error
        return Proof(await self._meter.books(), start, end, comparison)

    async def watch(self) -> None:
        """Proves what is new, for the metrics; what does not balance is alarmed until it is mended."""
        async with self.turn:
            async with self._store.platform() as repository:
                news = await repository.days_to_prove()
            for day in news:
                await self.prove_day(day)
        await self._tell()

    async def prove_day(self, day: date) -> None:
        """Adds up what was booked of a day since, and compares. By whose turn it is."""
        while await self._prove_part(day):
            pass

    async def _prove_part(self, day: date) -> bool:
        """Whether there is more to add up. Tenants are compared as of one moment, whatever is booked meanwhile."""
        async with self._store.platform() as repository:
            await repository.lock_proof()
            found = await repository.ledger_day(day)
            if found is None:
                return False
            added = await repository.prove(found, MOST_EVENTS)
            if added.more:
                # Whom it was of is not kept, if this ends here: then all are compared.
                await repository.set_proved(day, added.proved, doubted=True)
                return True
            suspects = None if found.doubted else added.tenants | await repository.tenants_differing(day)
            wrong = await repository.differing(day, added.proved, suspects, MOST_TENANTS)
            await repository.put_differences(day, suspects, wrong)
            too_many = len({row.tenant_id for row in wrong}) >= MOST_TENANTS
            await repository.set_proved(day, added.proved, doubted=too_many)
        return False

    async def _tell(self) -> None:
        async with self._store.platform() as repository:
            alarm = await repository.alarm(MOST_TOLD)
        DIFFERENCES.set(alarm.number)
        if alarm.reviewed_at:
            REVIEWED.set(alarm.reviewed_at.timestamp())
        for row in alarm.differences:
            log.error(
                "the ledger and its rollups differ: python -m usage_service rebuild TENANT makes them anew",
                tenant_id=row.tenant_id, day=row.day.isoformat(), unit=row.unit, ledger=row.ledger, rollups=row.rollups,
            )  # fmt: skip
        books = await self._meter.books()
        for state in ("admitted", "settled", "abandoned", "live", "recorded"):
            LEASES.labels(state).set(getattr(books, state))
        UNBALANCED.set(not books.balanced)
        if not books.balanced:
            log.error("the meter's books do not balance", books=books)
