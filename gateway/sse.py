"""Event streams to clients: heartbeats while nothing comes, an end when the client goes."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

import orjson

MEDIA_TYPE = "text/event-stream"
HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}
COMMENT = b": still here\n\n"


def event(name: str, document: Any) -> bytes:
    """A named event with a JSON document: no text in it can look like another event."""
    return b"event: " + name.encode() + b"\ndata: " + orjson.dumps(document) + b"\n\n"


async def with_heartbeats(events: AsyncGenerator[bytes, None], seconds: float) -> AsyncGenerator[bytes, None]:
    """The events, with a comment whenever none came for so long. Closing it closes `events`."""
    pending: asyncio.Future[bytes | None] | None = None
    try:
        while True:
            pending = pending or asyncio.ensure_future(anext(events, None))
            done, _ = await asyncio.wait({pending}, timeout=seconds)
            if not done:
                yield COMMENT
                continue
            found, pending = pending.result(), None
            if found is None:
                return
            yield found
    finally:
        if pending is not None:
            pending.cancel()
            await asyncio.gather(pending, return_exceptions=True)
        await events.aclose()


async def until_disconnect(receive: Callable[[], Awaitable[Any]], work: Coroutine[Any, Any, None]) -> None:
    """Does the work; cancels it as soon as the client is gone."""
    task = asyncio.ensure_future(work)
    watcher = asyncio.ensure_future(_disconnected(receive))
    try:
        await asyncio.wait({task, watcher}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            return
        await task
    finally:
        for other in (task, watcher):
            other.cancel()
        await asyncio.gather(task, watcher, return_exceptions=True)


async def _disconnected(receive: Callable[[], Awaitable[Any]]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
