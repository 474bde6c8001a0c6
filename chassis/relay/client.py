"""The client's side: a few links to one service, opened when needed, that carry its calls.

A call waits for the first attempt to connect. After one that failed, calls go by themselves over gRPC, and attempts go
on behind them, ever more rarely: a relay that is not to be had costs nobody time.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import structlog
from aisp.relay.v1 import relay_service_pb2 as pb

from chassis import status
from chassis.context import METADATA_KEY, RequestContext
from chassis.errors import Cancelled, Code, DeadlineExceeded, PlatformError, Unavailable
from chassis.flow import Hold
from chassis.relay import frames
from chassis.relay.frames import BadFrame, Ended, Metadata, Opened
from chassis.relay.link import Link
from chassis.settings import RelaySettings

log = structlog.get_logger()

LAST_NUMBER = 2**31
PAUSES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0)
"""Seconds between attempts to connect."""

ASKING = RequestContext("relay")
"""Under which a link is asked for and greeted; each call on it has its own."""


class Refused(Exception):
    """The call was not begun: it may be made in another way."""


class RelayClient:
    """The links to one service."""

    def __init__(
        self, host: str, plain: Callable[..., Any], sign: Callable[..., Metadata], settings: RelaySettings
    ) -> None:
        """`plain` makes a method of gRPC calls out of a path and two codecs; `sign` the metadata of a call."""
        self.settings = settings
        self._host = host
        self._locate = plain(frames.METHOD, pb.LocateRequest.SerializeToString, pb.LocateResponse.FromString)
        self._sign = sign
        self._lines: list[_Line] = []
        self._retired: set[_Line] = set()
        self._opening: asyncio.Task[None] | None = None
        self._failures = 0
        self._not_before = 0.0

    @property
    def usable(self) -> bool:
        """Whether a call may ride, or wait for a link."""
        return bool(self._lines) or not self._failures or self._retry()

    async def close(self) -> None:
        """Ends the links; their calls fail as cancelled."""
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.gather(self._opening, return_exceptions=True)
        for line in [*self._lines, *self._retired]:
            line.stop(Cancelled())

    async def unary(self, opened: Opened, seconds: float | None) -> Ended:
        """Makes a call with one response. Raises the error that the service raised, or Refused."""
        call = _Call(await self._line(), opened, seconds)
        try:
            return await call.ended
        finally:
            call.leave()

    async def stream(self, opened: Opened, seconds: float | None) -> "Responses":
        """Makes a call with a stream of responses. Raises Refused, or what iterating says."""
        window = self.settings.window_bytes
        return Responses(_Call(await self._line(), opened._replace(credit=window), seconds), window)

    async def connected(self) -> None:
        """Returns once there is a link, or an attempt has failed."""
        if not self._lines:
            await asyncio.wait({self._open()})

    async def _line(self) -> "_Line":
        if len(self._lines) < self.settings.streams:
            if not self._lines:
                # Who waits for it may leave; the others go on waiting.
                await asyncio.wait({self._open()})
            elif not self._failures or self._retry():
                self._open()
        if not self._lines:
            raise Refused
        return self._lines[0] if len(self._lines) == 1 else min(self._lines, key=lambda line: len(line.calls))

    def _retry(self) -> bool:
        """Tries to connect again where it is time. Whether there is something to wait for: never."""
        if asyncio.get_running_loop().time() >= self._not_before:
            self._open()
        return False

    def _open(self) -> "asyncio.Task[None]":
        if self._opening is None or self._opening.done():
            self._opening = asyncio.create_task(self._connect())
        return self._opening

    async def _connect(self) -> None:
        loop, seconds = asyncio.get_running_loop(), self.settings.connect_seconds
        line = _Line(self._left, self.settings.heartbeat_seconds)
        try:
            async with asyncio.timeout(seconds):
                found = await self._locate(pb.LocateRequest(), context=ASKING, timeout=seconds)
                await self._reach(found, line.link)
                await line.greet(dict(self._sign(ASKING, frames.METHOD))[METADATA_KEY])
        except asyncio.CancelledError:
            line.link.close()
            raise
        except (OSError, TimeoutError, PlatformError) as error:
            line.link.close()
            pause = PAUSES[min(self._failures, len(PAUSES) - 1)]
            if isinstance(error, PlatformError) and error.code is Code.UNIMPLEMENTED:
                # It may be renewed one day.
                pause = PAUSES[-1]
            self._failures += 1
            self._not_before = loop.time() + pause
            log.warning("no relay: calls go by themselves", error=repr(error), failures=self._failures)
        else:
            self._failures = 0
            self._lines.append(line)

    async def _reach(self, found: pb.LocateResponse, link: Link) -> None:
        """By the socket of the service's own machine, where that is this one; else by its port."""
        loop = asyncio.get_running_loop()
        if found.socket:
            with suppress(OSError):
                await loop.create_unix_connection(lambda: link, found.socket)
                return
        await loop.create_connection(lambda: link, self._host, found.port)

    def _left(self, line: "_Line") -> None:
        """A link takes no more calls: it is drained, or it broke."""
        if line in self._lines:
            self._lines.remove(line)
        if line.calls:
            self._retired.add(line)
        else:
            self._retired.discard(line)


