"""What a long call has used, told to the meter while it runs: whether it may go on."""

import asyncio
from typing import Self

import structlog

from chassis.errors import PlatformError
from gateway.limits.leases import Lease
from gateway.limits.meter import Meter

log = structlog.get_logger()


class Pace:
    """Tells the store once in a while what a long call has used so far, and hears whether it may go on."""

    def __init__(self, meter: Meter, lease: Lease, seconds: float) -> None:
        self._meter = meter
        self._lease = lease
        self._seconds = seconds
        self._clock = asyncio.get_running_loop().time
        self._next = self._clock() + seconds
        self._telling: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._telling is not None:
            self._telling.cancel()
            await asyncio.gather(self._telling, return_exceptions=True)

    def exhausted(self) -> bool:
        """Whether what was used is beyond a limit, as far as the store has said; it is asked behind the call."""
        if self._clock() >= self._next:
            self._next = self._clock() + self._seconds
            if self._telling is None or self._telling.done():
                self._telling = asyncio.create_task(self._tell())
        return bool(self._lease.exhausted)

    async def _tell(self) -> None:
        try:
            await self._meter.checkpoint(self._lease)
        except PlatformError as error:
            # While the store is away nothing is exhausted: the lease goes on.
            log.warning("a checkpoint was not written", lease_id=self._lease.id, reason=error.reason)
