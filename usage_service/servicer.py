"""UsageService on the wire: protobuf <-> domain. Decides nothing."""

from datetime import UTC, datetime, timedelta
from typing import Any

from aisp.common.v1 import usage_pb2
from aisp.usage.v1 import usage_service_pb2 as pb
from aisp.usage.v1.usage_service_pb2_grpc import UsageServiceServicer
from google.protobuf.timestamp_pb2 import Timestamp

from chassis import context
from chassis.errors import InvalidArgument, Unauthenticated
from chassis.pagination import PageRequest
from usage_service.domain.ledger import Amounts, EventStatus, LedgerEvent, Line, Unit
from usage_service.domain.limits import LimitState, Subject, Work
from usage_service.service.leases import Leases
from usage_service.service.limits import Limits
from usage_service.service.reports import Reports

UNITS = {unit: usage_pb2.Unit.Value(f"UNIT_{unit.name}") for unit in Unit}
UNITS_BACK = {wire: unit for unit, wire in UNITS.items()}
STATUS = {
    EventStatus.SETTLED: pb.EVENT_STATUS_SETTLED,
    EventStatus.PARTIAL: pb.EVENT_STATUS_PARTIAL,
    EventStatus.ABANDONED: pb.EVENT_STATUS_ABANDONED,
    EventStatus.REPLAYED: pb.EVENT_STATUS_SETTLED,
}
DEFAULT_LEASE_SECONDS = 60
MAX_LEASE_SECONDS = 3600


class UsageServicer(UsageServiceServicer):
    """Translates."""

    def __init__(self, limits: Limits, leases: Leases, reports: Reports) -> None:
        self._limits = limits
        self._leases = leases
        self._reports = reports

    async def EnsureLimits(self, request: pb.EnsureLimitsRequest, _: Any) -> pb.EnsureLimitsResponse:
        calling, key = _caller(), None
        if request.key_id:
            key = Subject("key", request.key_id, request.key_version, dict(request.key_limits))
        await self._limits.ensure(calling.tenant_id, request.plan, request.tenant_version, key, calling.user_id)
        return pb.EnsureLimitsResponse()

    async def Reserve(self, request: pb.ReserveRequest, _: Any) -> pb.ReserveResponse:
        calling = _caller()
        seconds = request.lease_seconds or DEFAULT_LEASE_SECONDS
        if not 1 <= seconds <= MAX_LEASE_SECONDS or request.tokens < 0 or request.storage_bytes < 0:
            raise InvalidArgument("tokens and storage_bytes must not be negative, lease_seconds 1 to 3600.")
        work = Work(
            tenant_id=calling.tenant_id,
            request_id=calling.request_id,
            user_id=calling.user_id,
            key_id=calling.key_id,
            service=request.service,
            tokens=request.tokens,
            storage_bytes=request.storage_bytes,
            lease_seconds=seconds,
            counts_request=request.counts_request,
        )
        return pb.ReserveResponse(lease_id=await self._leases.reserve(work))

    async def Checkpoint(self, request: pb.CheckpointRequest, _: Any) -> pb.CheckpointResponse:
        await self._leases.checkpoint(_caller().tenant_id, request.lease_id, _lines(request.usage))
        return pb.CheckpointResponse()

    async def Settle(self, request: pb.SettleRequest, _: Any) -> pb.SettleResponse:
        lines = _lines(request.usage)
        calling = _caller()
        work = Work(
            tenant_id=calling.tenant_id,
            request_id=calling.request_id,
            user_id=calling.user_id,
            key_id=calling.key_id,
            service=next((line.service for line in lines), ""),
            tokens=0,
            storage_bytes=0,
            lease_seconds=DEFAULT_LEASE_SECONDS,
            counts_request=False,
        )
        await self._leases.settle(work, request.lease_id, lines, partial=request.partial)
        return pb.SettleResponse()

    async def GetSummary(self, request: pb.GetSummaryRequest, _: Any) -> pb.GetSummaryResponse:
        calling = _caller()
        found = await self._reports.summary(calling.tenant_id, calling.key_id, request.from_date, request.to_date)
        return pb.GetSummaryResponse(
            from_date=found.first.isoformat(),
            to_date=found.last.isoformat(),
            plan=found.plan,
            totals=_amounts(found.totals),
            by_service=[pb.NamedAmounts(name=name, amounts=_amounts(amounts)) for name, amounts in found.by_service],
            by_model=[pb.NamedAmounts(name=name, amounts=_amounts(amounts)) for name, amounts in found.by_model],
            storage_bytes=found.storage_bytes,
            storage_limit_bytes=found.storage_limit,
            limits=[_limit(state) for state in found.limits],
        )

    async def ListDaily(self, request: pb.ListDailyRequest, _: Any) -> pb.ListDailyResponse:
        rows = await self._reports.daily(_caller().tenant_id, request.from_date, request.to_date)
        days = [
            pb.DailyUsage(date=row.day.isoformat(), service=row.service, model=row.model, amounts=_amounts(row.amounts))
            for row in rows
        ]
        return pb.ListDailyResponse(days=days)

    async def ListEvents(self, request: pb.ListEventsRequest, _: Any) -> pb.ListEventsResponse:
        paging = PageRequest.parse(request.page_size, request.page_token, key_length=3)
        page = await self._reports.events(_caller().tenant_id, paging)
        return pb.ListEventsResponse(events=[_event(row) for row in page.items], next_page_token=page.next_cursor)

    async def ListLimits(self, _request: pb.ListLimitsRequest, _: Any) -> pb.ListLimitsResponse:
        calling = _caller()
        states = await self._limits.state(calling.tenant_id, calling.key_id)
        return pb.ListLimitsResponse(limits=[_limit(state) for state in states])

    async def SetTenantLimits(self, request: pb.SetTenantLimitsRequest, _: Any) -> pb.SetTenantLimitsResponse:
        context.current().require_operator()
        limits = await self._limits.set_own(
            request.tenant_id, request.plan, request.tenant_version, dict(request.limits)
        )
        return pb.SetTenantLimitsResponse(limits=limits)

    async def ListPlans(self, _request: pb.ListPlansRequest, _: Any) -> pb.ListPlansResponse:
        context.current().require_operator()
        plans = [
            pb.Plan(name=plan.name, limits=plan.limits, support=plan.support, sla_basis_points=plan.sla_basis_points)
            for plan in await self._limits.plans()
        ]
        return pb.ListPlansResponse(plans=plans)

    async def ListPrices(self, _request: pb.ListPricesRequest, _: Any) -> pb.ListPricesResponse:
        prices = [
            pb.Price(
                version=price.version,
                provider=price.provider,
                model=price.model,
                unit=UNITS[price.unit],
                nano_usd_per_million=price.nano_usd_per_million,
                effective_time=_time(price.effective_at),
            )
            for price in await self._reports.prices()
        ]
        return pb.ListPricesResponse(prices=prices)

    async def GetInvariants(self, _request: pb.GetInvariantsRequest, _: Any) -> pb.GetInvariantsResponse:
        context.current().require_operator()
        books = await self._reports.books()
        return pb.GetInvariantsResponse(
            balanced=books.balanced,
            admitted=books.admitted,
            settled=books.settled,
            abandoned=books.abandoned,
            live=books.live,
        )


