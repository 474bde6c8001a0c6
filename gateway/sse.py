"""Event streams to clients: heartbeats while nothing comes, an end when the client goes."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, MutableMapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Self

import orjson

from chassis.flow import Hold, Outbox

MEDIA_TYPE = "text/event-stream"
HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}
COMMENT = b": still here\n\n"
GONE = "aisp.gone"
"""An extension of the request's scope by our own server: its `watch` takes what is to be called when the client leaves,
or None.
"""
WRITE = "aisp.write"
"""Another: its `writer` writes the answer past ASGI's messages (`gateway/writer.py`)."""


def event(name: str, document: Any) -> bytes:
    """A named event with a JSON document: no text in it can look like another event."""
    return b"event: " + name.encode() + b"\ndata: " + orjson.dumps(document) + b"\n\n"


@asynccontextmanager
async def written(
    scope: MutableMapping[str, Any], send: Callable[[Any], Awaitable[None]]
) -> AsyncIterator[Callable[[bytes], Hold]]:
    """How parts of an answer that has begun are written without waiting: at once on our own server, behind whoever
    writes on others.
    """
    own = scope.get("extensions", {}).get(WRITE)
    if own is not None:
        yield own["writer"].part
        return
    async with Outbox[bytes](lambda data: send({"type": "http.response.body", "body": data, "more_body": True})) as box:
        yield box.write


class Heartbeats:
    """A context manager that writes a comment whenever nothing was written for so long: one timer for the stream."""

    def __init__(self, write: Callable[[bytes], Hold], seconds: float) -> None:
        self._write = write
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._last = self._loop.time()
        self._hold: Hold = None

    def write(self, data: bytes) -> Hold:
        """Writes what is no comment."""
        self._last = self._loop.time()
        self._hold = self._write(data)
        return self._hold

    def __enter__(self) -> Self:
        self._timer = self._loop.call_later(self._seconds, self._look)
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def _look(self) -> None:
        silent = self._loop.time() - self._last
        # A client that does not read what was sent would not read a comment.
        if silent >= self._seconds and (self._hold is None or self._hold.done()):
            self.write(COMMENT)
            silent = 0.0
        self._timer = self._loop.call_later(max(self._seconds - silent, self._seconds / 10), self._look)


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


def to_the_end(scope: MutableMapping[str, Any], receive: Callable[[], Awaitable[Any]]) -> Callable[[], Awaitable[Any]]:
    """Makes a request deaf to its client's leaving, once its body is there: `receive` as it is to be used.

    What is asked under an Idempotency-Key is finished for the retry, which then gets it, and is charged once.
    """
    scope["extensions"] = {name: given for name, given in scope.get("extensions", {}).items() if name != GONE}
    whole = False

    async def heard() -> Any:
        nonlocal whole
        if whole:
            await asyncio.get_running_loop().create_future()
        message = await receive()
        whole = message["type"] == "http.request" and not message.get("more_body")
        return message

    return heard


@dataclass(slots=True)
class Departure:
    """What becomes of work whose client leaves: it ends at once, or may go on for so many seconds and bytes."""

    seconds: float = 0
    bytes: int = 0
    gone: bool = False

    def exhausted(self, size: int) -> bool:
        """Whether what is made for nobody is more than it may be, now that `size` more bytes were."""
        if self.gone:
            self.bytes -= size
        return self.bytes < 0


async def until_disconnect(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[Any]],
    work: Coroutine[Any, Any, None],
    departure: Departure | None = None,
) -> None:
    """Does the work; when the client is gone, cancels it at once, or when its time is up."""
    departure = departure or Departure()
    extension = scope.get("extensions", {}).get(GONE)
    if extension is None:
        await _watching(receive, work, departure)
        return
    watch = extension["watch"]
    loop: asyncio.AbstractEventLoop = extension["loop"]
    task, ended = asyncio.current_task(loop), False
    assert task is not None
    timer: asyncio.TimerHandle | None = None

    def end() -> None:
        nonlocal ended
        ended = True
        task.cancel()

    def leave() -> None:
        nonlocal timer
        departure.gone = True
        if departure.seconds:
            timer = loop.call_later(departure.seconds, end)
        else:
            end()

    watch(leave)
    try:
        await work
    except asyncio.CancelledError:
        if not ended or task.uncancel():
            raise
    finally:
        watch(None)
        if timer is not None:
            timer.cancel()


async def _watching(
    receive: Callable[[], Awaitable[Any]], work: Coroutine[Any, Any, None], departure: Departure
) -> None:
    """The same under a server that tells of the client's leaving to nobody but who receives."""
    task = asyncio.ensure_future(work)
    watcher = asyncio.ensure_future(_disconnected(receive))
    try:
        await asyncio.wait({task, watcher}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done() and departure.seconds:
            departure.gone = True
            await asyncio.wait({task}, timeout=departure.seconds)
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
