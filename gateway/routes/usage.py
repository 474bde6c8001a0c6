"""What was used, what it cost, what is left; and for operators, whether the books balance."""

import csv
import io
from collections.abc import AsyncIterator, Iterable
from typing import Annotated, Any, Literal

import orjson
from aisp.usage.v1 import usage_service_pb2 as pb
from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse

from gateway.admission import UNITS, Call
from gateway.routes.common import (
    AUTHENTICATED,
    Cursor,
    Limit,
    Services,
    StrictRoute,
    iso,
    iso_or_none,
    managed,
    page,
    problems,
)

router = APIRouter(route_class=StrictRoute, prefix="/api/v1/usage", tags=["usage"])

From = Annotated[str, Query(alias="from", max_length=10, description="First day (UTC), YYYY-MM-DD")]
To = Annotated[str, Query(max_length=10, description="Last day (UTC), inclusive")]
STATUS = {
    pb.EVENT_STATUS_SETTLED: "settled",
    pb.EVENT_STATUS_PARTIAL: "partial",
    pb.EVENT_STATUS_ABANDONED: "abandoned",
}
STATUS_NUMBERS = {name: number for number, name in STATUS.items()}
Word = Annotated[str, Query(max_length=200)]
Format = Annotated[Literal["csv", "jsonl"], Query(alias="format", description="CSV, or JSON Lines")]
EXPORT: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {"application/jsonl": {"schema": {"type": "string"}}, "text/csv": {"schema": {"type": "string"}}},
        "description": "All events that the filter leaves, oldest first",
    }
}
COLUMNS = ("at", "id", "corrects_id", "request_id", "status", "key_id", "user_id")
LINE_COLUMNS = (
    "service", "model", "provider", "unit", "amount", "attempt", "price_version", "cost_nano_usd", "estimated",
    "from_input_tokens",
)  # fmt: skip
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet would calculate, if a text began with it."""


@router.get("/summary", responses=AUTHENTICATED | problems(400), operation_id="usageSummary")
async def summary(
    services: Services, from_: From = "", to: To = "", call: Call = managed("usage:read")
) -> dict[str, Any]:
    """The sum over days, with storage and the state of the limits. Without dates: this month."""
    request = pb.GetSummaryRequest(from_date=from_, to_date=to)
    found = await services.usage.GetSummary(request, context=call.context)
    storage = {"bytes": found.storage_bytes, "limit": None}
    if found.HasField("storage_limit_bytes"):
        storage["limit"] = found.storage_limit_bytes
    return {
        "from": found.from_date,
        "to": found.to_date,
        "plan": found.plan,
        "totals": _amounts(found.totals),
        "by_service": [{"service": row.name, **_amounts(row.amounts)} for row in found.by_service],
        "by_model": [{"model": row.name, **_amounts(row.amounts)} for row in found.by_model],
        "storage": storage,
        "limits": [_limit(state) for state in found.limits],
    }


@router.get("/daily", responses=AUTHENTICATED | problems(400), operation_id="usageDaily")
async def daily(
    services: Services, from_: From = "", to: To = "", call: Call = managed("usage:read")
) -> dict[str, Any]:
    """Usage by day (UTC), service and model. Without dates: the last 30 days."""
    found = await services.usage.ListDaily(pb.ListDailyRequest(from_date=from_, to_date=to), context=call.context)
    rows = [
        {"date": day.date, "service": day.service, "model": day.model, **_amounts(day.amounts)} for day in found.days
    ]
    return {"data": rows}


def within(from_: From = "", to: To = "") -> tuple[str, str]:
    """Days."""
    return from_, to


def called_by(key_id: Word = "", user_id: Word = "", request_id: Word = "") -> tuple[str, str, str]:
    """Who called."""
    return key_id, user_id, request_id


def asked(
    days: Annotated[tuple[str, str], Depends(within)],
    caller: Annotated[tuple[str, str, str], Depends(called_by)],
    service: Word = "",
    model: Word = "",
    provider: Word = "",
    status: Annotated[Literal["settled", "partial", "abandoned"] | None, Query(description="How it ended")] = None,
    unpriced: Annotated[bool, Query(description="Only what has a line without a price")] = False,
) -> pb.EventFilter:
    """Which events, from the query."""
    return pb.EventFilter(
        from_date=days[0],
        to_date=days[1],
        service=service,
        model=model,
        provider=provider,
        status=STATUS_NUMBERS[status] if status else pb.EVENT_STATUS_UNSPECIFIED,
        key_id=caller[0],
        user_id=caller[1],
        request_id=caller[2],
        unpriced=unpriced,
    )


Which = Annotated[pb.EventFilter, Depends(asked)]


@router.get("/events", responses=AUTHENTICATED | problems(400), operation_id="usageEvents")
async def events(
    services: Services, which: Which, limit: Limit = 50, cursor: Cursor = "", call: Call = managed("usage:read")
) -> dict[str, Any]:
    """The ledger, newest first: one row for each admitted request."""
    request = pb.ListEventsRequest(page_size=limit, page_token=cursor, filter=which)
    found = await services.usage.ListEvents(request, context=call.context)
    return page([_event(event) for event in found.events], found.next_page_token)


@router.get(
    "/export",
    responses=AUTHENTICATED | problems(400) | EXPORT,
    operation_id="exportUsage",
    response_class=StreamingResponse,
)
async def export(
    services: Services, which: Which, form: Format = "csv", call: Call = managed("usage:read")
) -> StreamingResponse:
    """The ledger, oldest first, streamed: as CSV a row for each line of an event, as JSON Lines a line an event."""
    parts = services.usage.ExportEvents(pb.ExportEventsRequest(filter=which), context=call.context)
    # What cannot be asked is an ordinary error, with its status: so the first part comes before the answer begins.
    first = await anext(parts, None)
    rows = _csv if form == "csv" else _json_lines
    media_type = "text/csv; charset=utf-8" if form == "csv" else "application/jsonl"
    headers = {"Content-Disposition": f'attachment; filename="usage.{form}"'}
    return StreamingResponse(rows(first, parts), media_type=media_type, headers=headers)


@router.get("/limits", responses=AUTHENTICATED, operation_id="usageLimits")
async def limits(services: Services, call: Call = managed("usage:read")) -> dict[str, Any]:
    """The state of each limit."""
    found = await services.usage.ListLimits(pb.ListLimitsRequest(), context=call.context)
    return {"data": [_limit(state) for state in found.limits]}


@router.get("/invariants", responses=AUTHENTICATED | problems(400, 504), operation_id="usageInvariants")
async def invariants(
    services: Services, from_: From = "", to: To = "", call: Call = managed("", operator=True)
) -> dict[str, Any]:
    """Whether the books balance: admitted = settled + abandoned + live, and the ledger of the days (without dates: the
    last 30) comes to what its rollups say; where not, whose and which. For operators.
    """
    request = pb.GetInvariantsRequest(from_date=from_, to_date=to)
    books = await services.usage.GetInvariants(request, context=call.context)
    return {
        "balanced": books.balanced,
        "admitted": books.admitted,
        "settled": books.settled,
        "abandoned": books.abandoned,
        "live": books.live,
        "recorded": books.recorded,
        "from": books.from_date,
        "to": books.to_date,
        "events": books.events,
        "ledger": _amounts(books.ledger),
        "rollups": _amounts(books.rollups),
        "differences": [
            {
                "tenant_id": row.tenant_id, "date": row.date, "unit": row.unit, "ledger": row.ledger,
                "rollups": row.rollups,
            }
            for row in books.differences
        ],
    }  # fmt: skip


def _amounts(amounts: pb.Amounts) -> dict[str, Any]:
    return {
        "requests": amounts.requests,
        "input_tokens": amounts.input_tokens,
        "output_tokens": amounts.output_tokens,
        "characters": amounts.characters,
        "audio_seconds": amounts.audio_milliseconds / 1000,
        "cost_nano_usd": amounts.cost_nano_usd,
    }


def _limit(state: pb.LimitState) -> dict[str, Any]:
    return {
        "name": state.name,
        "scope": state.scope,
        "limit": state.limit,
        "used": state.used,
        "remaining": max(0, state.limit - state.used),
        "resets_at": iso_or_none(state, "reset_time"),
    }


def _event(event: pb.Event) -> dict[str, Any]:
    versions = [line.price_version for line in event.lines if line.price_version]
    lines = [
        {
            "service": line.usage.service,
            "model": line.usage.model,
            "provider": line.usage.provider,
            "unit": UNITS[line.usage.unit],
            "amount": line.usage.amount,
            "attempt": line.usage.attempt,
            "price_version": line.price_version or None,
            "cost_nano_usd": line.cost_nano_usd,
            "estimated": line.usage.estimated,
            "from_input_tokens": line.from_input_tokens or None,
        }
        for line in event.lines
    ]
    return {
        "id": event.id,
        "request_id": event.request_id,
        "service": event.service,
        "model": event.model or None,
        "provider": event.provider or None,
        "status": STATUS.get(event.status, "settled"),
        **_amounts(event.amounts),
        "price_version": max(versions, default=None),
        "lines": lines,
        "unpriced": event.unpriced,
        "estimated": any(line.usage.estimated for line in event.lines),
        "key_id": event.key_id or None,
        "user_id": event.user_id or None,
        "corrects_id": event.corrects_id or None,
        "at": iso(event.time),
    }


Parts = AsyncIterator[pb.ExportEventsResponse]


async def _all(first: pb.ExportEventsResponse | None, rest: Parts) -> AsyncIterator[list[dict[str, Any]]]:
    if first is not None:
        yield [_event(event) for event in first.events]
        async for part in rest:
            yield [_event(event) for event in part.events]


async def _json_lines(first: pb.ExportEventsResponse | None, rest: Parts) -> AsyncIterator[bytes]:
    async for events in _all(first, rest):
        yield b"".join(orjson.dumps(event) + b"\n" for event in events)


async def _csv(first: pb.ExportEventsResponse | None, rest: Parts) -> AsyncIterator[bytes]:
    yield _rows([[*COLUMNS, *LINE_COLUMNS]])
    async for events in _all(first, rest):
        yield _rows(
            [_cell(event[name]) for name in COLUMNS] + [_cell(line[name]) for name in LINE_COLUMNS]
            for event in events
            for line in event["lines"] or [dict.fromkeys(LINE_COLUMNS)]
        )


def _rows(rows: Iterable[list[Any]]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue().encode()


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
