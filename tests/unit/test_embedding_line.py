"""Whose batch is next at the local embedding model, and who is told to come back."""

import pytest

from chassis.resilience import QueueFull
from embedding_service.adapters.line import Line

BUDGET = 100


def texts(number: int, tokens: int = 50) -> list[list[int]]:
    return [[1] * tokens for _ in range(number)]


def line(seconds: float = 30, pace: int = 0) -> Line:
    made = Line(BUDGET, seconds)
    if pace:
        made.took(pace, 1)
    return made


def ends(waiting: Line) -> list[str]:
    """The tenants of the calls, in the order in which they are done."""
    found = []
    while parts := waiting.next():
        found += [one.tenant_id for one, _ in parts if not one.todo]
    return found


async def test_calls_that_come_at_once_end_one_after_another() -> None:
    waiting = line()
    calls = [waiting.join("a", texts(20)) for _ in range(4)]
    order = []
    while parts := waiting.next():
        order += [calls.index(one) for one, _ in parts]
    assert order == [0] * 10 + [1] * 10 + [2] * 10 + [3] * 10
    assert not waiting


async def test_a_question_does_not_wait_for_a_thousand_texts() -> None:
    waiting = line()
    waiting.join("a", texts(1000))
    waiting.next()
    small = waiting.join("a", texts(1))
    assert waiting.next() == [(small, [0])]
    assert not small.todo


async def test_small_calls_share_a_batch() -> None:
    waiting = line()
    for number in range(12):
        waiting.join("ab"[number % 2], texts(1, 10))
    assert [len(waiting.next()) for _ in range(3)] == [10, 2, 0]


async def test_turns_go_round_between_tenants_however_much_one_asks() -> None:
    waiting = line()
    for _ in range(10):
        waiting.join("a", texts(20))
    waiting.join("b", texts(20))
    turns = [waiting.next()[0][0].tenant_id for _ in range(20)]
    assert turns == ["a", "b"] * 10
    assert ends(waiting) == ["a"] * 9


async def test_who_went_away_keeps_nobody_waiting() -> None:
    waiting = line(pace=400)
    gone, there = waiting.join("a", texts(100)), waiting.join("a", texts(200))
    gone.leave()
    assert waiting.next()[0][0] is there
    # 10,000 tokens are before it, not 15,000.
    waiting.join("a", texts(300))


async def test_who_would_wait_for_too_long_is_told_when_to_come_back() -> None:
    waiting = line(seconds=30, pace=100)
    waiting.join("a", texts(100))
    # Nobody was there: it may take as long as it takes. Its 5,000 tokens take 50 seconds.
    with pytest.raises(QueueFull) as caught:
        waiting.join("a", texts(100))
    assert caught.value.retry_after == 21
    # What needs less comes first, and another tenant has turns of its own.
    waiting.join("a", texts(1))
    waiting.join("b", texts(20))
    with pytest.raises(QueueFull):
        waiting.join("b", texts(100))


async def test_before_the_pace_is_known_nobody_is_refused() -> None:
    waiting = line(seconds=1)
    for _ in range(5):
        waiting.join("a", texts(1000))
    assert ends(waiting) == ["a"] * 5
