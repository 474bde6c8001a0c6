"""Decisions about usage without I/O: what limits hold, what lines cost, how events add up."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from usage_service.domain.errors import BadDateRange, UnknownLimit
from usage_service.domain.ledger import (
    Amounts,
    EventStatus,
    LedgerEvent,
    Line,
    MeterEvent,
    Price,
    PricedLine,
    Rollup,
    Unit,
)
from usage_service.domain.limits import Plan

LIMIT_NAMES = (
    "concurrent_requests",
    "storage_bytes",
    "management_requests_per_minute",
    *(
        f"{measure}_{period}"
        for measure in ("requests", "tokens", "characters", "audio_seconds", "cost_nano_usd")
        for period in ("per_minute", "per_day", "per_month", "total")
    ),
)
"""What the meter's library counts (protos/aisp/usage/v1/METER.md)."""
MAX_LIMIT = 2**53
TOKENS = frozenset({Unit.INPUT_TOKENS, Unit.CACHED_INPUT_TOKENS, Unit.OUTPUT_TOKENS})
_FIELD = {
    Unit.INPUT_TOKENS: "input_tokens",
    Unit.CACHED_INPUT_TOKENS: "input_tokens",
    Unit.OUTPUT_TOKENS: "output_tokens",
    Unit.CHARACTERS: "characters",
    Unit.AUDIO_MILLISECONDS: "audio_milliseconds",
    Unit.STORED_BYTES: "stored_bytes",
}


def effective_limits(plan: Plan, own: Mapping[str, int]) -> dict[str, int]:
    """The limits that hold: the plan's, replaced by the tenant's own."""
    return {**plan.limits, **own}


