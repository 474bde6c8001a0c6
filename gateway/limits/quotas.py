"""What is left of each limit, and the headers that tell of it."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

Header = tuple[bytes, bytes]

ROW = 5
"""Items of a row in the meter's answers: scope, name, limit, used, milliseconds."""
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
_TIMED = {name.encode(): (f'"{name}";r=%d;t=%d'.encode(), name.partition("_")[0]) for name in WINDOW_SECONDS}
"""How the limits of a window are told, and their kinds."""


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
    """The rows of a meter's answer."""
    values = iter(flat)
    return tuple(
        [
            Quota(_text(scope), _text(name), int(limit), int(used), int(reset) / 1000)
            for scope, name, limit, used, reset in zip(values, values, values, values, values, strict=True)
        ]
    )


def after(rows: Sequence[Any], tokens: int) -> Sequence[Any]:
    """The rows once so many more tokens were used, and the call that they tell of has ended."""
    changed = list(rows)
    for place, by_tokens in _changing(tuple(rows[1::ROW])):
        changed[place] += tokens if by_tokens else -1
    return changed


@lru_cache(1000)
def _changing(names: Sequence[bytes]) -> list[tuple[int, bool]]:
    """Where rows tell how many tokens were used (true), or how many calls are at work."""
    found = [(ROW * number + 3, name) for number, name in enumerate(names)]
    return [(at, name != b"concurrent_requests") for at, name in found if name.startswith((b"tokens", b"concurrent"))]


_MARK = MARK.encode()
_text = lru_cache(1000)(bytes.decode)
"""Of scopes and names, which are few."""


def headers(rows: Sequence[Any]) -> list[Header]:
    """RateLimit and RateLimit-Policy (IETF draft), and x-ratelimit-* for requests and tokens, of the limit with the
    least left; X-AISP-Budget for thresholds of budgets that are reached. `rows`: as `parse` reads them, and in one
    go, since every answer has these headers.
    """
    names, limits = rows[1::ROW], rows[2::ROW]
    states: list[bytes] = []
    least: dict[str, tuple[int, int, int]] = {}
    thresholds: list[str] = []
    for scope, name, limit, used, reset in zip(rows[::ROW], names, limits, rows[3::ROW], rows[4::ROW], strict=True):
        timed = _TIMED.get(name)
        if timed is None:
            if name.endswith(_MARK) and used >= limit:
                thresholds.append(f'"{_text(name)[:-1]}";s="{_text(scope)}";threshold={limit};used={used}')
            continue
        state, kind = timed
        left = limit - used if used < limit else 0
        states.append(state % (left, round(reset / 1000)))
        if kind not in least or left < least[kind][0]:
            least[kind] = (left, limit, reset)
    found: list[Header] = []
    if states:
        found += ((b"ratelimit-policy", _policies(tuple(names), tuple(limits))), (b"ratelimit", b", ".join(states)))
        shown = (least.get("requests") or least.get("management"), least.get("tokens"))
        for called, told in zip(LEAST, shown, strict=True):
            if told is not None:
                left, limit, reset = told
                found += zip(called, (b"%d" % limit, b"%d" % left, f"{reset / 1000:g}s".encode()), strict=True)
    if thresholds:
        found.append((b"x-aisp-budget", ", ".join(thresholds).encode()))
    return found


@lru_cache(1000)
def _policies(names: Sequence[bytes], limits: Sequence[int]) -> bytes:
    """What does not change from answer to answer."""
    timed = [(_text(name), limit) for name, limit in zip(names, limits, strict=True) if name in _TIMED]
    return ", ".join(f'"{name}";q={limit};w={WINDOW_SECONDS[name]}' for name, limit in timed).encode()
