"""What a tenant used, out of the rollups and the ledger."""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from chassis.pagination import Page, PageRequest
from usage_service.domain.ledger import Amounts, EventFilter, LedgerEvent, Rollup
from usage_service.domain.limits import LimitState
from usage_service.domain.ports import Store
from usage_service.policy.dates import span
from usage_service.service.limits import Limits

DAILY_DEFAULT_DAYS = 30
EXPORT_PART = 500


@dataclass(frozen=True, slots=True)
class Summary:
    """A sum over days, with storage and the state of the limits."""

    first: date
    last: date
    plan: str
    totals: Amounts
    by_service: list[tuple[str, Amounts]]
    by_model: list[tuple[str, Amounts]]
    storage_bytes: int
    storage_limit: int | None
    limits: list[LimitState]


class Reports:
    """Reads. `longest` bounds the days of one question."""

    def __init__(self, store: Store, limits: Limits, clock: Callable[[], datetime], longest: int) -> None:
        self._store = store
        self._limits = limits
        self._clock = clock
        self._longest = longest

    async def summary(self, tenant_id: str, key_id: str, first: str, last: str) -> Summary:
        """BadDateRange."""
        start, end = span(first, last, self._clock().date(), None, self._longest)
        async with self._store.transaction(tenant_id) as repository:
            rows = await repository.list_rollups(tenant_id, start, end)
            stored = await repository.stored_bytes(tenant_id)
            state = await repository.get_state(tenant_id)
        limits = await self._limits.state(tenant_id, key_id)
        storage = next((row for row in limits if row.name == "storage_bytes" and row.scope == "tenant"), None)
        return Summary(
            first=start,
            last=end,
            plan=state.plan if state else "free",
            totals=sum((row.amounts for row in rows), Amounts()),
            by_service=_grouped((row.service, row.amounts) for row in rows),
            by_model=_grouped((row.model, row.amounts) for row in rows if row.model),
            # The meter knows at once what was stored or given back; the ledger hears of it a moment later.
            storage_bytes=storage.used if storage else stored,
            storage_limit=storage.limit if storage else None,
            limits=limits,
        )

    async def daily(self, tenant_id: str, first: str, last: str) -> list[Rollup]:
        """BadDateRange."""
        start, end = span(first, last, self._clock().date(), DAILY_DEFAULT_DAYS, self._longest)
        async with self._store.transaction(tenant_id) as repository:
            return await repository.list_rollups(tenant_id, start, end)

    async def events(self, tenant_id: str, wanted: EventFilter, request: PageRequest) -> Page[LedgerEvent]:
        """Newest first."""
        async with self._store.transaction(tenant_id) as repository:
            rows = await repository.list_events(tenant_id, wanted, request.size, request.after, oldest_first=False)
        return request.page(rows, _place)

    async def export(self, tenant_id: str, wanted: EventFilter) -> AsyncIterator[Sequence[LedgerEvent]]:
        """All of them, oldest first, in parts; no transaction is open while a part is on its way."""
        after: tuple[str | int, ...] | None = None
        while True:
            async with self._store.transaction(tenant_id) as repository:
                rows = await repository.list_events(tenant_id, wanted, EXPORT_PART, after, oldest_first=True)
            if not rows:
                return
            part = rows[:EXPORT_PART]
            yield part
            if len(rows) <= EXPORT_PART:
                return
            after = _place(part[-1])

    def filter(self, wanted: EventFilter, first: str, last: str) -> EventFilter:
        """With days, where they are told. BadDateRange."""
        if not first and not last:
            return wanted
        start, end = span(first, last, self._clock().date(), self._longest, self._longest)
        return replace(wanted, first=start, last=end)


def _place(row: LedgerEvent) -> tuple[str | int, ...]:
    return round(row.event.at.timestamp() * 1000), row.event.id, row.event.kind


def _grouped(rows: Iterable[tuple[str, Amounts]]) -> list[tuple[str, Amounts]]:
    sums: dict[str, Amounts] = defaultdict(Amounts)
    for name, amounts in rows:
        sums[name] += amounts
    return sorted(sums.items(), key=lambda item: (-item[1].cost_nano_usd, item[0]))
