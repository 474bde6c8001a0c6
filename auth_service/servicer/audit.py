"""The audit log."""

from collections.abc import AsyncIterator
from typing import Any

from aisp.auth.v1 import audit_pb2 as pb
from aisp.auth.v1.auth_service_pb2_grpc import AuthServiceServicer

from auth_service.domain.audit import AuditEvent, AuditFilter, Outcome
from auth_service.policy.audit import deed_of
from auth_service.service.audit import Audit, chain_of
from auth_service.servicer.wire import caller, time_from
from chassis import context
from chassis.errors import InvalidArgument
from chassis.pagination import PageRequest

OUTCOME = {
    pb.AUDIT_OUTCOME_REQUESTED: Outcome.REQUESTED,
    pb.AUDIT_OUTCOME_DONE: Outcome.DONE,
    pb.AUDIT_OUTCOME_REFUSED: Outcome.REFUSED,
}


class AuditServicer(AuthServiceServicer):
    """Translates."""

    _audit: Audit

    async def RecordAuditEvent(self, request: pb.RecordAuditEventRequest, _: Any) -> pb.RecordAuditEventResponse:
        outcome = OUTCOME.get(request.outcome)
        if outcome is None:
            raise InvalidArgument("outcome is needed.")
        deed = deed_of(request.action, request.resource_id, request.before_json, request.after_json, outcome)
        await self._audit.record(_chain(request.chain), deed)
        return pb.RecordAuditEventResponse()

    async def ListAuditEvents(self, request: pb.ListAuditEventsRequest, _: Any) -> pb.ListAuditEventsResponse:
        page = PageRequest.parse(request.page_size, request.page_token, key_length=1)
        found = await self._audit.page(_chain(request.chain), _filter(request.filter), page)
        return pb.ListAuditEventsResponse(
            events=[_event(event) for event in found.items], next_page_token=found.next_cursor
        )

    async def ExportAuditEvents(
        self, request: pb.ExportAuditEventsRequest, _: Any
    ) -> AsyncIterator[pb.ExportAuditEventsResponse]:
        chain = _chain(request.chain)
        head = await self._audit.head(chain)
        if head is not None:
            async for rows in self._audit.export(chain, _filter(request.filter), head.sequence):
                yield pb.ExportAuditEventsResponse(events=[_event(row) for row in rows])
            end = pb.AuditHead(
                tenant_id=head.tenant_id,
                sequence=head.sequence,
                hash=head.hash,
                key_id=head.key_id,
                signature=head.signature,
            )
            yield pb.ExportAuditEventsResponse(head=end)


def _chain(chain: pb.AuditChain) -> str:
    """The caller's own chain; an operator may name another tenant's, or the platform's."""
    named = chain.WhichOneof("of")
    if named is None:
        return caller().tenant_id
    context.current().require_operator()
    return chain_of(chain.tenant_id, platform=named == "platform")


def _filter(wire: pb.AuditFilter) -> AuditFilter:
    return AuditFilter(
        action=wire.action,
        resource_id=wire.resource_id,
        user_id=wire.user_id,
        key_id=wire.key_id,
        request_id=wire.request_id,
        since=time_from(wire.since_time) if wire.HasField("since_time") else None,
        until=time_from(wire.until_time) if wire.HasField("until_time") else None,
    )


def _event(event: AuditEvent) -> pb.AuditEvent:
    return pb.AuditEvent(sequence=event.sequence, document=event.document.encode(), hash=event.hash)
