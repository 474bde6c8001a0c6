"""Work side by side that fails as one: with its first error, when the rest has been cancelled and has ended.

`asyncio.TaskGroup` wraps what went wrong in a group, which no `except` and no table of errors here knows.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
U = TypeVar("U")


async def both(one: Coroutine[Any, Any, T], other: Coroutine[Any, Any, U]) -> tuple[T, U]:
    """What both come to. Raises the first error of either."""
    first, second = await together(one, other)
    return first, second


async def together(*works: Coroutine[Any, Any, Any]) -> list[Any]:
    """What each comes to, in order. Raises the first error of any."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(work) for work in works]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [task.result() for task in tasks]
