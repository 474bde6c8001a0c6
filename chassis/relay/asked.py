"""One call as its caller sees it: what arrived, what is waited for, how it ends, and that nobody waits any more."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from chassis import status
from chassis.errors import DeadlineExceeded
from chassis.flow import Hold
from chassis.relay import frames
from chassis.relay.frames import Ended, Metadata, Opened
from chassis.relay.link import Link


class Refused(Exception):  # named by what happened
    """The call was not begun: it may be made in another way."""


class Line(Protocol):
    """The link that it is on, and the calls there."""

    calls: "dict[int, AskedCall]"
    link: Link

    def add(self, call: "AskedCall", opened: Opened, kind: int) -> int:
        """Opens a call; its number."""

    def remove(self, number: int) -> None:
        """The call has ended."""


class AskedCall:
    """One call under way. `ended` is how, or its error."""

    def __init__(self, line: Line, opened: Opened, seconds: float | None, *, ahead: bool = False) -> None:
        """`ahead`: it is not admitted yet; nobody but the service is asked before `go`."""
        loop = line.link.loop
        self.ended: asyncio.Future[Ended] = loop.create_future()
        self.received: deque[bytes] = deque()
        self._line = line
        self._waiter: asyncio.Future[None] | None = None
        self._take: Callable[[bytes], None] | None = None
        self._timer = loop.call_later(seconds, self._expire) if seconds is not None else None
        self._ahead = ahead
        self._number = line.add(self, opened, frames.AHEAD if ahead else frames.OPEN)

    def go(self) -> None:
        """It is admitted."""
        if self._ahead and not self.ended.done():
            self._line.link.send(frames.bare(frames.GO, self._number), at_once=True)
        self._ahead = False

    async def answer(self) -> Ended:
        """How it ended, with its one response. Raises the error that the service raised, or Refused."""
        try:
            return await self.ended
        finally:
            self.leave()

    def take(self, kind: int, body: bytes) -> None:
        """A frame arrived."""
        if kind == frames.DATA:
            if self._take is not None:
                self._give(self._take, body)
                return
            self.received.append(body)
        elif kind == frames.REFUSE:
            self._line.remove(self._number)
            self.fail(Refused())
        elif kind == frames.END:
            self._line.remove(self._number)
            ended = frames.read_end(body)
            if ended.code:
                self.fail(status.from_trailers(ended.code, ended.metadata))
            elif not self.ended.done():
                self.ended.set_result(ended)
        self._wake()

    def fail(self, error: Exception) -> None:
        """The call ends here with an error."""
        if not self.ended.done():
            self.ended.set_exception(error)
            self._wake()

    def _expire(self) -> None:
        self.fail(DeadlineExceeded())

    async def next(self) -> bytes | None:
        """The next response, or None at the end. Raises the call's error once what came before it was taken."""
        while not self.received:
            if self.ended.done():
                self.ended.result()
                return None
            self._waiter = self._line.link.loop.create_future()
            try:
                await self._waiter
            except asyncio.CancelledError:
                # As a generator would end here.
                self.leave()
                raise
        return self.received.popleft()

    async def pour(self, take: Callable[[bytes], None]) -> None:
        """Gives each response to `take` as it comes, until the end. Raises the call's error, or what `take` raises."""
        while self.received:
            take(self.received.popleft())
        self._take = take
        try:
            await self.ended
        finally:
            self._take = None
            self.leave()

    def _give(self, take: Callable[[bytes], None], body: bytes) -> None:
        if self.ended.done():
            return
        try:
            take(body)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is raised where it is waited for
            self.fail(error)

    def grant(self, size: int) -> None:
        """So much was taken."""
        if not self.ended.done():
            self._line.link.send(frames.credit(self._number, size))

    def leave(self) -> None:
        """Nobody waits any more: a call that goes on is cancelled at the service."""
        if self._timer is not None:
            self._timer.cancel()
        if self._number in self._line.calls:
            self._line.link.send(frames.bare(frames.CANCEL, self._number))
            self._line.remove(self._number)
        if self.ended.done() and not self.ended.cancelled():
            self.ended.exception()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Responses:
    """The responses of a call as they come. Closing it, or letting go of it, cancels the call.

    A class, where a generator would do: a chunk passes through here.
    """

    def __init__(self, call: AskedCall, window: int) -> None:
        self._call = call
        self._window = window
        self._taken = 0

    def __aiter__(self) -> "Responses":
        return self

    async def __anext__(self) -> bytes:
        call = self._call
        # What is there already needs no waiting.
        payload = call.received.popleft() if call.received else await call.next()
        if payload is None:
            call.leave()
            raise StopAsyncIteration
        self._count(len(payload))
        return payload

    async def pour(self, take: Callable[[bytes], Hold]) -> None:
        """Gives those that are left to `take` as they come, without a task's step for each. Raises the call's error, or
        what `take` raises, which ends the call. While `take` says to hold back, the service is not told to go on.
        """

        def taken(payload: bytes) -> None:
            hold, size = take(payload), len(payload)
            if hold is None:
                self._count(size)
            else:
                hold.add_done_callback(lambda _: self._count(size))

        await self._call.pour(taken)

    def _count(self, size: int) -> None:
        """So much was taken: the service may send as much again, which it is told now and then."""
        self._taken += size
        if 2 * self._taken >= self._window:
            self._call.grant(self._taken)
            self._taken = 0

    @property
    def trailers(self) -> Metadata:
        """The trailing metadata, once the responses have ended."""
        return self._call.ended.result().metadata

    def close(self) -> None:
        """Nobody wants more of them."""
        self._call.leave()

    def __del__(self) -> None:
        # At the end of a process the loop may be closed already.
        with suppress(RuntimeError):
            self._call.leave()
