"""Lines as the text that rides through the meter: JSON arrays [service, model, provider, unit, amount, attempt]."""

from collections.abc import Sequence
from datetime import UTC, datetime

import orjson

from usage_service.domain import EventStatus, Line, MeterEvent, Unit
from usage_service.policy import subtract


def encode_lines(lines: Sequence[Line]) -> str:
    """The text of lines."""
    rows = [[line.service, line.model, line.provider, line.unit.value, line.amount, line.attempt] for line in lines]
    return orjson.dumps(rows).decode()


def decode_lines(text: str | bytes) -> tuple[Line, ...]:
    """The lines of a text."""
    rows = orjson.loads(text) if text else []
    return tuple(Line(row[0], row[1], row[2], Unit(row[3]), int(row[4]), int(row[5])) for row in rows)


def decode_event(fields: dict[bytes, bytes]) -> MeterEvent:
    """An entry of a stream. Of a correction the lines are the difference to what was booked before."""
    told = {key.decode(): value.decode() for key, value in fields.items()}
    descriptor = orjson.loads(told["descriptor"])
    lines = decode_lines(told["lines"])
    if told["kind"] == "correct":
        lines = subtract(lines, decode_lines(told["prior"]))
    return MeterEvent(
        id=told["id"],
        kind=told["kind"],
        status=EventStatus(told["status"]),
        tenant_id=told["tenant"],
        counts_request=told["counts"] == "1",
        request_id=descriptor.get("r", ""),
        user_id=descriptor.get("u", ""),
        key_id=descriptor.get("k", ""),
        service=descriptor.get("s", ""),
        model=descriptor.get("m", ""),
        lines=lines,
        at=datetime.fromtimestamp(int(told["at"]) / 1000, UTC),
    )
