"""What a tenant used, out of the rollups and the ledger."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime

from chassis.pagination import Page, PageRequest
from usage_service import policy
from usage_service.domain.ledger import Amounts, LedgerEvent, Price, Rollup
from usage_service.domain.limits import Books, LimitState
from usage_service.domain.ports import Meter, Store
from usage_service.service.limits import Limits

DAILY_DEFAULT_DAYS = 30


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

    def __init__(self, store: Store, meter: Meter, limits: Limits, clock: Callable[[], datetime], longest: int) -> None:
        self._store = store
        self._meter = meter
        self._limits = limits
        self._clock = clock
        self._longest = longest

    async def summary(self, tenant_id: str, key_id: str, first: str, last: str) -> Summary:
        """BadDateRange."""
        start, end = policy.span(first, last, self._clock().date(), None, self._longest)
        async with self._store.transaction(tenant_id) as repository:
            rows = await repository.list_rollups(tenant_id, start, end)
            stored = await repository.stored_bytes(tenant_id)
            state = await repository.get_state(tenant_id)
        limits = await self._limits.state(tenant_id, key_id)
        storage = next((row.limit for row in limits if row.name == "storage_bytes" and row.scope == "tenant"), None)
        return Summary(
            first=start,
            last=end,
            plan=state.plan if state else "free",
            totals=sum((row.amounts for row in rows), Amounts()),
            by_service=_grouped((row.service, row.amounts) for row in rows),
            by_model=_grouped((row.model, row.amounts) for row in rows if row.model),
            storage_bytes=stored,
            storage_limit=storage,
            limits=limits,
        )

    async def daily(self, tenant_id: str, first: str, last: str) -> list[Rollup]:
        """BadDateRange."""
        start, end = policy.span(first, last, self._clock().date(), DAILY_DEFAULT_DAYS, self._longest)
        async with self._store.transaction(tenant_id) as repository:
            return await repository.list_rollups(tenant_id, start, end)

    async def events(self, tenant_id: str, request: PageRequest) -> Page[LedgerEvent]:
        """Newest first."""
        async with self._store.transaction(tenant_id) as repository:
            rows = await repository.list_events(tenant_id, request.size, request.after)
        return request.page(rows, lambda row: (round(row.event.at.timestamp() * 1000), row.event.id, row.event.kind))

    async def prices(self) -> list[Price]:
        """Those in force now."""
        async with self._store.platform() as repository:
            return policy.PriceBook(await repository.list_prices()).in_force(self._clock())

    async def books(self) -> Books:
        """Whether every admitted lease is accounted for."""
        return await self._meter.books()


def _grouped(rows: Iterable[tuple[str, Amounts]]) -> list[tuple[str, Amounts]]:
    sums: dict[str, Amounts] = defaultdict(Amounts)
    for name, amounts in rows:
        sums[name] += amounts
    return sorted(sums.items(), key=lambda item: (-item[1].cost_nano_usd, item[0]))
