"""Why the meter does not admit: which limit, how much of it is left, when to come back."""

import math
from collections.abc import Sequence
from typing import Any

from chassis.errors import LASTING, FailedPrecondition, ResourceExhausted, Violation
from gateway.limits.quotas import Quota, parse

CONCURRENT = "concurrent_requests"
"""Free when a call ends: nobody knows when, but soon."""


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
    longest, lasting = _deciding(binding, most_tokens)
    state = "has too little left for this call" if longest.remaining else "is exhausted"
    metadata = {"limit": longest.name, "scope": longest.scope, "remaining": str(longest.remaining)}
    error = RateLimited(
        f"The limit {longest.name} of this {longest.scope} {state}: {longest.used} of {longest.limit} used, "
        f"{longest.remaining} left. {_what_to_do(longest, most_tokens)}",
        metadata=metadata | ({LASTING: "true"} if lasting else {}),
        violations=[Violation(quota.name, f"{quota.used} of {quota.limit} used") for quota in binding],
        retry_after=None if lasting and not longest.reset_seconds else max(1.0, longest.reset_seconds),
    )
    error.rows = answer[end:]
    error.binding = binding
    return error


def _deciding(binding: Sequence[Quota], most_tokens: int) -> tuple[Quota, bool]:
    """Of limits that bind the one that does longest, and whether no time helps."""
    lasting = [quota for quota in binding if _lasts(quota, most_tokens)]
    return max(lasting or binding, key=lambda quota: quota.reset_seconds), bool(lasting)


def _lasts(quota: Quota, most_tokens: int) -> bool:
    """Whether no time frees enough of it for this call."""
    return _too_large(quota, most_tokens) or (not quota.reset_seconds and quota.name != CONCURRENT)


def _too_large(quota: Quota, most_tokens: int) -> bool:
    return quota.name.startswith("tokens") and most_tokens > quota.limit


def _what_to_do(quota: Quota, most_tokens: int) -> str:
    if _too_large(quota, most_tokens):
        return f"This call alone may use {most_tokens}: ask for less (max_tokens)."
    if quota.name == CONCURRENT:
        return "Try again when a call of yours has ended."
    if quota.reset_seconds:
        return f"Try again in {math.ceil(quota.reset_seconds)} seconds."
    what = "delete documents, or have it raised" if quota.name == "storage_bytes" else "it has to be raised"
    return f"Time does not free it: {what} (plan, limits or budget)."
