"""Writing without waiting, held back where nobody reads: how the chunks of a stream pass without a task's step each.

Who writes is told what to wait for before it writes more. The bytes on their way are so bounded by what a writer has
read at once, and a chunk costs a few calls.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Generic, Self, TypeVar

T = TypeVar("T")

Hold = asyncio.Future[None] | None
"""What to wait for before more is written, or None. It may be others' too: it is waited for, and never cancelled."""


class Enough(Exception):  # named by what it says, as StopIteration
    """Raised by who takes what comes: nothing more is wanted."""


class Outbox(Generic[T]):
    """For who has to be awaited: items are handed on one after another, behind whoever writes them."""

    def __init__(self, send: Callable[[T], Awaitable[None]], most: int = 16) -> None:
        """`most`: items that wait before a writer is held back."""
        self._send = send
        self._most = most
        self._waiting: deque[T] = deque()
        self._room: asyncio.Future[None] | None = None
        self._sending: asyncio.Task[None] | None = None

    def write(self, item: T) -> Hold:
        """Takes an item. Raises what sending an earlier one did."""
        self._waiting.append(item)
        if self._sending is None or self._sending.done():
            if self._sending is not None:
                self._sending.result()
            self._sending = asyncio.create_task(self._run())
        if self._room is None and len(self._waiting) >= self._most:
            self._room = asyncio.get_running_loop().create_future()
        return self._room

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: object, *_: object) -> None:
        """Waits until all is sent, and raises what that raised; leaving with an error gives up what waits."""
        sending = self._sending
        if sending is None:
            return
        if kind is not None:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
        else:
            await sending

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._send(self._waiting.popleft())
                if self._room is not None and len(self._waiting) < self._most:
                    self._make_room()
        finally:
            self._make_room()

    def _make_room(self) -> None:
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)


@asynccontextmanager
async def pushing(servicer_context: Any) -> AsyncIterator[Callable[[Any], Hold]]:
    """How a handler writes its responses without waiting: at once over the relay, over gRPC behind it."""
    push = getattr(servicer_context, "push", None)
    if push is not None:
        yield push
        return
    async with Outbox(servicer_context.write) as outbox:
        yield outbox.write


def admission(servicer_context: Any) -> Hold:
    """What a handler waits for before it asks anybody else: that the call it serves is admitted. None where it is,
    as over gRPC every call.
    """
    found: Hold = getattr(servicer_context, "admission", None)
    return found


def admitted(servicer_context: Any) -> bool:
    """Whether the call is admitted by now. One that is not and ends was not let in: it did not fail."""
    hold = admission(servicer_context)
    return hold is None or (hold.done() and not hold.cancelled())


async def pour(responses: Any, take: Callable[[Any], Hold]) -> None:
    """Gives what is left of a stub's responses to `take` as it comes. Raises what iterating would, or what `take` does.

    Over the relay, once the first is there, a response costs no task's step.
    """
    while True:
        rest = getattr(responses, "pour", None)
        if rest is not None:
            await rest(take)
            return
        try:
            hold = take(await anext(responses))
        except StopAsyncIteration:
            return
        if hold is not None:
            await asyncio.wait({hold})
