"""What every part of the servicer translates."""

import math
import re
from datetime import UTC, datetime, timedelta

from aisp.common.v1 import usage_pb2
from aisp.usage.v1 import usage_service_pb2 as pb
from google.protobuf.timestamp_pb2 import Timestamp

from chassis import context
from chassis.errors import InvalidArgument, InvalidCursor, Unauthenticated
from chassis.pagination import PageRequest
from usage_service.domain.ledger import Amounts, EventStatus, LedgerEvent, Line, Unit
from usage_service.domain.limits import LimitState

ANSWERED_WITHIN = 0.05
"""Seconds, from the store's clock to here."""
UNITS = {unit: usage_pb2.Unit.Value(f"UNIT_{unit.name}") for unit in Unit}
UNITS_BACK = {wire: unit for unit, wire in UNITS.items()}
STATUS = {
    EventStatus.SETTLED: pb.EVENT_STATUS_SETTLED,
    EventStatus.PARTIAL: pb.EVENT_STATUS_PARTIAL,
    EventStatus.ABANDONED: pb.EVENT_STATUS_ABANDONED,
    EventStatus.REPLAYED: pb.EVENT_STATUS_SETTLED,
}
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def is_id(text: str) -> bool:
    """Whether a text can be an id at all."""
    return _UUID.fullmatch(text) is not None


def after_an_id(paging: PageRequest) -> PageRequest:
    """The paging of a list in order of ids. InvalidCursor for one that is none."""
    if paging.after is not None and not is_id(str(paging.after[0])):
        raise InvalidCursor
    return paging


def caller() -> context.RequestContext:
    """Who calls. Unauthenticated."""
    calling = context.current()
    if not calling.tenant_id:
        raise Unauthenticated
    return calling


def lines(usage: usage_pb2.Usage) -> list[Line]:
    """What was used. InvalidArgument."""
    found = []
    for line in usage.lines:
        unit = UNITS_BACK.get(line.unit)
        if unit is None:
            raise InvalidArgument("usage: a line has no unit.")
        found.append(
            Line(line.service, line.model, line.provider, unit, line.amount, line.attempt or 1, line.estimated)
        )
    return found


def time(at: datetime) -> Timestamp:
    """A time."""
    stamp = Timestamp()
    stamp.FromDatetime(at)
    return stamp


def amounts(found: Amounts) -> pb.Amounts:
    """Amounts."""
    return pb.Amounts(
        requests=found.requests,
        input_tokens=found.input_tokens,
        output_tokens=found.output_tokens,
        characters=found.characters,
        audio_milliseconds=found.audio_milliseconds,
        cost_nano_usd=found.cost_nano_usd,
    )


def limit(state: LimitState) -> pb.LimitState:
    """The state of a limit."""
    wire = pb.LimitState(name=state.name, limit=state.limit, used=state.used, scope=state.scope)
    if state.reset_ms:
        wire.reset_time.CopyFrom(time(whole_second(datetime.now(UTC) + timedelta(milliseconds=state.reset_ms))))
    return wire


def whole_second(moment: datetime) -> datetime:
    """The next one, so that nobody comes back too early; not the one after what was midnight when the store said so."""
    return datetime.fromtimestamp(math.ceil(moment.timestamp() - ANSWERED_WITHIN), UTC)


def event(row: LedgerEvent) -> pb.Event:
    """An event of the ledger."""
    booked = row.event
    told = [
        pb.EventLine(
            usage=usage_pb2.UsageLine(
                service=line.line.service,
                model=line.line.model,
                provider=line.line.provider,
                unit=UNITS[line.line.unit],
                amount=line.line.amount,
                attempt=line.line.attempt,
                estimated=line.line.estimated,
            ),
            price_version=line.price_version,
            cost_nano_usd=line.cost_nano_usd,
            from_input_tokens=line.from_input_tokens,
        )
        for line in row.lines
    ]
    return pb.Event(
        id=booked.id,
        request_id=booked.request_id,
        service=booked.service,
        model=booked.model,
        provider=row.provider,
        status=STATUS[booked.status],
        amounts=amounts(row.amounts),
        lines=told,
        time=time(booked.at),
        key_id=booked.key_id,
        corrects_id=row.corrects_id,
        user_id=booked.user_id,
        unpriced=row.unpriced,
    )
