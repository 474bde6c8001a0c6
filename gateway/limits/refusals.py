"""Why the meter does not admit: which limit, how much of it is left, when to come back."""

import math
from collections.abc import Sequence
from typing import Any

from chassis.errors import FailedPrecondition, ResourceExhausted, Violation
from gateway.limits.quotas import Quota, parse


class RateLimited(ResourceExhausted):
    """A limit binds. `rows`: the state of all of them, for the headers; `binding`: those that refuse."""

    reason = "RATE_LIMITED"
    rows: Sequence[Any] = ()
    binding: tuple[Quota, ...] = ()


class UnpricedModel(FailedPrecondition):
    reason = "UNPRICED_MODEL"
    message = "The model has no price, and work without a price is refused here; an operator can add one."


def limited(answer: Sequence[Any], most_tokens: int = 0) -> RateLimited:
    """The error of an answer LIMITED: n, n rows that bind, all rows. `most_tokens`: what the call may come to."""
    end = 2 + 5 * int(answer[1])
    binding = parse(answer[2:end])
    longest = max(binding, key=lambda quota: quota.reset_seconds)
    state = "has too little left for this call" if longest.remaining else "is exhausted"
    error = RateLimited(
        f"The limit {longest.name} of this {longest.scope} {state}: {longest.used} of {longest.limit} used, "
        f"{longest.remaining} left. {_when(longest, most_tokens)}",
        metadata={"limit": longest.name, "scope": longest.scope, "remaining": str(longest.remaining)},
        violations=[Violation(quota.name, f"{quota.used} of {quota.limit} used") for quota in binding],
        retry_after=max(1.0, longest.reset_seconds),
    )
    error.rows = answer[end:]
    error.binding = binding
    return error


def _when(quota: Quota, most_tokens: int) -> str:
    if quota.name.startswith("tokens") and most_tokens > quota.limit:
        return f"This call alone may use {most_tokens}: ask for less (max_tokens)."
    if quota.name == "concurrent_requests":
        return "Try again when a call of yours has ended."
    seconds = math.ceil(quota.reset_seconds)
    return f"Try again in {seconds} seconds." if seconds else "Time does not free it: it has to be raised."
