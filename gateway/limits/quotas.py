"""What is left of each limit, and the headers that tell of it."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

Header = tuple[bytes, bytes]

MARK = "~"
"""Ends the name of what is told and never binds: a threshold of a budget."""
WINDOW_SECONDS = {
    "requests_per_minute": 60,
    "tokens_per_minute": 60,
    "management_requests_per_minute": 60,
    "requests_per_day": 86_400,
    "tokens_per_day": 86_400,
    "characters_per_minute": 60,
    "characters_per_day": 86_400,
    "audio_seconds_per_minute": 60,
    "audio_seconds_per_day": 86_400,
    "cost_nano_usd_per_minute": 60,
    "cost_nano_usd_per_day": 86_400,
}


class Quota(NamedTuple):
    """The state of one limit. `reset_seconds`: until it binds no more, or all of it is free."""

    scope: str
    name: str
    limit: int
    used: int
    reset_seconds: float

    @property
    def remaining(self) -> int:
        """What is left."""
        return max(0, self.limit - self.used)


def parse(flat: Sequence[Any]) -> tuple[Quota, ...]:
    """Rows of five out of the meter's answer: scope, name, limit, used, milliseconds."""
    return tuple(
        Quota(flat[i].decode(), flat[i + 1].decode(), int(flat[i + 2]), int(flat[i + 3]), int(flat[i + 4]) / 1000)
        for i in range(0, len(flat), 5)
    )


def headers(quotas: Sequence[Quota]) -> list[Header]:
    """RateLimit and RateLimit-Policy (IETF draft), and x-ratelimit-* for requests and tokens, of the limit with the
    least left; X-AISP-Budget for thresholds of budgets that are reached.
    """
    return _rate_limits([quota for quota in quotas if quota.name in WINDOW_SECONDS]) + _budgets(quotas)


def _budgets(quotas: Sequence[Quota]) -> list[Header]:
    reached = [quota for quota in quotas if quota.name.endswith(MARK) and quota.used >= quota.limit]
    if not reached:
        return []
    told = (f'"{row.name[:-1]}";s="{row.scope}";threshold={row.limit};used={row.used}' for row in reached)
    return [(b"x-aisp-budget", ", ".join(told).encode())]


def _rate_limits(timed: Sequence[Quota]) -> list[Header]:
    if not timed:
        return []
    states = ", ".join([f'"{quota.name}";r={quota.remaining};t={round(quota.reset_seconds)}' for quota in timed])
    policies = _policies(tuple([(quota.name, quota.limit) for quota in timed]))
    found = [(b"ratelimit-policy", policies), (b"ratelimit", states.encode())]
    least: dict[str, Quota] = {}
    for quota in timed:
        kind = quota.name.partition("_")[0]
        if kind not in least or quota.remaining < least[kind].remaining:
            least[kind] = quota
    for kind, told in (("requests", least.get("requests") or least.get("management")), ("tokens", least.get("tokens"))):
        if told is not None:
            found += [
                (f"x-ratelimit-limit-{kind}".encode(), str(told.limit).encode()),
                (f"x-ratelimit-remaining-{kind}".encode(), str(told.remaining).encode()),
                (f"x-ratelimit-reset-{kind}".encode(), f"{told.reset_seconds:g}s".encode()),
            ]
    return found


@lru_cache(1000)
def _policies(limits: Sequence[tuple[str, int]]) -> bytes:
    """What does not change from answer to answer."""
    return ", ".join(f'"{name}";q={limit};w={WINDOW_SECONDS[name]}' for name, limit in limits).encode()
