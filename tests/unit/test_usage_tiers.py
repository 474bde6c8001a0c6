"""Prices by length of context: what a call costs, what is reserved for it, and that books come out even."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usage_service.domain.errors import BadTerms
from usage_service.domain.ledger import EventStatus, Line, MeterEvent, Unit
from usage_service.domain.prices import Markup, Price, Tier
from usage_service.policy.ledger import to_book, to_ledger
from usage_service.policy.prices import EVERYBODY, PriceBook, contexts_of, cost, marked_up
from usage_service.service.prices import _check

NOW = datetime(2026, 11, 26, tzinfo=UTC)
TENANT = "00000000-0000-7000-8000-000000000001"
LEASE = "019ab000-0000-7000-8000-000000000002"
READ = (Unit.INPUT_TOKENS, Unit.CACHED_INPUT_TOKENS, Unit.CACHE_WRITE_TOKENS)
TOKENS = (*READ, Unit.OUTPUT_TOKENS, Unit.REASONING_TOKENS)
LONG = 272_001


def price(unit: Unit, rate: int, *tiers: tuple[int, int], tenant_id: str = EVERYBODY, version: int = 0) -> Price:
    rows = tuple(Tier(*tier) for tier in tiers)
    return Price(version or TOKENS.index(unit) + 1, "openai", "m", unit, rate, NOW, "", tenant_id, rows)


BOOK = PriceBook(
    [
        price(Unit.INPUT_TOKENS, 2_500_000_000, (LONG, 5_000_000_000)),
        price(Unit.CACHED_INPUT_TOKENS, 250_000_000, (LONG, 500_000_000)),
        price(Unit.OUTPUT_TOKENS, 15_000_000_000, (LONG, 22_500_000_000)),
    ]
)


def call(*amounts: tuple[Unit, int], attempt: int = 1, model: str = "m") -> list[Line]:
    return [Line("llm", model, "openai", unit, amount, attempt) for unit, amount in amounts]


def event(lines: Sequence[Line], kind: str = "settle") -> MeterEvent:
    return MeterEvent(
        LEASE, kind, EventStatus.SETTLED, TENANT, True, "req", "", "", "llm", "m", tuple(lines), NOW
    )  # fmt: skip


@pytest.mark.parametrize(
    ("read", "cached", "written", "nano"),
    [
        (272_000, 0, 1000, 272_000 * 2500 + 1000 * 15_000),
        (272_001, 0, 1000, 272_001 * 5000 + 1000 * 22_500),
        # What came out of a cache was read as well.
        (1, 272_000, 1000, 5000 + 272_000 * 500 + 1000 * 22_500),
        (0, 272_000, 1000, 272_000 * 250 + 1000 * 15_000),
    ],
)
def test_all_of_a_long_call_costs_more(read: int, cached: int, written: int, nano: int) -> None:
    lines = call((Unit.INPUT_TOKENS, read), (Unit.CACHED_INPUT_TOKENS, cached), (Unit.OUTPUT_TOKENS, written))
    row = to_ledger(event(lines), BOOK)
    assert row.amounts.cost_nano_usd == nano
    longer = read + cached >= LONG
    assert {line.from_input_tokens for line in row.lines} == {LONG if longer else 0}
    assert [line.price_version for line in row.lines] == [1, 2, 4]


def test_calls_of_one_request_are_not_one_long_call() -> None:
    condense = call((Unit.INPUT_TOKENS, 200_000), (Unit.OUTPUT_TOKENS, 10))
    answer = call((Unit.INPUT_TOKENS, 100_000), (Unit.OUTPUT_TOKENS, 20))
    assert contexts_of([*condense, *answer]) == [200_000, 200_000, 100_000, 100_000]
    assert contexts_of([*condense, *call((Unit.CACHED_INPUT_TOKENS, 5), attempt=2)]) == [200_000, 200_000, 5]
    assert to_ledger(event([*condense, *answer]), BOOK).amounts.cost_nano_usd == 300_000 * 2500 + 30 * 15_000


AMOUNT = st.sampled_from([0, 1, 999, 1000, 1001, 272_000, 10**6]) | st.integers(0, 10**6)
RATE = st.integers(0, 10**11)
TIERS = st.lists(st.tuples(st.integers(1, 10**6), RATE), max_size=4, unique_by=lambda tier: tier[0]).map(sorted)
CALLS = st.lists(st.lists(st.tuples(st.sampled_from(TOKENS), AMOUNT), unique_by=lambda one: one[0]), max_size=3)
PRICES = st.fixed_dictionaries({unit: st.tuples(RATE, TIERS) for unit in TOKENS})


def lines_of(calls: Sequence[Sequence[tuple[Unit, int]]]) -> list[Line]:
    return [line for number, amounts in enumerate(calls) for line in call(*amounts, attempt=number + 1)]


def expected(calls: Sequence[Sequence[tuple[Unit, int]]], prices: dict[Unit, tuple[int, list[tuple[int, int]]]]) -> int:
    total = 0
    for amounts in calls:
        read = sum(amount for unit, amount in amounts if unit in READ)
        for unit, amount in amounts:
            base, tiers = prices[unit]
            total += cost(amount, ([base] + [rate for start, rate in tiers if read >= start])[-1])
    return total


@given(CALLS, PRICES)
def test_the_books_are_what_the_rows_in_force_say(
    calls: list[list[tuple[Unit, int]]], prices: dict[Unit, tuple[int, list[tuple[int, int]]]]
) -> None:
    book = PriceBook([price(unit, base, *tiers) for unit, (base, tiers) in prices.items()])
    row = to_ledger(event(lines_of(calls)), book)
    assert row.amounts.cost_nano_usd == expected(calls, prices)
    for line in row.lines:
        base, tiers = prices[line.line.unit]
        rate = dict(tiers)[line.from_input_tokens] if line.from_input_tokens else base
        assert cost(line.line.amount, rate) == line.cost_nano_usd


@given(CALLS, CALLS, PRICES)
def test_a_correction_leaves_what_was_used_in_all(
    before: list[list[tuple[Unit, int]]],
    after: list[list[tuple[Unit, int]]],
    prices: dict[Unit, tuple[int, list[tuple[int, int]]]],
) -> None:
    """Also where the call turns out to be in another tier. What is rounded is rounded once for each line at most."""
    book = PriceBook([price(unit, base, *tiers) for unit, (base, tiers) in prices.items()])
    swept = to_ledger(event(lines_of(before), "sweep"), book)
    corrected = to_book(event(lines_of(after)), [swept], book)
    assert corrected is not None
    total = swept.amounts.cost_nano_usd + corrected.amounts.cost_nano_usd
    assert abs(total - expected(after, prices)) <= len(corrected.lines) + len(swept.lines)
    sums = swept.amounts + corrected.amounts
    assert sums.input_tokens + sums.output_tokens == sum(amount for amounts in after for _, amount in amounts)
    assert to_book(event(lines_of(after)), [swept, corrected], book) is None


@given(CALLS.filter(bool), PRICES, PRICES, st.integers(-10_000, 50_000))
def test_what_is_reserved_is_enough_for_each_tier_that_a_call_may_reach(
    calls: list[list[tuple[Unit, int]]],
    prices: dict[Unit, tuple[int, list[tuple[int, int]]]],
    others: dict[Unit, tuple[int, list[tuple[int, int]]]],
    points: int,
) -> None:
    """By the rates under `|model|unit`, of the dearest of two providers, which the meter reserves by."""
    rows = [price(unit, base, *tiers) for unit, (base, tiers) in prices.items()]
    rows += [replace(price(unit, base, *tiers), provider="azure", version=9) for unit, (base, tiers) in others.items()]
    book = PriceBook(rows, [Markup(1, TENANT, points, NOW)])
    rates = book.rates(TENANT, NOW)
    for amounts in calls:
        read = sum(amount for unit, amount in amounts if unit in READ)
        for unit, amount in amounts:
            ordinary = "input_tokens" if unit in READ else "output_tokens"
            for provider in ("openai", "azure"):
                line = Line("llm", "m", provider, unit, amount)
                booked = book.price(TENANT, line, NOW, read)
                assert rates[f"{provider}|m|{unit.value}"].at(read) == rates_of(book, line, read)
                assert booked.cost_nano_usd <= cost(amount, rates[f"|m|{ordinary}"].at(read))


def rates_of(book: PriceBook, line: Line, read: int) -> int:
    """Of one line, out of what a million of it costs."""
    return book.price(TENANT, replace(line, amount=10**6), NOW, read).cost_nano_usd


def test_a_tenants_own_price_has_its_own_tiers_or_none() -> None:
    own = price(Unit.INPUT_TOKENS, 1_000_000, tenant_id=TENANT, version=7)
    everybodys = price(Unit.INPUT_TOKENS, 2_000_000, (10, 4_000_000))
    book = PriceBook([everybodys, own], [Markup(1, "another", 5_000, NOW)])
    (line,) = call((Unit.INPUT_TOKENS, 1_000_000))
    assert book.price(TENANT, line, NOW, 10).cost_nano_usd == 1_000_000
    assert book.price("another", line, NOW, 10).cost_nano_usd == marked_up(4_000_000, 5_000)
    assert str(book.rates(EVERYBODY, NOW)["openai|m|input_tokens"]) == "2000000 10=4000000"


@pytest.mark.parametrize(
    "wrong",
    [
        price(Unit.INPUT_TOKENS, 1, (0, 2)),
        price(Unit.INPUT_TOKENS, 1, (5, 2), (5, 3)),
        price(Unit.INPUT_TOKENS, 1, (6, 2), (5, 3)),
        price(Unit.INPUT_TOKENS, 1, (10**9 + 1, 2)),
        price(Unit.INPUT_TOKENS, 1, (5, -1)),
        price(Unit.INPUT_TOKENS, 1, (5, 10**15 + 1)),
        price(Unit.INPUT_TOKENS, 1, *((n, n) for n in range(1, 10))),
        replace(price(Unit.INPUT_TOKENS, 1, (5, 2)), unit=Unit.CHARACTERS),
        replace(price(Unit.INPUT_TOKENS, 1, (5, 2)), unit=Unit.REQUESTS),
    ],
)
def test_tiers_that_cannot_be_are_refused(wrong: Price) -> None:
    with pytest.raises(BadTerms, match="tiers"):
        _check(wrong)


def test_tiers_that_can_be_are_taken() -> None:
    _check(price(Unit.OUTPUT_TOKENS, 1, *((n, n) for n in range(1, 9))))
    _check(price(Unit.CACHED_INPUT_TOKENS, 5, (10**9, 0)))
