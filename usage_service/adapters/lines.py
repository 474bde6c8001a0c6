"""Lines as the text that rides through the meter: JSON arrays [service, model, provider, unit, amount, attempt], and
`true` behind an amount that is estimated.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from uuid import UUID

import orjson

from usage_service.domain.ledger import EventStatus, Line, MeterEvent, Unit


@lru_cache(10_000)
def _uuid(text: str) -> str:
    return str(UUID(text))


def encode_lines(lines: Sequence[Line]) -> str:
    """The text of lines."""
    rows = [
        [line.service, line.model, line.provider, line.unit.value, line.amount, line.attempt, *_mark(line)]
        for line in lines
    ]
    return orjson.dumps(rows).decode()


def _mark(line: Line) -> list[bool]:
    return [True] if line.estimated else []


def decode_lines(text: str | bytes) -> tuple[Line, ...]:
    """The lines of a text."""
    rows = orjson.loads(text) if text else []
    return tuple(Line(row[0], row[1], row[2], Unit(row[3]), int(row[4]), int(row[5]), bool(row[6:])) for row in rows)


def decode_event(told: Mapping[str, str]) -> MeterEvent:
    """An entry of a stream. Its lines are what was used in all, of a correction too."""
    descriptor = orjson.loads(told["descriptor"])
    return MeterEvent(
        id=str(UUID(told["id"])),
        kind=told["kind"],
        status=EventStatus(told["status"]),
        tenant_id=_uuid(told["tenant"]),
        counts_request=told["counts"] == "1",
        request_id=descriptor.get("r", ""),
        user_id=told.get("user", ""),
        key_id=told["key"],
        service=descriptor.get("s", ""),
        model=descriptor.get("m", ""),
        lines=decode_lines(told["lines"]),
        at=datetime.fromtimestamp(int(told["at"]) / 1000, UTC),
    )