def _caller() -> context.RequestContext:
    calling = context.current()
    if not calling.tenant_id:
        raise Unauthenticated
    return calling


def _lines(usage: usage_pb2.Usage) -> list[Line]:
    lines = []
    for line in usage.lines:
        unit = UNITS_BACK.get(line.unit)
        if unit is None:
            raise InvalidArgument("usage: a line has no unit.")
        lines.append(Line(line.service, line.model, line.provider, unit, line.amount, line.attempt or 1))
    return lines


def _time(at: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(at)
    return stamp


def _amounts(amounts: Amounts) -> pb.Amounts:
    return pb.Amounts(
        requests=amounts.requests,
        input_tokens=amounts.input_tokens,
        output_tokens=amounts.output_tokens,
        characters=amounts.characters,
        audio_milliseconds=amounts.audio_milliseconds,
        cost_nano_usd=amounts.cost_nano_usd,
    )


def _limit(state: LimitState) -> pb.LimitState:
    wire = pb.LimitState(name=state.name, limit=state.limit, used=state.used, scope=state.scope)
    if state.reset_ms:
        wire.reset_time.CopyFrom(_time(datetime.now(UTC) + timedelta(milliseconds=state.reset_ms)))
    return wire


def _event(row: LedgerEvent) -> pb.Event:
    event = row.event
    lines = [
        pb.EventLine(
            usage=usage_pb2.UsageLine(
                service=line.line.service,
                model=line.line.model,
                provider=line.line.provider,
                unit=UNITS[line.line.unit],
                amount=line.line.amount,
                attempt=line.line.attempt,
            ),
            price_version=line.price_version,
            cost_nano_usd=line.cost_nano_usd,
        )
        for line in row.lines
    ]
    return pb.Event(
        id=event.id,
        request_id=event.request_id,
        service=event.service,
        model=event.model,
        provider=row.provider,
        status=STATUS[event.status],
        amounts=_amounts(row.amounts),
        lines=lines,
        time=_time(event.at),
        key_id=event.key_id,
        corrects_id=row.corrects_id,
    )
