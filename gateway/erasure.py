"""Deleted tenants, removed from every service: the auth service says which, the gateway, which calls all, does it.

Every gateway looks now and then; of many, one gets a tenant. It owns nothing: if it dies, another goes on after a
minute, and every service removes what there is as often as it is asked.
"""

import asyncio
from collections.abc import Mapping

import structlog
from aisp.auth.v1 import deletions_pb2 as pb
from aisp.auth.v1.auth_service_pb2_grpc import AuthServiceStub
from aisp.erasure.v1.erasure_service_pb2 import EraseTenantRequest
from aisp.erasure.v1.erasure_service_pb2_grpc import ErasureServiceStub
from prometheus_client import Counter

from chassis.context import RequestContext
from chassis.erasure import PURPOSE
from chassis.errors import PlatformError

log = structlog.get_logger()

ERASURES = Counter(
    "aisp_gateway_erasures_total", "Calls that removed a deleted tenant from a service", ["service", "outcome"]
)


class Erasures:
    """Carries out deletions."""

    def __init__(self, auth: AuthServiceStub, services: Mapping[str, ErasureServiceStub], seconds: float) -> None:
        """`seconds`: between two looks."""
        self._auth = auth
        self._services = services
        self._seconds = seconds

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            try:
                worked = await self.once()
            except PlatformError as error:
                log.warning("deletions of tenants wait", reason=error.reason)
                worked = False
            if not worked:
                await asyncio.sleep(self._seconds)

    async def once(self) -> bool:
        """Asks for one tenant, and every service for it; whether there was one."""
        platform = RequestContext("erasures", purpose=PURPOSE)
        claimed = await self._auth.ClaimErasure(pb.ClaimErasureRequest(), context=platform)
        if not claimed.deletion_id:
            return False
        reports = await asyncio.gather(*(self._erase(claimed, service) for service in claimed.services))
        told = pb.ReportErasureRequest(deletion_id=claimed.deletion_id, reports=reports)
        await self._auth.ReportErasure(told, context=platform)
        return True

    async def _erase(self, claimed: pb.ClaimErasureResponse, service: str) -> pb.ErasureReport:
        report = pb.ErasureReport(service=service)
        stub = self._services.get(service)
        if stub is None:
            report.error = "UNKNOWN_SERVICE"
            return report
        context = RequestContext(
            f"erase-{claimed.deletion_id}", tenant_id=claimed.tenant_id, purpose=PURPOSE, job_id=claimed.deletion_id
        )
        try:
            done = await stub.EraseTenant(EraseTenantRequest(deletion_id=claimed.deletion_id), context=context)
        except PlatformError as error:
            log.warning("a tenant is not removed yet", deletion_id=claimed.deletion_id, service=service,
                        reason=error.reason)  # fmt: skip
            report.error = error.reason
            ERASURES.labels(service, "failed").inc()
            return report
        ERASURES.labels(service, "waits" if done.waiting_for else "done").inc()
        report.removed.update(done.removed)
        report.waiting_for = done.waiting_for
        return report
