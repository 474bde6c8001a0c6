"""What the usage service's servicer writes."""

from datetime import UTC, datetime, timedelta

import pytest

from usage_service.domain.limits import LimitState
from usage_service.servicer import wire


@pytest.mark.parametrize("reset_ms", [1, 400, 999, 60_123, 86_400_000])
def test_a_limit_resets_at_a_whole_second_that_is_not_too_early(reset_ms: int) -> None:
    before = datetime.now(UTC)
    told = wire.limit(LimitState("tenant", "tokens_per_day", 10, 1, reset_ms)).reset_time
    assert told.nanos == 0
    late = told.ToDatetime(UTC) - (before + timedelta(milliseconds=reset_ms))
    assert late >= timedelta(seconds=-wire.ANSWERED_WITHIN)


def test_midnight_is_midnight_some_milliseconds_after_the_store_said_so() -> None:
    midnight = datetime(2026, 11, 27, tzinfo=UTC)
    assert wire.whole_second(midnight + timedelta(milliseconds=30)) == midnight
    assert wire.whole_second(midnight - timedelta(milliseconds=30)) == midnight
