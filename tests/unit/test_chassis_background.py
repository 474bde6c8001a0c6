"""Work in the background goes on whatever a step raises."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from redis.exceptions import ResponseError

from chassis.background import for_ever
from chassis.database import DatabaseTooSlow
from chassis.errors import PlatformError


class Step:
    """Raises what it is given, one after the other, then nothing. When it was taken, in seconds."""

    def __init__(self, *errors: Exception | None) -> None:
        self._errors = list(errors)
        self.taken: list[float] = []

    async def __call__(self) -> None:
        self.taken.append(round(asyncio.get_running_loop().time(), 3))
        if self._errors and (error := self._errors.pop(0)):
            raise error


async def pauses(
    step: Step, pause: float, times: int, failed: Callable[[Exception], None] | None = None
) -> list[float]:
    work: Awaitable[None] = for_ever(step, pause, failed) if failed else for_ever(step, pause)
    task = asyncio.ensure_future(work)
    while len(step.taken) < times:
        assert not task.done()
        await asyncio.sleep(0.5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return [round(later - sooner, 3) for sooner, later in zip(step.taken, step.taken[1:], strict=False)][: times - 1]


@pytest.mark.usefixtures("leaping")
async def test_no_error_ends_it_and_each_is_told() -> None:
    errors = [
        DatabaseTooSlow(),
        ResponseError("gone"),
        OSError(),
        ExceptionGroup("of jobs", [KeyError()]),
        ValueError(),
    ]
    told: list[Exception] = []
    await pauses(Step(*errors), 0.1, 8, told.append)
    assert told == errors


@pytest.mark.usefixtures("leaping")
async def test_it_pauses_ever_longer_up_to_its_own_pace_and_begins_anew_when_all_is_well() -> None:
    error = PlatformError()
    assert await pauses(Step(error, error, error, error, None, error), 6, 8) == [1, 2, 4, 6, 6, 1, 6]
    assert await pauses(Step(error, error, None), 0.25, 5) == [1, 1, 0.25, 0.25]
