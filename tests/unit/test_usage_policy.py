"""Decisions about usage: prices in integers, versions in time, budgets across the ends of months, signatures."""

from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.limits import leases
from usage_service.adapters.lines import decode_lines, encode_lines
from usage_service.domain.budgets import Budget, Measure, Period, Scope
from usage_service.domain.errors import BadBudget, BadTerms, UnknownLimit
from usage_service.domain.ledger import Line, Unit
from usage_service.domain.limits import Plan, Subject
from usage_service.domain.prices import Markup, Price
from usage_service.policy.budgets import (
    check_budget,
    crossed,
    period_end,
    period_start,
    threshold_amount,
    with_budgets,
)
from usage_service.policy.ledger import tokens_of
from usage_service.policy.limits import check_plan
from usage_service.policy.prices import EVERYBODY, PriceBook, Rate, cost, marked_up
from usage_service.policy.webhooks import MAX_PAUSE_SECONDS, pause_after, signature

NOW = datetime(2026, 3, 1, tzinfo=UTC)
TENANT = "t"
DAYS = st.dates(date(2024, 1, 1), date(2032, 12, 31))
AMOUNTS = st.integers(-(2**53), 2**53)
RATES = st.integers(0, 10**15)


@given(AMOUNTS, RATES)
def test_a_cost_is_the_exact_product_rounded_once(amount: int, rate: int) -> None:
    exact = (Decimal(amount) * rate).scaleb(-6)
    wide = exact.quantize(Decimal(1), ROUND_HALF_UP) if abs(exact) < Decimal(10) ** 27 else None
    assert wide is None or cost(amount, rate) == int(wide)
    assert cost(-amount, rate) == -cost(amount, rate)


@pytest.mark.parametrize(
    ("amount", "rate", "nano"),
    [(1, 499_999, 0), (1, 500_000, 1), (-1, 500_000, -1), (2**53, 10**6, 2**53), (100, 10**15, 10**11), (0, 10**15, 0)],
)
def test_nano_dollars_at_both_edges(amount: int, rate: int, nano: int) -> None:
    assert cost(amount, rate) == nano


@given(RATES, st.integers(-10_000, 10_000))
def test_a_markup_is_a_share_and_never_pays_out(rate: int, points: int) -> None:
    found = marked_up(rate, points)
    assert found >= 0
    assert abs(found * 10_000 - rate * (10_000 + points)) <= 5_000


def price(version: int, rate: int, at: datetime = NOW, **changes: str) -> Price:
    names = {"provider": "openai", "model": "m", "tenant_id": EVERYBODY} | changes
    return Price(version, names["provider"], names["model"], Unit.INPUT_TOKENS, rate, at, "", names["tenant_id"])


def line(model: str = "m", provider: str = "openai") -> Line:
    return Line("llm", model, provider, Unit.INPUT_TOKENS, 1_000_000)


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=8, unique=True), st.integers(-10, 1010))
def test_the_version_in_force_is_the_newest_that_has_begun(begins: list[int], now: int) -> None:
    rows = [price(n + 1, n + 7, NOW + timedelta(hours=hour)) for n, hour in enumerate(sorted(begins))]
    at = NOW + timedelta(hours=now)
    begun = [row for row in rows if row.effective_at <= at]
    found = PriceBook(rows).price(TENANT, line(), at)
    assert (found.price_version, found.cost_nano_usd) == (
        (begun[-1].version, begun[-1].nano_usd_per_million) if begun else (0, 0)
    )
    later = [row.effective_at for row in rows if row.effective_at > at]
    assert PriceBook(rows).next_change(at) == (later[0] if later else None)


def test_a_tenants_own_price_comes_before_everybodys_and_is_not_marked_up() -> None:
    prices = [price(1, 100), price(2, 40, tenant_id=TENANT), price(3, 100, model="other")]
    book = PriceBook(prices, [Markup(1, TENANT, 5_000, NOW)])
    assert book.price(TENANT, line(), NOW).cost_nano_usd == 40
    assert book.price(TENANT, line("other"), NOW).cost_nano_usd == 150
    assert book.price("another", line("other"), NOW).cost_nano_usd == 100


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(-10_000, 50_000))
def test_the_meter_counts_with_the_ledgers_prices(first: int, second: int, points: int) -> None:
    prices = [price(1, first), price(2, second, provider="local"), price(3, 9, tenant_id="somebody")]
    book = PriceBook(prices, [Markup(1, TENANT, points, NOW)])
    rates = book.rates(TENANT, NOW)
    for provider in ("openai", "local"):
        for model in ("m", f"{provider}/m"):
            booked = book.price(TENANT, line(model, provider), NOW).cost_nano_usd
            assert cost(1_000_000, rates[f"{provider}|{model}|input_tokens"].base) == booked
    assert rates["|m|input_tokens"] == Rate(max(marked_up(first, points), marked_up(second, points)))


