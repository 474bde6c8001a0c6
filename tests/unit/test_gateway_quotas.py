"""What an answer's headers tell of the limits."""

from typing import Any

from gateway.limits.quotas import headers

DAY_MS = 3_600_400
ROWS: list[Any] = [
    b"tenant", b"requests_per_minute", 100, 98, 12_300,
    b"tenant", b"tokens_per_day", 5000, 5200, DAY_MS,
    b"key", b"requests_per_day", 10, 9, DAY_MS,
    b"tenant", b"storage_bytes", 1000, 10, 0,
    b"tenant", b"cost_nano_usd_per_month~", 500, 600, 0,
    b"user", b"tokens_per_month~", 500, 499, 0,
]  # fmt: skip


def test_each_limit_of_a_window_is_told_and_of_each_kind_the_one_with_the_least_left() -> None:
    assert dict(headers(ROWS)) == {
        b"ratelimit-policy": b'"requests_per_minute";q=100;w=60, "tokens_per_day";q=5000;w=86400, '
        b'"requests_per_day";q=10;w=86400',
        b"ratelimit": b'"requests_per_minute";r=2;t=12, "tokens_per_day";r=0;t=3600, "requests_per_day";r=1;t=3600',
        b"x-ratelimit-limit-requests": b"10",
        b"x-ratelimit-remaining-requests": b"1",
        b"x-ratelimit-reset-requests": b"3600.4s",
        b"x-ratelimit-limit-tokens": b"5000",
        b"x-ratelimit-remaining-tokens": b"0",
        b"x-ratelimit-reset-tokens": b"3600.4s",
        b"x-aisp-budget": b'"cost_nano_usd_per_month";s="tenant";threshold=500;used=600',
    }


def test_a_management_call_is_told_of_its_own_limit() -> None:
    rows = [b"tenant", b"management_requests_per_minute", 600, 1, 60_000]
    assert dict(headers(rows))[b"x-ratelimit-remaining-requests"] == b"599"


def test_where_nothing_limits_nothing_is_told() -> None:
    assert headers([]) == []
    assert headers([b"tenant", b"concurrent_requests", 5, 1, 0]) == []
