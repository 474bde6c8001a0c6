"""Admission of work behind a request: the same functions that the gateway calls, for a job's steps."""

from collections.abc import Sequence

from usage_service.domain.errors import NeedLimits
from usage_service.domain.ledger import EventStatus, Line
from usage_service.domain.limits import Work
from usage_service.domain.ports import Meter
from usage_service.service.limits import Limits


class Leases:
    """Reserves, renews and settles for jobs."""

    def __init__(self, meter: Meter, limits: Limits) -> None:
        self._meter = meter
        self._limits = limits

    async def reserve(self, work: Work) -> str:
        """The lease's id. RateLimited."""
        try:
            return await self._meter.reserve(work, 0)
        except NeedLimits:
            version = await self._limits.ensure_known(work.tenant_id, work.key_id, work.user_id)
            return await self._meter.reserve(work, version)

    async def checkpoint(self, tenant_id: str, lease_id: str, lines: Sequence[Line]) -> None:
        """Renews it. LeaseClosed."""
        await self._meter.checkpoint(tenant_id, lease_id, lines)

    async def settle(self, work: Work, lease_id: str, lines: Sequence[Line], *, partial: bool) -> None:
        """Ends it. `work`: who worked, for a store that has lost the lease. LeaseClosed."""
        status = EventStatus.PARTIAL if partial else EventStatus.SETTLED
        await self._meter.settle(work, lease_id, status, lines)