@pytest.mark.parametrize(
    ("special", "ordinary"),
    [
        (Unit.CACHED_INPUT_TOKENS, Unit.INPUT_TOKENS),
        (Unit.CACHE_WRITE_TOKENS, Unit.INPUT_TOKENS),
        (Unit.REASONING_TOKENS, Unit.OUTPUT_TOKENS),
    ],
)
def test_tokens_that_are_told_apart_cost_what_others_do_unless_they_have_a_price(special: Unit, ordinary: Unit) -> None:
    told = Line("llm", "m", "openai", special, 1_000_000)
    common = Price(1, "openai", "m", ordinary, 100, NOW, "", EVERYBODY)
    own = Price(2, "openai", "m", special, 125, NOW, "", EVERYBODY)
    for prices, expected in (([common], 100), ([common, own], 125)):
        book = PriceBook(prices)
        assert book.price(TENANT, told, NOW).cost_nano_usd == expected
        rates = book.rates(TENANT, NOW)
        assert rates[f"openai|m|{special.value}"] == Rate(expected)
        # What is reserved before the provider tells them apart is enough for either.
        assert rates[f"|m|{ordinary.value}"] == Rate(expected)
    assert tokens_of([told]) == 1_000_000


@given(DAYS, st.sampled_from(Period))
def test_periods_follow_each_other_without_gap_or_overlap(day: date, period: Period) -> None:
    start, end = period_start(period, day), period_end(period, day)
    assert start <= day
    if period is Period.TOTAL:
        assert end is None
        return
    assert end is not None
    assert day < end.date()
    assert period_start(period, end.date()) == end.date()
    assert period_start(period, end.date() - timedelta(days=1)) == start


@pytest.mark.parametrize(
    ("day", "end"),
    [((2026, 1, 31), (2026, 2, 1)), ((2028, 2, 29), (2028, 3, 1)), ((2026, 12, 31), (2027, 1, 1))],
)
def test_a_month_ends_where_the_next_begins(day: tuple[int, int, int], end: tuple[int, int, int]) -> None:
    assert period_end(Period.MONTH, date(*day)) == datetime(*end, tzinfo=UTC)


def budget(amount: int = 100, *thresholds: int, hard: bool = True, scope: Scope = Scope.TENANT) -> Budget:
    subject = "" if scope is Scope.TENANT else "s"
    return Budget("b", TENANT, "b", scope, subject, Measure.COST, Period.MONTH, amount, thresholds, hard, NOW)


@given(st.integers(1, 10**12), st.integers(0, 10**12), st.lists(st.integers(1, 100), max_size=8))
def test_a_threshold_is_crossed_by_the_amount_that_the_meter_marks(amount: int, used: int, percents: list[int]) -> None:
    found = crossed(budget(amount, *percents), used)
    assert found == sorted(p for p in {*percents, 100} if used >= threshold_amount(amount, p))
    assert (100 in found) == (used >= amount)


def test_the_meter_counts_what_stops_and_marks_what_tells() -> None:
    budgets = [budget(100, 50), budget(80, 90), budget(500, hard=False), budget(7, scope=Scope.USER)]
    tenant = with_budgets(Subject("tenant", TENANT), budgets)
    assert tenant.budgets == {"cost_nano_usd_per_month": 80}
    assert tenant.marks == tuple(("cost_nano_usd_per_month", n) for n in (50, 72, 500))
    assert with_budgets(Subject("user", "s"), budgets).budgets == {"cost_nano_usd_per_month": 7}
    assert with_budgets(Subject("user", "another"), budgets).budgets == {}


@pytest.mark.parametrize("wrong", [budget(0), budget(2**53 + 1), budget(1, 101), budget(1, *range(1, 10))])
def test_a_budget_that_cannot_be_is_refused(wrong: Budget) -> None:
    with pytest.raises(BadBudget):
        check_budget(wrong)


def test_a_plan_that_cannot_be_is_refused() -> None:
    check_plan(Plan("team", {"requests_per_day": 0}, "", 9990))
    for plan in (Plan("Team!", {}, "", 0), Plan("team", {"requests_per_day": -1}, "", 0), Plan("team", {}, "", 10_001)):
        with pytest.raises(BadTerms):
            check_plan(plan)
    with pytest.raises(UnknownLimit):
        check_plan(Plan("team", {"wishes": 3}, "", 0))


def test_a_signature_is_that_of_the_standard() -> None:
    """HMAC-SHA-256 over id.timestamp.body, as standard-webhooks says; computed apart with openssl."""
    secret = bytes(range(32))
    found = signature([secret, b"old" * 11], "msg_1", 1614265330, b'{"test": 2432232314}')
    first, second = found.split(" ")
    assert first == "v1,GWvjEzx3AphU7wha3hNZPXJnymF9Fg+ZdvPQqWPOjZ0="
    assert second.startswith("v1,")
    assert first != second


@given(st.integers(1, 60), st.floats(0.01, 3600))
def test_pauses_grow_and_are_bounded(attempt: int, first: float) -> None:
    assert first <= pause_after(attempt, first) <= max(first, MAX_PAUSE_SECONDS)
    assert pause_after(attempt + 1, first) >= pause_after(attempt, first)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["llm", "rag"]), st.text(max_size=5), st.text(max_size=5), st.sampled_from(list(Unit)),
            st.integers(-(2**53), 2**53), st.integers(1, 9), st.booleans(),
        ),
        max_size=5,
    )
)  # fmt: skip
def test_lines_come_through_the_meter_as_they_were(rows: list[tuple[str, str, str, Unit, int, int, bool]]) -> None:
    """As the gateway writes them, and as this service does: the mark of an estimate included."""
    lines = tuple(Line(*row) for row in rows)
    text = encode_lines(lines)
    assert decode_lines(text) == lines
    assert leases.as_json([leases.Line(*row[:3], row[3].value, *row[4:]) for row in rows]) == text
