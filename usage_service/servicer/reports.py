"""What was used, what is left."""

from collections.abc import AsyncIterator
from typing import Any

from aisp.usage.v1 import usage_service_pb2 as pb
from aisp.usage.v1.usage_service_pb2_grpc import UsageServiceServicer

from chassis import context
from chassis.pagination import PageRequest
from usage_service.domain.ledger import EventFilter, EventStatus
from usage_service.service.limits import Limits
from usage_service.service.proof import Proofs
from usage_service.service.reports import Reports
from usage_service.servicer import wire

STATUS_BACK = {
    pb.EVENT_STATUS_SETTLED: EventStatus.SETTLED,
    pb.EVENT_STATUS_PARTIAL: EventStatus.PARTIAL,
    pb.EVENT_STATUS_ABANDONED: EventStatus.ABANDONED,
}


class ReportsServicer(UsageServiceServicer):
    """Translates."""

    _limits: Limits
    _reports: Reports
    _proofs: Proofs

    async def GetSummary(self, request: pb.GetSummaryRequest, _: Any) -> pb.GetSummaryResponse:
        calling = wire.caller()
        found = await self._reports.summary(calling.tenant_id, calling.key_id, request.from_date, request.to_date)
        return pb.GetSummaryResponse(
            from_date=found.first.isoformat(),
            to_date=found.last.isoformat(),
            plan=found.plan,
            totals=wire.amounts(found.totals),
            by_service=[
                pb.NamedAmounts(name=name, amounts=wire.amounts(amounts)) for name, amounts in found.by_service
            ],
            by_model=[pb.NamedAmounts(name=name, amounts=wire.amounts(amounts)) for name, amounts in found.by_model],
            storage_bytes=found.storage_bytes,
            storage_limit_bytes=found.storage_limit,
            limits=[wire.limit(state) for state in found.limits],
        )

    async def ListDaily(self, request: pb.ListDailyRequest, _: Any) -> pb.ListDailyResponse:
        rows = await self._reports.daily(wire.caller().tenant_id, request.from_date, request.to_date)
        days = [
            pb.DailyUsage(
                date=row.day.isoformat(), service=row.service, model=row.model, amounts=wire.amounts(row.amounts)
            )
            for row in rows
        ]
        return pb.ListDailyResponse(days=days)

    async def ListEvents(self, request: pb.ListEventsRequest, _: Any) -> pb.ListEventsResponse:
        paging = PageRequest.parse(request.page_size, request.page_token, key_length=3)
        page = await self._reports.events(wire.caller().tenant_id, self._filter(request.filter), paging)
        return pb.ListEventsResponse(events=[wire.event(row) for row in page.items], next_page_token=page.next_cursor)

    async def ExportEvents(self, request: pb.ExportEventsRequest, _: Any) -> AsyncIterator[pb.ExportEventsResponse]:
        parts = self._reports.export(wire.caller().tenant_id, self._filter(request.filter))
        async for part in parts:
            yield pb.ExportEventsResponse(events=[wire.event(row) for row in part])

    async def ListLimits(self, _request: pb.ListLimitsRequest, _: Any) -> pb.ListLimitsResponse:
        calling = wire.caller()
        states = await self._limits.state(calling.tenant_id, calling.key_id)
        return pb.ListLimitsResponse(limits=[wire.limit(state) for state in states])

    async def GetInvariants(self, request: pb.GetInvariantsRequest, _: Any) -> pb.GetInvariantsResponse:
        context.current().require_operator()
        found = await self._proofs.prove(request.from_date, request.to_date)
        return pb.GetInvariantsResponse(
            balanced=found.balanced,
            admitted=found.books.admitted,
            settled=found.books.settled,
            abandoned=found.books.abandoned,
            live=found.books.live,
            recorded=found.books.recorded,
            from_date=found.first.isoformat(),
            to_date=found.last.isoformat(),
            events=found.comparison.events,
            ledger=wire.amounts(found.comparison.ledger),
            rollups=wire.amounts(found.comparison.rollups),
            differences=[
                pb.Difference(
                    tenant_id=row.tenant_id, date=row.day.isoformat(), unit=row.unit, ledger=row.ledger,
                    rollups=row.rollups,
                )
                for row in found.comparison.differences
            ],
        )  # fmt: skip

    def _filter(self, wanted: pb.EventFilter) -> EventFilter:
        found = EventFilter(
            service=wanted.service,
            model=wanted.model,
            provider=wanted.provider,
            status=STATUS_BACK.get(wanted.status),
            key_id=wanted.key_id,
            user_id=wanted.user_id,
            request_id=wanted.request_id,
            unpriced=wanted.unpriced,
        )
        return self._reports.filter(found, wanted.from_date, wanted.to_date)
