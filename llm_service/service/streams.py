"""Streams for who has to wait between two events (a judge, a store): written ones as read ones, and back."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator

from llm_service.domain.calls import Call, Ending, Generator, Hold, Served, Sink

AHEAD_BYTES = 64 * 1024
"""So much of a stream waits to be read before its source is held back."""

Event = Served | bytes | Ending


async def pulled(generator: Generator, call: Call) -> AsyncGenerator[Event, None]:
    """Who answers, then events, then the ending, as they are asked for. Closing it cancels the call."""
    kept = _Kept()
    task = asyncio.ensure_future(generator.stream(call, kept))
    task.add_done_callback(lambda _: kept.wake())
    try:
        while kept.events or not task.done():
            if kept.events:
                yield kept.take()
            else:
                await kept.something()
        yield task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def poured(events: AsyncGenerator[Event, None], sink: Sink) -> Ending:
    """Writes what comes, and returns the ending."""
    ending: Ending | None = None
    async for event in events:
        if isinstance(event, bytes):
            hold = sink.write(event)
            if hold is not None:
                await asyncio.wait({hold})
        elif isinstance(event, Served):
            sink.begin(event)
        else:
            ending = event
    assert ending is not None, "a stream without an end"
    return ending


class _Kept:
    """A sink whose events wait to be read."""

    def __init__(self) -> None:
        self.events: deque[Served | bytes] = deque()
        self._bytes = 0
        self._reader: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None

    def begin(self, served: Served) -> None:
        self.events.append(served)
        self.wake()

    def write(self, events: bytes) -> Hold:
        self.events.append(events)
        self._bytes += len(events)
        self.wake()
        if self._room is None and self._bytes >= AHEAD_BYTES:
            self._room = asyncio.get_running_loop().create_future()
        return self._room

    def take(self) -> Served | bytes:
        event = self.events.popleft()
        self._bytes -= len(event) if isinstance(event, bytes) else 0
        if self._room is not None and self._bytes < AHEAD_BYTES:
            self._room.set_result(None)
            self._room = None
        return event

    async def something(self) -> None:
        self._reader = asyncio.get_running_loop().create_future()
        await self._reader

    def wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
