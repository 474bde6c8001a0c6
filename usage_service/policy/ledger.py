"""How events become rows of the ledger, and rows add up."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from uuid import UUID

from usage_service.domain.ledger import (
    Amounts,
    EventStatus,
    LedgerEvent,
    Line,
    MeterEvent,
    PricedLine,
    Rollup,
    Unit,
)
from usage_service.policy.prices import PriceBook

_FIELD = {
    Unit.INPUT_TOKENS: "input_tokens",
    Unit.CACHED_INPUT_TOKENS: "input_tokens",
    Unit.CACHE_WRITE_TOKENS: "input_tokens",
    Unit.OUTPUT_TOKENS: "output_tokens",
    Unit.REASONING_TOKENS: "output_tokens",
    Unit.CHARACTERS: "characters",
    Unit.AUDIO_MILLISECONDS: "audio_milliseconds",
    Unit.STORED_BYTES: "stored_bytes",
}
NOTHING = (0,) * len(Amounts.__slots__)
_PLACE = {unit: Amounts.__slots__.index(name) for unit, name in _FIELD.items()}
TOKENS = frozenset(unit for unit, name in _FIELD.items() if name.endswith("_tokens"))
EPOCH, DAY_MS, HOUR_MS, HOURS = date(1970, 1, 1).toordinal(), 86_400_000, 3_600_000, 24
LOWEST, HIGHEST = str(UUID(int=0)), str(UUID(int=2**128 - 1))
WRITTEN = frozenset({Unit.OUTPUT_TOKENS, Unit.REASONING_TOKENS})


def tokens_of(lines: Iterable[Line]) -> int:
    """Tokens of every kind."""
    return sum(line.amount for line in lines if line.unit in TOKENS)


def day_of(lease_id: str) -> date:
    """The day (UTC) of a lease, out of its id (UUIDv7): one id is in under one day, whenever its event comes."""
    return date.fromordinal(EPOCH + int(lease_id[:8] + lease_id[9:13], 16) // DAY_MS)


def ids_of(day: date, hour: int) -> tuple[str, str]:
    """Ids of the leases of an hour of a day: the first, and the first behind them. What is no id of that day belongs to
    its first hour, or its last.
    """
    first = LOWEST if hour == 0 else _first_id(day, hour)
    return first, HIGHEST if hour == HOURS - 1 else _first_id(day, hour + 1)


def _first_id(day: date, hour: int) -> str:
    return str(UUID(int=((day.toordinal() - EPOCH) * DAY_MS + hour * HOUR_MS) << 80))


def answering(lines: Sequence[Line]) -> Line | None:
    """The line of the model that answered: the one that wrote, else the first that somebody provided."""
    writing = next((line for line in lines if line.unit in WRITTEN), None)
    return writing or next((line for line in lines if line.provider), None)


Share = tuple[Line, int]
"""A line, and the tier of its price: the tokens from which on it holds."""


def to_ledger(event: MeterEvent, book: PriceBook) -> LedgerEvent:
    """The event as a row of the ledger: priced and summed up."""
    tiers = book.tiers(event.tenant_id, event.lines, event.at)
    return _row(event, book, list(zip(event.lines, tiers, strict=True)), event.lines)


def corrected(event: MeterEvent, book: PriceBook, swept: Sequence[Line]) -> LedgerEvent:
    """The row that makes of what the sweeper booked what was used in all, which is what `event` tells.

    A call that turns out to be longer than it was when it was swept may be in another tier: then what was booked is
    taken back at its price, and all of it is booked at the other one.
    """
    shares = [
        list(zip(lines, book.tiers(event.tenant_id, lines, event.at), strict=True)) for lines in (event.lines, swept)
    ]
    rest = _difference(*shares)
    changed = replace(event, kind="correct", lines=tuple(line for line, _ in rest))
    return _row(changed, book, rest, event.lines)


def _row(event: MeterEvent, book: PriceBook, shares: Sequence[Share], used: Sequence[Line]) -> LedgerEvent:
    """`used`: by the lease in all."""
    lines = tuple(book.price(event.tenant_id, line, event.at, tier) for line, tier in shares)
    if fee := _fee(event, book, answering(used)):
        lines = (*lines, fee)
    counts = event.counts_request and event.kind != "correct" and event.status is not EventStatus.REPLAYED
    sums = [1 if counts else 0, *NOTHING[1:]]
    for line in lines:
        _add(sums, line)
    model = answering(event.lines)
    return LedgerEvent(event, day_of(event.id), model.provider if model else "", Amounts(*sums), lines)


def _fee(event: MeterEvent, book: PriceBook, model: Line | None) -> PricedLine | None:
    """What the request itself costs: in the row that ends its lease, where the model that answered has such a price."""
    if model is None or not event.counts_request or event.kind == "sweep" or event.status is EventStatus.REPLAYED:
        return None
    line = Line(model.service, model.model, model.provider, Unit.REQUESTS, 1)
    priced = book.price(event.tenant_id, line, event.at)
    return priced if priced.price_version else None


def subtract(lines: Sequence[Line], earlier: Sequence[Line]) -> tuple[Line, ...]:
    """What `lines` add to what was booked `earlier`."""
    return tuple(line for line, _ in _difference([(line, 0) for line in lines], [(line, 0) for line in earlier]))


def _difference(shares: Sequence[Share], earlier: Sequence[Share]) -> list[Share]:
    totals: dict[tuple[str, str, str, Unit, int, int], int] = defaultdict(int)
    for sign, row in ((1, shares), (-1, earlier)):
        for line, tier in row:
            totals[line.service, line.model, line.provider, line.unit, line.attempt, tier] += sign * line.amount
    return [
        (Line(service, model, provider, unit, amount, attempt), tier)
        for (service, model, provider, unit, attempt, tier), amount in totals.items()
        if amount
    ]


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
        told = [line for row in earlier for line in row.event.lines if line.unit is not Unit.REQUESTS]
        if subtract(event.lines, told) or final[0].event.tenant_id != event.tenant_id:
            raise Contradiction
        return None
    if swept:
        return corrected(event, book, swept.event.lines)
    return to_ledger(event if event.kind == "settle" else replace(event, kind="settle"), book)


def roll_up(events: Iterable[LedgerEvent]) -> dict[str, list[Rollup]]:
    """Sums by tenant, day, service and model. A request counts in the row of the service that answered it."""
    sums: dict[tuple[str, date, str, str], list[int]] = defaultdict(lambda: [*NOTHING])
    for row in events:
        tenant, day = row.event.tenant_id, row.day
        if row.amounts.requests:
            sums[tenant, day, row.event.service, row.event.model][0] += row.amounts.requests
        for line in row.lines:
            _add(sums[tenant, day, line.line.service, line.line.model], line)
    rollups: dict[str, list[Rollup]] = defaultdict(list)
    for (tenant, day, service, model), amounts in sorted(sums.items()):
        rollups[tenant].append(Rollup(day, service, model, Amounts(*amounts)))
    return rollups


def _add(sums: list[int], line: PricedLine) -> None:
    """Adds a line to what Amounts are made of: requests first, the cost last."""
    # The requests themselves are counted by the event, and a hit of the cache is one.
    if place := _PLACE.get(line.line.unit):
        sums[place] += line.line.amount
    sums[-1] += line.cost_nano_usd
