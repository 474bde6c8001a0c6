"""Event streams to clients: heartbeats while nothing comes, an end when the client goes."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

import orjson

MEDIA_TYPE = "text/event-stream"
HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}
COMMENT = b": still here\n\n"
GONE = "aisp.gone"
"""An extension of the request's scope by our own server: its `watch` takes what is to be called when the client leaves,
or None.
"""


def event(name: str, document: Any) -> bytes:
    """A named event with a JSON document: no text in it can look like another event."""
    return b"event: " + name.encode() + b"\ndata: " + orjson.dumps(document) + b"\n\n"


class Heartbeats:
    """A context manager that sends a comment whenever nothing was sent for so long: one timer for the whole stream."""

    def __init__(self, send: Callable[[bytes], Awaitable[None]], seconds: float) -> None:
        self._send = send
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._last = self._loop.time()
        self._sending: asyncio.Task[None] | None = None
        self._busy = False

    async def send(self, data: bytes) -> None:
        """Sends what is no comment."""
        self._busy = True
        await self._send(data)
        self._busy = False
        self._last = self._loop.time()

    async def __aenter__(self) -> Self:
        self._timer = self._loop.call_later(self._seconds, self._look)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._timer.cancel()
        if self._sending is not None and not self._sending.done():
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)

    def _look(self) -> None:
        silent = self._loop.time() - self._last
        # A client that does not read what was sent would not read a comment.
        if silent >= self._seconds and not self._busy and (self._sending is None or self._sending.done()):
            self._sending = self._loop.create_task(self._beat())
            silent = 0.0
        self._timer = self._loop.call_later(max(self._seconds - silent, self._seconds / 10), self._look)

    async def _beat(self) -> None:
        self._last = self._loop.time()
        await self._send(COMMENT)


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
    scope.get("extensions", {}).pop(GONE, None)
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
    task, ended = asyncio.current_task(), False
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
            timer = asyncio.get_running_loop().call_later(departure.seconds, end)
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
