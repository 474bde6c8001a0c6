"""What an answer's headers say of a deployment's own limits."""

import re
from collections.abc import Mapping
from datetime import datetime

MAX_PAUSE_SECONDS = 60.0
REMAINING = (
    ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
    ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
    ("anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"),
    ("anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"),
)
"""What is left, and when there is more: as OpenAI, and as Anthropic, spell it."""
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


def pause_of(headers: Mapping[str, str], now: float) -> float:
    """Seconds for which a deployment takes nothing more; 0 as long as something is left. `now`: since 1970."""
    waits = [
        seconds_until(headers.get(reset, ""), now)
        for remaining, reset in REMAINING
        if headers.get(remaining, "").strip() == "0"
    ]
    return min(MAX_PAUSE_SECONDS, max(waits, default=0.0))


def seconds_until(told: str, now: float) -> float:
    """Of a span (`6m0s`, `20ms`), a number of seconds, or a time (RFC 3339); 0 for what is none of them."""
    text = told.strip()
    if (spans := _SPAN.findall(text)) and "".join(number + unit for number, unit in spans) == text:
        return sum(float(number) * UNITS[unit] for number, unit in spans)
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        return max(0.0, datetime.fromisoformat(text).timestamp() - now)
    except ValueError:
        return 0.0