class _Line:
    """One link and the calls on it."""

    def __init__(self, left: Callable[["_Line"], None], heartbeat_seconds: float) -> None:
        self.calls: dict[int, _Call] = {}
        self.link = Link(heartbeat_seconds)
        self.link.side = self
        self._left = left
        self._next = 1
        self._closing = False
        self._greeted: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def greet(self, signed: str | bytes) -> None:
        """Says who we are. Unavailable where that is not answered as it should be."""
        assert isinstance(signed, bytes)
        self.link.send(frames.bare(frames.HELLO, body=frames.MAGIC + signed))
        await self._greeted

    def add(self, call: "_Call", opened: Opened) -> int:
        """Opens a call; its number."""
        number = self._next
        self._next += 1
        self.calls[number] = call
        self.link.send(frames.opening(number, opened))
        if self._next > LAST_NUMBER:
            self._retire()
        return number

    def remove(self, number: int) -> None:
        """The call has ended."""
        self.calls.pop(number, None)
        if self._closing and not self.calls:
            self._left(self)
            self.link.close()

    def stop(self, error: PlatformError) -> None:
        """Ends the link at once, and its calls with the error."""
        self._closing = True
        calls = list(self.calls.values())
        self.calls.clear()
        for call in calls:
            call.fail(error)
        self._left(self)
        self.link.close()

    # What the link tells.

    def take(self, number: int, kind: int, body: bytes) -> None:
        """A frame arrived; one of a call that nobody waits for is passed over."""
        call = self.calls.get(number)
        if call is not None:
            call.take(kind, body)
        elif kind == frames.HELLO and not self._greeted.done():
            if body != frames.MAGIC:
                raise BadFrame("another version")
            self.link.greeted()
            self._greeted.set_result(None)
        elif kind == frames.DRAIN:
            self._retire()

    def lost(self) -> None:
        """It broke, or was closed."""
        if not self._greeted.done():
            self._greeted.set_exception(Unavailable())
        self.stop(Unavailable())

    def _retire(self) -> None:
        if not self._closing:
            self._closing = True
            self._left(self)
            if not self.calls:
                self.link.close()


class _Call:
    """One call under way. `ended` is how, or its error."""

    def __init__(self, line: _Line, opened: Opened, seconds: float | None) -> None:
        loop = line.link.loop
        self.ended: asyncio.Future[Ended] = loop.create_future()
        self.received: deque[bytes] = deque()
        self._line = line
        self._waiter: asyncio.Future[None] | None = None
        self._take: Callable[[bytes], None] | None = None
        self._timer = loop.call_later(seconds, self._expire) if seconds is not None else None
        self._number = line.add(self, opened)

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

    def __init__(self, call: _Call, window: int) -> None:
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
