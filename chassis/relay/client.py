"""The client's side: a few links to one service, opened when needed, that carry its calls.

A call waits for the first attempt to connect. After one that failed, calls go by themselves over gRPC, and attempts go
on behind them, ever more rarely: a relay that is not to be had costs nobody time.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import structlog
from aisp.relay.v1 import relay_service_pb2 as pb

from chassis.context import METADATA_KEY, RequestContext
from chassis.errors import Cancelled, Code, PlatformError, Unavailable
from chassis.relay import frames
from chassis.relay.asked import AskedCall, Refused
from chassis.relay.frames import BadFrame, Metadata, Opened
from chassis.relay.link import Link
from chassis.settings import RelaySettings

log = structlog.get_logger()

LAST_NUMBER = 2**31
PAUSES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0)
"""Seconds between attempts to connect."""

ASKING = RequestContext("relay")
"""Under which a link is asked for and greeted; each call on it has its own."""


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

    async def call(self, opened: Opened, seconds: float | None) -> AskedCall:
        """Begins a call. Refused."""
        lines = self._lines
        line = lines[0] if len(lines) == self.settings.streams == 1 else await self._line()
        return AskedCall(line, opened, seconds)

    def ahead(self, opened: Opened, seconds: float | None) -> AskedCall | None:
        """Begins a call that is not admitted yet, where a link is at hand; it has to be told to `go`, or left."""
        return AskedCall(self._least(), opened, seconds, ahead=True) if self._lines else None

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
        return self._least()

    def _least(self) -> "_Line":
        """The link with the fewest calls."""
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
        self.calls: dict[int, AskedCall] = {}
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

    def add(self, call: AskedCall, opened: Opened, kind: int) -> int:
        """Opens a call; its number."""
        number = self._next
        self._next += 1
        self.calls[number] = call
        self.link.send(frames.opening(number, opened, kind), at_once=kind == frames.AHEAD)
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
