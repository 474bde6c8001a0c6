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


KINDS = ("requests", "tokens")
LEAST = [[f"x-ratelimit-{what}-{kind}".encode() for what in ("limit", "remaining", "reset")] for kind in KINDS]
"""Headers of the limit with the least left, by kind."""


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
    values = iter(flat)
    return tuple(
        [
            Quota(_text(scope), _text(name), int(limit), int(used), int(reset) / 1000)
            for scope, name, limit, used, reset in zip(values, values, values, values, values, strict=True)
        ]
    )


_text = lru_cache(1000)(bytes.decode)
"""Of scopes and names, which are few."""


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
    states: list[str] = []
    least: dict[str, tuple[int, Quota]] = {}
    for quota in timed:
        left = quota.remaining
        states.append(f'"{quota.name}";r={left};t={round(quota.reset_seconds)}')
        kind = quota.name.partition("_")[0]
        if kind not in least or left < least[kind][0]:
            least[kind] = (left, quota)
    policies = _policies(tuple([(quota.name, quota.limit) for quota in timed]))
    found = [(b"ratelimit-policy", policies), (b"ratelimit", ", ".join(states).encode())]
    for names, told in zip(LEAST, (least.get("requests") or least.get("management"), least.get("tokens")), strict=True):
        if told is not None:
            left, quota = told
            values = (b"%d" % quota.limit, b"%d" % left, f"{quota.reset_seconds:g}s".encode())
            found += zip(names, values, strict=True)
    return found


@lru_cache(1000)
def _policies(limits: Sequence[tuple[str, int]]) -> bytes:
    """What does not change from answer to answer."""
    return ", ".join(f'"{name}";q={limit};w={WINDOW_SECONDS[name]}' for name, limit in limits).encode()
