"""Money in the meter: budgets beside limits, marks, what has no price, and how many it admits."""

import pytest

from gateway.limits.leases import Lease, Line
from gateway.limits.quotas import parse
from gateway.limits.refusals import RateLimited, UnpricedModel
from tests.conftest import BOTH_SERVERS
from tests.integration.test_meter import Bench, bench, outcomes, tokens
from usage_service.adapters.valkey import PREFIX, number_of
from usage_service.domain.limits import Subject

pytestmark = BOTH_SERVERS

__all__ = ["bench"]

UNITS = ("input_tokens", "output_tokens")
PRICES = {"local|m|input_tokens": 1_000_000, "local|m|output_tokens": 3_000_000} | {
    "|m|input_tokens": 1_000_000, "|m|output_tokens": 3_000_000,
}  # fmt: skip


async def priced(bench: Bench, **subject: object) -> None:
    await bench.functions.set_prices([number_of(bench.tenant)], "standard", PRICES)
    await bench.compile(Subject("tenant", bench.tenant, 1, **subject))  # type: ignore[arg-type]


async def test_a_budget_and_a_limit_of_one_name_count_once_and_the_smaller_binds(bench: Bench) -> None:
    await priced(bench, limits={"tokens_per_day": 100}, budgets={"tokens_per_day": 60})
    lease = await bench.meter.reserve(bench.admission(tokens=30))
    assert [(row.limit, row.used) for row in parse(lease.rows) if row.name == "tokens_per_day"] == [(100, 30), (60, 30)]
    await bench.meter.settle(lease, [tokens(40)])
    assert await bench.used("tokens_per_day") == 40
    with pytest.raises(RateLimited) as caught:
        await bench.meter.reserve(bench.admission(tokens=21))
    assert [violation.description for violation in caught.value.violations] == ["40 of 60 used"]


async def test_a_mark_is_counted_and_told_and_never_binds(bench: Bench) -> None:
    await priced(bench, marks=(("cost_nano_usd_per_month", 50), ("cost_nano_usd_per_month", 80)))
    for _ in range(3):
        lease = await bench.meter.reserve(bench.admission(model="m", tokens=40))
        await bench.meter.settle(lease, [Line("llm", "m", "local", "input_tokens", 40)])
    found = [(row.name, row.limit, row.used) for row in await bench.functions.limits(bench.tenant, "", "")]
    assert found == [("cost_nano_usd_per_month~", 50, 120), ("cost_nano_usd_per_month~", 80, 120)]


async def test_money_is_admitted_to_the_last_nano_dollar_by_a_hundred_at_once(bench: Bench) -> None:
    await priced(bench, budgets={"cost_nano_usd_total": 1000})
    admitted, refused = await outcomes(bench, 100, model="m", tokens=10, output_tokens=10, output_bounded=True)
    assert (len(admitted), len(refused)) == (25, 75)
    assert refused[0].metadata["limit"] == "cost_nano_usd_total"
    assert await bench.used("cost_nano_usd_total") == 1000


async def test_work_without_a_bound_hears_that_its_money_is_used_up(bench: Bench) -> None:
    """What a stream is ended by: the checkpoint after which a budget does not carry it any more, and no earlier."""
    await priced(bench, budgets={"cost_nano_usd_per_month": 1000})
    lease = await bench.meter.reserve(bench.admission(model="m", tokens=10, output_tokens=4000))
    for output, exhausted in ((100, False), (330, False), (331, True)):
        lease.lines = [
            Line("llm", "m", "local", "input_tokens", 10),
            Line("llm", "m", "local", "output_tokens", output),
        ]
        await bench.meter.checkpoint(lease)
        assert bool(lease.exhausted) == exhausted
    assert [row.name for row in lease.exhausted] == ["cost_nano_usd_per_month"]
    await bench.meter.settle(lease, lease.lines, "partial")
    assert await bench.used("cost_nano_usd_per_month") == 10 + 331 * 3


async def test_a_price_by_the_request_is_counted_once_by_the_model_that_answered(bench: Bench) -> None:
    """Reserved, settled; given back by a sweep, which does not know whether anybody answered; counted if corrected."""
    await priced(bench, limits={"cost_nano_usd_total": 10_000})
    fees = PRICES | {"local|m|requests": 700_000_000, "|m|requests": 900_000_000, "local|embedder|requests": 5_000_000}
    await bench.functions.set_prices([number_of(bench.tenant)], "standard", fees)

    async def reserved(**changes: object) -> Lease:
        return await bench.meter.reserve(bench.admission(model="m", tokens=10, output_bounded=True, **changes))

    lease = await reserved()
    assert await bench.used("cost_nano_usd_total") == 10 + 900
    lines = [Line("embedding", "embedder", "local", "input_tokens", 5), Line("llm", "m", "local", "output_tokens", 7)]
    await bench.meter.settle(lease, lines)
    assert await bench.used("cost_nano_usd_total") == 7 * 3 + 700
    await bench.meter.settle(await reserved(), [])
    assert await bench.used("cost_nano_usd_total") == 721
    swept = await reserved()
    partition = f"m:{{p{number_of(bench.tenant)}}}"
    await bench.expire(swept)
    await bench.redis.fcall(PREFIX + "sweep", 1, partition, 10)
    assert await bench.used("cost_nano_usd_total") == 721 + 10
    await bench.meter.settle(swept, [Line("llm", "m", "local", "input_tokens", 10)])
    assert await bench.used("cost_nano_usd_total") == 721 + 10 + 700
    await bench.meter.settle(await reserved(), [], "replayed")
    assert await bench.used("cost_nano_usd_total") == 1431


