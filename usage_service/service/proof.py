"""Whether the books balance: every admitted lease is accounted for, and the ledger's sums are its rollups'."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import structlog
from prometheus_client import Gauge

from usage_service.domain.ledger import Comparison
from usage_service.domain.limits import Books
from usage_service.domain.ports import Meter, Store
from usage_service.policy.dates import span

log = structlog.get_logger()

DEFAULT_DAYS = 30
WATCHED_DAYS = 2
"""What the worker compares again and again: these days, today and tomorrow."""

DIFFERENCES = Gauge("aisp_usage_ledger_differences", "Sums in the ledger that the rollups contradict")
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


class Proofs:
    """Proves. `longest` bounds the days of one question."""

    def __init__(self, store: Store, meter: Meter, clock: Callable[[], datetime], longest: int) -> None:
        self._store = store
        self._meter = meter
        self._clock = clock
        self._longest = longest

    async def prove(self, first: str = "", last: str = "") -> Proof:
        """BadDateRange."""
        # A gateway whose clock is ahead books under tomorrow.
        tomorrow = self._clock().date() + timedelta(days=1)
        start, end = span(first, last, tomorrow, DEFAULT_DAYS, self._longest)
        return await self._prove(start, end)

    async def watch(self) -> None:
        """Proves the last days, for the metrics; what does not balance is alarmed."""
        today = self._clock().date()
        found = await self._prove(today - timedelta(days=WATCHED_DAYS), today + timedelta(days=1))
        books = found.books
        for state in ("admitted", "settled", "abandoned", "live", "recorded"):
            LEASES.labels(state).set(getattr(books, state))
        UNBALANCED.set(not books.balanced)
        DIFFERENCES.set(len(found.comparison.differences))
        if not books.balanced:
            log.error("the meter's books do not balance", books=books)
        for row in found.comparison.differences:
            log.error(
                "the ledger and its rollups differ: python -m usage_service rebuild TENANT makes them anew",
                tenant_id=row.tenant_id, day=row.day.isoformat(), unit=row.unit, ledger=row.ledger, rollups=row.rollups,
            )  # fmt: skip

    async def _prove(self, first: date, last: date) -> Proof:
        async with self._store.platform() as repository:
            comparison = await repository.compare(first, last)
        return Proof(await self._meter.books(), first, last, comparison)
