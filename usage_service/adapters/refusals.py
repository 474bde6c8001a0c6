"""Why the meter does not admit a job's step: which limit, how much of it is used, when to come back or what to do."""

from collections.abc import Sequence
from typing import Any

from chassis.errors import LASTING, Violation
from usage_service.domain.errors import RateLimited
from usage_service.domain.limits import LimitState, Work

CONCURRENT = "concurrent_requests"
"""Free when a call ends: nobody knows when, but soon."""


def parse_limits(flat: Sequence[Any]) -> list[LimitState]:
    """Rows of five: scope, name, limit, used, milliseconds."""
    return [
        LimitState(flat[i].decode(), flat[i + 1].decode(), *(int(item) for item in flat[i + 2 : i + 5]))
        for i in range(0, len(flat), 5)
    ]


def limited(work: Work, binding: Sequence[LimitState]) -> RateLimited:
    """The error of limits that bind: first the one that no time frees, where there is one."""
    lasting = [state for state in binding if not state.reset_ms and state.name != CONCURRENT]
    first = (lasting or binding)[0]
    state = "has too little left for this work" if first.remaining else "is exhausted"
    message = f"The limit {first.name} {state}: {first.used} of {first.limit} used"
    metadata = {"limit": first.name, "scope": first.scope, "remaining": str(first.remaining)}
    if first.name == "storage_bytes":
        message += f", {work.storage_bytes} more wanted. Delete documents, or have the limit raised"
    if alone := any(one.name.startswith("tokens") and work.tokens > one.limit for one in binding):
        message += f"; this work alone takes {work.tokens}"
        metadata["alone"] = "true"
    helpless = bool(lasting) or alone
    return RateLimited(
        f"{message}.",
        metadata=metadata | ({LASTING: "true"} if helpless else {}),
        violations=[Violation(one.name, f"{one.used} of {one.limit} used") for one in binding],
        retry_after=None if helpless else max(1.0, max(one.reset_ms for one in binding) / 1000),
    )