TIERED = {
    f"{who}|m|{unit}": text
    for who in ("local", "")
    for unit, text in (
        ("input_tokens", "1000000 201=2000000"), ("cached_input_tokens", "100000 201=200000"),
        ("output_tokens", "3000000 201=4500000"),
    )
}  # fmt: skip


async def test_a_long_call_costs_its_tier_and_what_may_be_long_is_reserved_so(bench: Bench) -> None:
    await bench.functions.set_prices([number_of(bench.tenant)], "standard", TIERED)
    await bench.compile(Subject("tenant", bench.tenant, 1, limits={"cost_nano_usd_total": 100_000}))
    used = 0

    async def costs(read: int, cached: int, written: int) -> int:
        nonlocal used
        lease = await bench.meter.reserve(bench.admission(model="m", tokens=1))
        amounts = {"input_tokens": read, "cached_input_tokens": cached, "output_tokens": written}
        lines = [Line("llm", "m", "local", unit, amount) for unit, amount in amounts.items()]
        await bench.meter.settle(lease, lines)
        before, used = used, await bench.used("cost_nano_usd_total")
        return used - before

    assert await costs(200, 0, 10) == 200 + 10 * 3
    assert await costs(201, 0, 10) == 201 * 2 + 45
    assert await costs(1, 200, 10) == 2 + 40 + 45
    # Estimated at a fourth of its bytes: 50 tokens are 200 at most, 51 may be 204.
    for read, nano in ((50, 50 + 2 * 3), (51, 51 * 2 + 9)):
        bounded = bench.admission(model="m", tokens=read, output_tokens=2, output_bounded=True)
        lease = await bench.meter.reserve(bounded)
        assert await bench.used("cost_nano_usd_total") - used == nano
        await bench.meter.settle(lease, [])


async def test_calls_of_one_request_are_not_one_long_call(bench: Bench) -> None:
    """Also not while it runs, or where it is swept and settled late in another tier."""
    await bench.functions.set_prices([number_of(bench.tenant)], "standard", TIERED)
    await bench.compile(Subject("tenant", bench.tenant, 1, limits={"cost_nano_usd_total": 100_000}))
    calls = [Line("llm", "m", "local", unit, 150) for unit in ("input_tokens", "output_tokens") * 2]
    lease = await bench.meter.reserve(bench.admission(model="m", tokens=1))
    lease.lines = calls
    await bench.meter.checkpoint(lease)
    assert await bench.used("cost_nano_usd_total") == 2 * (150 + 450)
    await bench.expire(lease)
    await bench.redis.fcall(PREFIX + "sweep", 1, f"m:{{p{number_of(bench.tenant)}}}", 10)
    assert await bench.used("cost_nano_usd_total") == 1200
    await bench.meter.settle(lease, [Line("llm", "m", "local", "input_tokens", 300)])
    assert await bench.used("cost_nano_usd_total") == 600


async def test_what_has_no_price_is_refused_under_a_limit_of_money_and_by_setting(bench: Bench) -> None:
    await priced(bench, budgets={"cost_nano_usd_total": 1000})
    with pytest.raises(UnpricedModel):
        await bench.meter.reserve(bench.admission(model="nobody-knows", tokens=1))
    await bench.meter.reserve(bench.admission(model="m", tokens=1))
    await priced(bench, flags=("unpriced",))
    with pytest.raises(UnpricedModel):
        await bench.meter.reserve(bench.admission(model="nobody-knows", tokens=1))
    await priced(bench)
    await bench.meter.reserve(bench.admission(model="nobody-knows", tokens=1))


async def test_a_budget_that_comes_back_knows_what_was_used_without_it(bench: Bench) -> None:
    """A user's budget is taken away, and set again: what was used meanwhile counts."""
    asked = {"user_id": "u" + bench.tenant, "tokens": 10}

    async def told(*flags: str) -> None:
        await bench.functions.invalidate(bench.tenant)
        user = Subject("user", asked["user_id"], 0, {}, {"tokens_per_day": 100})  # type: ignore[arg-type]
        await bench.compile(Subject("tenant", bench.tenant, 1, flags=flags), *([user] if flags else []))

    async def spend(times: int) -> None:
        for _ in range(times):
            await bench.meter.settle(await bench.meter.reserve(bench.admission(**asked)), [tokens(10)])

    await told("user")
    await spend(2)
    await told()
    await spend(7)
    await told("user")
    await spend(1)
    with pytest.raises(RateLimited):
        await spend(1)
