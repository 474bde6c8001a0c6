"""Events as they are listed and exported."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import UUID

from usage_service.domain.ledger import (
    Amounts,
    EventFilter,
    EventStatus,
    LedgerEvent,
    Line,
    MeterEvent,
    PricedLine,
    Unit,
)
from usage_service.repository.rows import Rows
from usage_service.repository.tables import AMOUNTS, events

KEY = (events.c.at, events.c.id, events.c.kind)
UNPRICED = """EXISTS (SELECT 1 FROM jsonb_array_elements(events.lines) AS line
    WHERE (line->>6)::bigint = 0 AND line->>3 NOT IN ('stored_bytes', 'requests'))"""


class EventRows(Rows):
    """Queries on events."""

    async def list_events(
        self, tenant_id: str, wanted: EventFilter, size: int, after: tuple[str | int, ...] | None, *, oldest_first: bool
    ) -> list[LedgerEvent]:
        query = sa.select(events).where(events.c.tenant_id == tenant_id, *_narrowed(wanted))
        if after is not None:
            at = datetime.fromtimestamp(int(after[0]) // 1000, UTC) + timedelta(milliseconds=int(after[0]) % 1000)
            place = (sa.literal(at), sa.literal(str(after[1]), UUID(as_uuid=False)), sa.literal(str(after[2])))
            here, there = sa.tuple_(*KEY), sa.tuple_(*place)
            query = query.where(here > there if oldest_first else here < there)
        order = [column.asc() if oldest_first else column.desc() for column in KEY]
        # Of a partition that was never analyzed the planner takes a time of a tenant for one row, and sorts it: it may
        # be all of a large tenant's day. Each partition has them in their order by its index.
        await self._db.execute(sa.text("SET LOCAL enable_sort = off"))
        return [from_row(row) for row in await self._db.execute(query.order_by(*order).limit(size + 1))]


def _narrowed(wanted: EventFilter) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if wanted.first:
        found.append(events.c.at >= _midnight(wanted.first))
    if wanted.last:
        found.append(events.c.at < _midnight(wanted.last + timedelta(days=1)))
    told = ("service", "model", "provider", "key_id", "user_id", "request_id")
    found += [events.c[name] == value for name in told if (value := getattr(wanted, name))]
    if wanted.status is EventStatus.SETTLED:
        found.append(events.c.status.in_([EventStatus.SETTLED.value, EventStatus.REPLAYED.value]))
    elif wanted.status:
        found.append(events.c.status == wanted.status.value)
    if wanted.unpriced:
        found.append(sa.literal_column(UNPRICED, sa.Boolean))
    return found


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def to_columns(rows: Sequence[LedgerEvent]) -> dict[str, list[Any]]:
    """Events as columns of the table."""
    told = ("id", "kind", "tenant_id", "counts_request", "request_id", "user_id", "key_id", "service", "model", "at")
    columns = {name: [getattr(row.event, name) for row in rows] for name in told}
    columns |= {name: [getattr(row.amounts, name) for row in rows] for name in AMOUNTS}
    return columns | {
        "day": [row.day for row in rows],
        "status": [row.event.status.value for row in rows],
        "provider": [row.provider for row in rows],
        "lines": [_lines(row) for row in rows],
    }


def _lines(row: LedgerEvent) -> str:
    told = [
        [line.line.service, line.line.model, line.line.provider, line.line.unit.value, line.line.amount,
         line.line.attempt, line.price_version, line.cost_nano_usd, *_more(line)]
        for line in row.lines
    ]  # fmt: skip
    return orjson.dumps(told).decode()


def _more(line: PricedLine) -> list[bool | int]:
    """Behind what every line has: that it is estimated, and its price's tier."""
    if line.from_input_tokens:
        return [line.line.estimated, line.from_input_tokens]
    return [True] if line.line.estimated else []


def _line(item: list[Any]) -> PricedLine:
    service, model, provider, unit, amount, attempt, version, cost, *more = item
    used = Line(service, model, provider, Unit(unit), amount, attempt, bool(more and more[0]))
    return PricedLine(used, version, cost, more[1] if len(more) > 1 else 0)


def from_row(row: Any) -> LedgerEvent:
    """A row as an event."""
    lines = tuple(_line(item) for item in row.lines)
    event = MeterEvent(
        id=row.id,
        kind=row.kind,
        status=EventStatus(row.status),
        tenant_id=row.tenant_id,
        counts_request=row.counts_request,
        request_id=row.request_id,
        user_id=row.user_id,
        key_id=row.key_id,
        service=row.service,
        model=row.model,
        lines=tuple(line.line for line in lines),
        at=row.at.astimezone(UTC) if isinstance(row.at, datetime) else row.at,
    )
    return LedgerEvent(event, row.day, row.provider, Amounts(*(getattr(row, name) for name in AMOUNTS)), lines)
