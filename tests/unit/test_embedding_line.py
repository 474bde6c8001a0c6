"""Whose batch is next at the local embedding model, and who is told to come back."""

import pytest

from chassis.resilience import QueueFull
from embedding_service.adapters.line import Job, Line

BUDGET = 100


def job(tenant_id: str, texts: int, tokens: int = 50) -> Job:
    return Job(tenant_id, [[1] * tokens for _ in range(texts)], BUDGET)


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
    waiting, calls = line(), [job("a", 20) for _ in range(4)]
    for one in calls:
        waiting.join(one)
    order = []
    while parts := waiting.next():
        order += [calls.index(one) for one, _ in parts]
    assert order == [0] * 10 + [1] * 10 + [2] * 10 + [3] * 10
    assert not waiting


async def test_a_question_does_not_wait_for_a_thousand_texts() -> None:
    waiting, large, small = line(), job("a", 1000), job("a", 1)
    waiting.join(large)
    waiting.next()
    waiting.join(small)
    assert waiting.next() == [(small, [0])]
    assert not small.todo


async def test_small_calls_share_a_batch() -> None:
    waiting, calls = line(), [job("ab"[number % 2], 1, 10) for number in range(12)]
    for one in calls:
        waiting.join(one)
    assert [len(waiting.next()) for _ in range(3)] == [10, 2, 0]


async def test_turns_go_round_between_tenants_however_much_one_asks() -> None:
    waiting = line()
    for _ in range(10):
        waiting.join(job("a", 20))
    waiting.join(job("b", 20))
    turns = [waiting.next()[0][0].tenant_id for _ in range(20)]
    assert turns == ["a", "b"] * 10
    assert ends(waiting) == ["a"] * 9


async def test_who_went_away_keeps_nobody_waiting() -> None:
    waiting, gone, there = line(pace=400), job("a", 100), job("a", 200)
    waiting.join(gone)
    waiting.join(there)
    gone.leave()
    assert waiting.next()[0][0] is there
    # 10,000 tokens are before it, not 15,000.
    waiting.join(job("a", 300))


async def test_who_would_wait_for_too_long_is_told_when_to_come_back() -> None:
    waiting = line(seconds=30, pace=100)
    waiting.join(job("a", 100))
    # Nobody was there: it may take as long as it takes. Its 5,000 tokens take 50 seconds.
    with pytest.raises(QueueFull) as caught:
        waiting.join(job("a", 100))
    assert caught.value.retry_after == 21
    # What needs less comes first, and another tenant has turns of its own.
    waiting.join(job("a", 1))
    waiting.join(job("b", 20))
    with pytest.raises(QueueFull):
        waiting.join(job("b", 100))


async def test_before_the_pace_is_known_nobody_is_refused() -> None:
    waiting = line(seconds=1)
    for _ in range(5):
        waiting.join(job("a", 1000))
    assert ends(waiting) == ["a"] * 5
