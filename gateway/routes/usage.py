"""What was used, what it cost, what is left; and for operators, whether the books balance."""

from typing import Annotated, Any

from aisp.usage.v1 import usage_service_pb2 as pb
from fastapi import APIRouter, Query

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


@router.get("/events", responses=AUTHENTICATED | problems(400), operation_id="usageEvents")
async def events(
    services: Services, limit: Limit = 50, cursor: Cursor = "", call: Call = managed("usage:read")
) -> dict[str, Any]:
    """The ledger, newest first: one row for each admitted request."""
    request = pb.ListEventsRequest(page_size=limit, page_token=cursor)
    found = await services.usage.ListEvents(request, context=call.context)
    return page([_event(event) for event in found.events], found.next_page_token)


@router.get("/limits", responses=AUTHENTICATED, operation_id="usageLimits")
async def limits(services: Services, call: Call = managed("usage:read")) -> dict[str, Any]:
    """The state of each limit."""
    found = await services.usage.ListLimits(pb.ListLimitsRequest(), context=call.context)
    return {"data": [_limit(state) for state in found.limits]}


@router.get("/invariants", responses=AUTHENTICATED, operation_id="usageInvariants")
async def invariants(services: Services, call: Call = managed("", operator=True)) -> dict[str, Any]:
    """Whether the books balance: admitted = settled + abandoned + live. For operators."""
    books = await services.usage.GetInvariants(pb.GetInvariantsRequest(), context=call.context)
    return {
        "balanced": books.balanced,
        "admitted": books.admitted,
        "settled": books.settled,
        "abandoned": books.abandoned,
        "live": books.live,
    }


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
        "key_id": event.key_id or None,
        "corrects_id": event.corrects_id or None,
        "at": iso(event.time),
    }