def check_limits(limits: Mapping[str, int]) -> None:
    """UnknownLimit for a name that is none, or a number beyond 2^53. Negative numbers are for the caller."""
    for name, value in limits.items():
        if name not in LIMIT_NAMES:
            raise UnknownLimit(f"{name[:64]} is not a limit; choose from {', '.join(LIMIT_NAMES)}.")
        # Audio is counted in milliseconds.
        if value > (MAX_LIMIT // 1000 if name.startswith("audio_seconds") else MAX_LIMIT):
            raise UnknownLimit(f"{name} is too large: what is counted must be at most 2^53.")


def tokens_of(lines: Iterable[Line]) -> int:
    """Tokens of every kind."""
    return sum(line.amount for line in lines if line.unit in TOKENS)


def bytes_of(lines: Iterable[Line]) -> int:
    """Bytes added to storage, or (negative) given back."""
    return sum(line.amount for line in lines if line.unit is Unit.STORED_BYTES)


class PriceBook:
    """Prices by provider, model and unit, each with its versions in time."""

    def __init__(self, prices: Sequence[Price]) -> None:
        """`prices`: oldest first."""
        self._prices: dict[tuple[str, str, Unit], list[Price]] = defaultdict(list)
        for price in prices:
            self._prices[price.provider, price.model, price.unit].append(price)

    def price(self, line: Line, at: datetime) -> PricedLine:
        """The line's cost: amount times price, rounded half up to a nano-dollar. Version 0 if it has no price."""
        found = self._find(line, at)
        if found is None:
            return PricedLine(line, 0, 0)
        product = line.amount * found.nano_usd_per_million
        return PricedLine(line, found.version, (2 * product + 1_000_000) // 2_000_000)

    def in_force(self, at: datetime) -> list[Price]:
        """The prices that hold at a time."""
        newest = ([price for price in row if price.effective_at <= at][-1:] for row in self._prices.values())
        return [price for row in newest for price in row]

    def _find(self, line: Line, at: datetime) -> Price | None:
        # openai/gpt-4o-mini and gpt-4o-mini are one model of one provider.
        for model in (line.model, line.model.removeprefix(f"{line.provider}/")):
            for price in reversed(self._prices.get((line.provider, model, line.unit), [])):
                if price.effective_at <= at:
                    return price
        return None


def day_of(lease_id: str) -> date:
    """The day (UTC) of a lease, out of its id (UUIDv7): one id is in under one day, whenever its event comes."""
    milliseconds = int(lease_id.replace("-", "")[:12], 16)
    return datetime.fromtimestamp(milliseconds / 1000, UTC).date()


def to_ledger(event: MeterEvent, book: PriceBook) -> LedgerEvent:
    """The event as a row of the ledger: priced and summed up."""
    lines = tuple(book.price(line, event.at) for line in event.lines)
    counts = event.counts_request and event.kind != "correct" and event.status is not EventStatus.REPLAYED
    amounts = sum((_amounts(line) for line in lines), Amounts(requests=1 if counts else 0))
    answering = next((line for line in event.lines if line.unit is Unit.OUTPUT_TOKENS), None)
    answering = answering or next((line for line in event.lines if line.provider), None)
    return LedgerEvent(event, day_of(event.id), answering.provider if answering else "", amounts, lines)


def subtract(lines: Sequence[Line], earlier: Sequence[Line]) -> tuple[Line, ...]:
    """What `lines` add to what was booked `earlier`: the lines of a correction."""
    totals: dict[tuple[str, str, str, Unit, int], int] = defaultdict(int)
    for sign, row in ((1, lines), (-1, earlier)):
        for line in row:
            totals[line.service, line.model, line.provider, line.unit, line.attempt] += sign * line.amount
    return tuple(
        Line(service, model, provider, unit, amount, attempt)
        for (service, model, provider, unit, attempt), amount in totals.items()
        if amount
    )


class Contradiction(Exception):
    """An event that says something else than what is booked under its id."""


def to_book(event: MeterEvent, earlier: Sequence[LedgerEvent], book: PriceBook) -> LedgerEvent | None:
    """The row that an event adds to what is booked of its lease: None if all of it is there. Contradiction.

    However often, late or out of order events come, a lease's rows sum up to its one settlement, or, while that has not
    come, to what the sweeper put in its place.
    """
    swept = next((row for row in earlier if row.event.kind == "sweep"), None)
    final = [row for row in earlier if row.event.kind != "sweep"]
    if event.kind == "sweep":
        if swept and swept.event.lines != event.lines and not final:
            raise Contradiction
        # A settlement that is booked is the truth: a store that had lost it swept the lease once more.
        return None if earlier else to_ledger(event, book)
    if final:
        told = [line for row in earlier for line in row.event.lines]
        if subtract(event.lines, told) or final[0].event.tenant_id != event.tenant_id:
            raise Contradiction
        return None
    if swept:
        lines = subtract(event.lines, swept.event.lines)
        return to_ledger(replace(event, kind="correct", lines=lines), book)
    return to_ledger(replace(event, kind="settle"), book)


def roll_up(events: Iterable[LedgerEvent]) -> dict[str, list[Rollup]]:
    """Sums by tenant, day, service and model. A request counts in the row of the service that answered it."""
    sums: dict[tuple[str, date, str, str], Amounts] = defaultdict(Amounts)
    for row in events:
        tenant, day = row.event.tenant_id, row.day
        if row.amounts.requests:
            sums[tenant, day, row.event.service, row.event.model] += Amounts(requests=row.amounts.requests)
        for line in row.lines:
            sums[tenant, day, line.line.service, line.line.model] += _amounts(line)
    rollups: dict[str, list[Rollup]] = defaultdict(list)
    for (tenant, day, service, model), amounts in sorted(sums.items()):
        rollups[tenant].append(Rollup(day, service, model, amounts))
    return rollups


def _amounts(line: PricedLine) -> Amounts:
    return Amounts(**{_FIELD[line.line.unit]: line.line.amount}, cost_nano_usd=line.cost_nano_usd)


def span(first: str, last: str, today: date, default_days: int | None, longest: int) -> tuple[date, date]:
    """Two dates, both inclusive. Without a first: `default_days` before the last, or the first of its month."""
    try:
        end = date.fromisoformat(last) if last else today
        if first:
            start = date.fromisoformat(first)
        else:
            start = end.replace(day=1) if default_days is None else end - timedelta(days=default_days)
    except ValueError as error:
        raise BadDateRange from error
    if start > end or (end - start).days > longest:
        raise BadDateRange
    return start, end
