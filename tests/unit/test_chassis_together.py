"""Work side by side: its results in order, or the first error as it was raised, with nothing left at work."""

import asyncio

import pytest

from chassis.errors import NotFound
from chassis.together import both, together


async def told(what: str, turns: int) -> str:
    for _ in range(turns):
        await asyncio.sleep(0)
    return what


async def fails(turns: int, error: Exception) -> None:
    await told("", turns)
    raise error


async def test_results_stand_in_order() -> None:
    assert await together(told("a", 3), told("b", 1)) == ["a", "b"]
    assert await both(told("a", 1), told("b", 3)) == ("a", "b")
    assert await together() == []


async def test_the_first_error_is_raised_as_it_is_and_the_rest_is_cancelled() -> None:
    ended: list[str] = []

    async def goes_on() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    first = NotFound("gone")
    with pytest.raises(NotFound) as caught:
        await together(goes_on(), fails(1, first), both(fails(5, ValueError()), goes_on()))
    assert caught.value is first
    assert ended == ["cancelled"] * 2


async def test_who_is_cancelled_is_cancelled() -> None:
    task = asyncio.create_task(together(asyncio.sleep(60), asyncio.sleep(60)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
