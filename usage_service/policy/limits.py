"""What limits hold, and what is one."""

import re
from collections.abc import Mapping

from usage_service.domain.errors import BadTerms, UnknownLimit
from usage_service.domain.limits import Plan

LIMIT_NAMES = (
    "concurrent_requests",
    "storage_bytes",
    "management_requests_per_minute",
    *(
        f"{measure}_{period}"
        for measure in ("requests", "tokens", "characters", "audio_seconds", "cost_nano_usd")
        for period in ("per_minute", "per_day", "per_month", "total")
    ),
)
"""What the meter's library counts (protos/aisp/usage/v1/METER.md)."""
MAX_LIMIT = 2**53
MAX_SUPPORT = 200
_PLAN_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")


def effective_limits(plan: Plan, own: Mapping[str, int]) -> dict[str, int]:
    """The limits that hold: the plan's, replaced by the tenant's own."""
    return {**plan.limits, **own}


def check_limits(limits: Mapping[str, int]) -> None:
    """UnknownLimit for a name that is none, or a number beyond 2^53. Negative numbers are for the caller."""
    for name, value in limits.items():
        if name not in LIMIT_NAMES:
            raise UnknownLimit(f"{name[:64]} is not a limit; choose from {', '.join(LIMIT_NAMES)}.")
        # Audio is counted in milliseconds.
        if value > (MAX_LIMIT // 1000 if name.startswith("audio_seconds") else MAX_LIMIT):
            raise UnknownLimit(f"{name} is too large: what is counted must be at most 2^53.")


def check_plan(plan: Plan) -> None:
    """UnknownLimit, or BadTerms for what else cannot be."""
    if not _PLAN_NAME.fullmatch(plan.name):
        raise BadTerms("name: 1 to 64 characters of a-z, 0-9, - and _, a letter first.")
    if any(value < 0 for value in plan.limits.values()):
        raise BadTerms("limits: from 0; one that is absent does not limit.")
    if len(plan.support) > MAX_SUPPORT:
        raise BadTerms(f"support: at most {MAX_SUPPORT} characters.")
    if not 0 <= plan.sla_basis_points <= 10_000:
        raise BadTerms("sla_basis_points: from 0 to 10,000.")
    check_limits(plan.limits)
