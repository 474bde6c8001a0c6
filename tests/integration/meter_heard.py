"""The gateway's meter for tests that look at its store by another connection: settlements are there when it returns."""

from collections.abc import Sequence

from gateway.limits.leases import Lease, Line
from gateway.limits.meter import Meter


class HeardMeter(Meter):
    """A gateway's own later calls come behind its settlements by themselves."""

    async def settle(self, lease: Lease, lines: Sequence[Line], status: str = "settled", *, told: bool = False) -> None:
        await super().settle(lease, lines, status, told=told)
        await self.ping()
