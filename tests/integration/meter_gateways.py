"""Gateways as processes of their own, each with the meter's client and a clock of its own, admitting for one tenant."""

import asyncio
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

from chassis.settings import RedisSettings
from gateway.limits.leases import Admission, Lease
from gateway.limits.meter import Meter
from gateway.limits.refusals import RateLimited
from gateway.limits.resp import RespClient

GATEWAYS = 3
SKEWS = (0.0, 420.0, -3600.0)
"""Seconds by which each gateway's clock is wrong."""


async def never(admission: Admission) -> None:
    message = f"limits were compiled before: {admission}"
    raise AssertionError(message)


def admission(tenant: str, changes: Mapping[str, Any]) -> Admission:
    given: dict[str, Any] = {
        "tenant_id": tenant,
        "plan": "free",
        "tenant_version": 0,
        "request_id": "r",
        "service": "llm",
    }
    return Admission(**(given | {"service": "llm"} | dict(changes)))


def compete(place: RedisSettings, skew: float, tenant: str, count: int, changes: Mapping[str, Any]) -> int:
    """In a process: `count` requests at once; how many were admitted."""

    async def run() -> int:
        resp = RespClient(place)
        meter = Meter(resp, never, clock=lambda: time.time() + skew)
        calls = (meter.reserve(admission(tenant, changes)) for _ in range(count))
        found = await asyncio.gather(*calls, return_exceptions=True)
        resp.close()
        unexpected = [item for item in found if not isinstance(item, Lease | RateLimited)]
        assert not unexpected, unexpected[:3]
        return sum(isinstance(item, Lease) for item in found)

    return asyncio.run(run())


class Gateways:
    """Three processes."""

    def __init__(self, settings: RedisSettings) -> None:
        self._place = settings
        self._pool = ProcessPoolExecutor(GATEWAYS, mp_context=get_context("spawn"))

    async def compete(self, tenant: str, count: int, **changes: Any) -> int:
        """How many of `count` requests, at once over all gateways, were admitted."""
        shares = [count // GATEWAYS + (number < count % GATEWAYS) for number in range(GATEWAYS)]
        loop = asyncio.get_running_loop()
        admitted = await asyncio.gather(
            *(
                loop.run_in_executor(self._pool, compete, self._place, skew, tenant, share, changes)
                for share, skew in zip(shares, SKEWS, strict=True)
            )
        )
        return sum(admitted)

    def close(self) -> None:
        self._pool.shutdown()
