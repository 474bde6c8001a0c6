"""Deletions of tenants."""

from datetime import UTC, datetime
from typing import Any

from aisp.auth.v1 import deletions_pb2 as pb
from aisp.auth.v1.auth_service_pb2_grpc import AuthServiceServicer

from auth_service.domain.deletions import Deletion, DeletionStatus, Step
from auth_service.policy.deletions import open_services
from auth_service.service.deletions import Deletions
from auth_service.servicer.wire import actor, time_of
from chassis import context
from chassis.erasure import require_purpose
from chassis.pagination import PageRequest

STATUS = {
    DeletionStatus.WAITING: pb.DELETION_STATUS_WAITING,
    DeletionStatus.RUNNING: pb.DELETION_STATUS_RUNNING,
    DeletionStatus.SETTLING: pb.DELETION_STATUS_SETTLING,
    DeletionStatus.DONE: pb.DELETION_STATUS_DONE,
}


class DeletionsServicer(AuthServiceServicer):
    """Translates."""

    _deletions: Deletions

    async def DeleteTenant(self, request: pb.DeleteTenantRequest, _: Any) -> pb.DeleteTenantResponse:
        made = await self._deletions.delete_own(actor(), request.confirm, request.password)
        return pb.DeleteTenantResponse(deletion=_deletion(made))

    async def DeleteAnyTenant(self, request: pb.DeleteAnyTenantRequest, _: Any) -> pb.DeleteAnyTenantResponse:
        context.current().require_operator()
        made = await self._deletions.delete_any(request.id, request.confirm)
        return pb.DeleteAnyTenantResponse(deletion=_deletion(made))

    async def KeepTenant(self, request: pb.KeepTenantRequest, _: Any) -> pb.KeepTenantResponse:
        context.current().require_operator()
        await self._deletions.keep(request.id)
        return pb.KeepTenantResponse()

    async def GetDeletion(self, request: pb.GetDeletionRequest, _: Any) -> pb.GetDeletionResponse:
        return pb.GetDeletionResponse(deletion=_deletion(await self._deletions.get(request.id)))

    async def ListDeletions(self, request: pb.ListDeletionsRequest, _: Any) -> pb.ListDeletionsResponse:
        context.current().require_operator()
        page = await self._deletions.list(PageRequest.parse(request.page_size, request.page_token))
        return pb.ListDeletionsResponse(
            deletions=[_deletion(row) for row in page.items], next_page_token=page.next_cursor
        )

    async def ClaimErasure(self, _request: pb.ClaimErasureRequest, _: Any) -> pb.ClaimErasureResponse:
        require_purpose()
        found = await self._deletions.claim()
        if found is None:
            return pb.ClaimErasureResponse()
        return pb.ClaimErasureResponse(deletion_id=found.id, tenant_id=found.tenant_id, services=open_services(found))

    async def ReportErasure(self, request: pb.ReportErasureRequest, _: Any) -> pb.ReportErasureResponse:
        require_purpose()
        reports = {
            report.service: Step(
                report.service,
                done=not (report.waiting_for or report.error),
                removed=dict(report.removed),
                waiting_for=report.waiting_for,
                error=report.error,
            )
            for report in request.reports
        }
        await self._deletions.report(request.deletion_id, reports)
        return pb.ReportErasureResponse()


def _deletion(deletion: Deletion) -> pb.Deletion:
    wire = pb.Deletion(
        id=deletion.id,
        tenant_id=deletion.tenant_id,
        status=STATUS[deletion.status(datetime.now(UTC))],
        request_time=time_of(deletion.requested_at),
        start_time=time_of(deletion.starts_at),
        steps=[
            pb.DeletionStep(
                service=step.service,
                done=step.done,
                removed=dict(step.removed),
                waiting_for=step.waiting_for,
                error=step.error,
            )
            for step in deletion.steps
        ],
    )
    if deletion.erased_at is not None:
        wire.erase_time.CopyFrom(time_of(deletion.erased_at))
    return wire
