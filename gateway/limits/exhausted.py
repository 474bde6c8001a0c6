"""Tells the usage service, and so a tenant's webhooks, of limits that refuse work: once for each limit and period.

It is told behind the refusal, as well as can be: what a refusal costs does not grow by it. The usage service tells each
event once, however many gateways saw it.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog

from chassis.errors import PlatformError
from gateway.limits.quotas import Quota

log = structlog.get_logger()

EVENT = "limit.exhausted"
REMEMBERED = 10_000
AT_ONCE = 100
SHORT = ("_per_minute", "concurrent_requests")
"""What is free again within a minute is not worth a message."""
DAY_SECONDS = 86_400

Publish = Callable[[str, str, dict[str, Any], str], Awaitable[None]]
"""Tenant, type of event, data, what names the event."""


class ExhaustedLimits:
    """Remembers what it told, in bounded memory."""

    def __init__(self, publish: Publish, clock: Callable[[], float] = time.time) -> None:
        self._publish = publish
        self._clock = clock
        self._told: OrderedDict[str, None] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()

    def refused(self, tenant_id: str, subjects: dict[str, str], binding: Sequence[Quota]) -> None:
        """`subjects`: by scope, whose limit it is; `binding`: the limits that refuse."""
        day = int(self._clock() // DAY_SECONDS)
        for quota in binding:
            if quota.name.endswith(SHORT) or len(self._tasks) >= AT_ONCE:
                continue
            subject = subjects.get(quota.scope, "")
            # A month's or a total's limit that goes on refusing is told of once a day.
            once = f"limit:{quota.scope}:{subject}:{quota.name}:{quota.limit}:{day}"
            if (name := f"{tenant_id}:{once}") in self._told:
                continue
            self._told[name] = None
            while len(self._told) > REMEMBERED:
                self._told.popitem(last=False)
            data = {
                "limit": quota.name, "scope": quota.scope, "subject_id": subject or None, "amount": quota.limit,
                "used": quota.used, "resets_in_seconds": round(quota.reset_seconds) or None,
            }  # fmt: skip
            task = asyncio.create_task(self._tell(name, tenant_id, data, once))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _tell(self, name: str, tenant_id: str, data: dict[str, Any], once: str) -> None:
        try:
            await self._publish(tenant_id, EVENT, data, once)
        except PlatformError as error:
            # The next refusal tells it.
            self._told.pop(name, None)
            log.warning("an exhausted limit was not told", limit=data["limit"], reason=error.reason)
