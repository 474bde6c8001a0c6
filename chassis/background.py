"""Work in the background, step after step for as long as a process lives.

Owns what becomes of a step that fails: it is logged, the step pauses, and is done again. Nothing that a step raises
ends the work beside it: a statement that took too long, a store that is away, nor a defect. What a step does is its
owner's.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from redis.exceptions import RedisError

from chassis.errors import PlatformError

log = structlog.get_logger()

FIRST_PAUSE_SECONDS = 1.0
"""After a failure; twice as long after the next, up to the step's own pause."""
EXPECTED = (PlatformError, RedisError, OSError)
"""What passes. Everything else is a defect, and logged with where it was raised."""


def _nothing(_error: Exception) -> None: ...


async def for_ever(
    step: Callable[[], Awaitable[object]], pause: float, failed: Callable[[Exception], None] = _nothing
) -> None:
    """Takes the step, pauses so many seconds, and again, until cancelled. `failed` is told of each failure."""
    name, failures = getattr(getattr(step, "func", step), "__qualname__", repr(step)), 0
    while True:
        wait, error = pause, await _taken(step, name)
        failures = failures + 1 if error else 0
        if error:
            failed(error)
            wait = min(max(pause, FIRST_PAUSE_SECONDS), FIRST_PAUSE_SECONDS * 2 ** min(failures - 1, 30))
        await asyncio.sleep(wait)


async def _taken(step: Callable[[], Awaitable[object]], name: str) -> Exception | None:
    """What it raised."""
    try:
        await step()
    except EXPECTED as error:
        reason = error.reason if isinstance(error, PlatformError) else ""
        log.warning("work in the background pauses", step=name, reason=reason, error=repr(error.__cause__ or error))
        return error
    except Exception as error:
        log.exception("work in the background failed unexpectedly; it is tried again", step=name)
        return error
    return None
