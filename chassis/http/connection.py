"""One connection: a request at a time, an answer that is parsed as it comes, held back where nobody takes it."""

import asyncio
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import httptools

from chassis.flow import Enough, Hold

MAX_HEAD_BYTES = 64 * 1024
MAX_FRAMING = 16
"""Bytes for each one of the body: chunks of a single byte take six."""
MAX_HEADERS = 256
PAUSE_BYTES = 256 * 1024
"""So much of an answer waits to be taken before no more of it is read."""
BODILESS = frozenset((204, 304))
PACKED = frozenset((b"gzip", b"x-gzip", b"deflate"))
"""Nobody asked for it: some proxies compress all the same."""
GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
MOST_GROWTH = 200
"""What is unpacked may be so many times as large, and no more than it a bomb."""
FREE_BYTES = 64 * 1024
"""So much of each part may be unpacked, however small it came."""


Take = Callable[[bytes], Hold]


class NotConnected(Exception):  # named by what happened
    """Nothing was asked: refused, no such name, no trust, no answer in time; a URL or a header that is none."""


class Broken(Exception):  # named by what happened
    """The connection ended too soon, or what came is not HTTP as it is read here."""


class Head(NamedTuple):
    """Of an answer."""

    status: int
    lines: list[tuple[bytes, bytes]]


class Connection(asyncio.Protocol):
    """Made by a pool, which is told when it is closed."""

    def __init__(self, where: tuple[bool, str, int], forget: "Callable[[Connection], None]") -> None:
        self.where = where
        self.closed = False
        self.idle_since = 0.0
        self._forget = forget
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._asked = False
        self._timer: asyncio.TimerHandle | None = None
        self._begin()

    def _begin(self) -> None:
        self._lines: list[tuple[bytes, bytes]] = []
        self._head: Head | None = None
        self._fed_bytes = self._body_bytes = 0
        self._complete = self._until_end = self._reusable = self._paused = False
        self._parts: list[bytes] = []
        self._unpack: Any = None
        self._waiting_bytes = 0
        self._error: Exception | None = None
        self._take: Take | None = None
        self._raised: Exception | None = None
        self._hold: Hold = None
        self._seconds = 0.0
        self._waiter: asyncio.Future[None] | None = None
        self._deadline = 0.0

    # What the client does.

    async def ask(self, data: bytes, seconds: float) -> Head:
        """Sends a request, and waits for the head of the answer. TimeoutError, Broken."""
        assert self._transport is not None
        self._begin()
        self._asked = True
        self._transport.write(data)
        try:
            while self._head is None:
                if self._error is not None:
                    raise self._error
                await self._wait(seconds)
        except BaseException:
            self.abort()
            raise
        return self._head

    async def chunk(self, seconds: float) -> bytes:
        """What came since the last time, joined; empty at the end. TimeoutError, Broken."""
        while not self._parts:
            if self._complete:
                return b""
            if self._error is not None:
                raise self._error
            await self._wait(seconds)
        data = self._waiting()
        self._resume()
        return data

    async def pour(self, take: Take, seconds: float) -> None:
        """Gives what comes to `take` until the end. TimeoutError, Broken, what `take` raises; Enough ends it well."""
        self._take, self._seconds = take, seconds
        try:
            self._give(take)
            if self._hold is None:
                self._resume()
            while not self._complete and self._error is None and self._raised is None:
                await self._wait(seconds)
        finally:
            self._take = self._hold = None
            self._resume()
        if self._raised is not None and not isinstance(self._raised, Enough):
            raise self._raised
        if self._error is not None and self._raised is None:
            raise self._error

    @property
    def heard(self) -> bool:
        """Whether anything came of the answer."""
        return self._fed_bytes > 0

    def release(self) -> bool:
        """Nobody reads the answer any more. Whether the connection can be used again; else it is closed."""
        if self._reusable and self._error is None and not self._paused and not self.closed:
            self._asked = False
            # Its timer goes on: it finds nobody waiting, or the next answer, whose own would be one more.
            return True
        self.abort()
        return False

    def abort(self) -> None:
        """Ends it at once."""
        self._asked = False
        self._close()
        if self._transport is not None:
            self._transport.abort()

    # What the loop tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if not self._asked:
            # Nothing was asked: whatever this is, it must not be taken for the next answer.
            self.abort()
            return
        self._fed_bytes += len(data)
        try:
            self._parser.feed_data(data)
            # The parser tells of a header, or of what follows a body, once it is whole.
            if self._fed_bytes > MAX_HEAD_BYTES + MAX_FRAMING * self._body_bytes:
                raise httptools.HttpParserError("more around the answer than in it")
        except httptools.HttpParserUpgrade:
            self._fail("it changes the protocol")
        except httptools.HttpParserError as error:
            self._fail(repr(error))
        if self._take is None:
            self._wake()
        else:
            self._give(self._take)

    def connection_lost(self, error: Exception | None) -> None:
        self._close()
        if self._until_end and error is None:
            self._end()
        elif not self._complete:
            self._fail("it ended too soon")
        self._wake()

    # What the parser tells.

    def on_message_begin(self) -> None:
        if self._complete:
            raise httptools.HttpParserError("more than was asked for")
        self._lines = []

    def on_header(self, name: bytes, value: bytes) -> None:
        # What follows a body is not read.
        if self._head is None:
            self._lines.append((name, value))
            if len(self._lines) > MAX_HEADERS:
                raise httptools.HttpParserError("too many headers")

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:
            # The answer itself is still to come.
            return
        names = {name.lower(): value.lower() for name, value in self._lines}
        coding = names.get(b"content-encoding", b"identity")
        if coding in PACKED:
            self._unpack = zlib.decompressobj(GZIP_OR_ZLIB)
        elif coding != b"identity":
            raise httptools.HttpParserError("it is compressed, which was not asked for")
        framed = b"content-length" in names or b"transfer-encoding" in names or status in BODILESS
        self._until_end = not framed
        self._head = Head(status, self._lines)

    def on_body(self, part: bytes) -> None:
        if self._unpack is not None and not (part := self._unpacked(part)):
            return
        self._parts.append(part)
        self._body_bytes += len(part)
        self._waiting_bytes += len(part)
        if self._waiting_bytes > PAUSE_BYTES:
            self._pause()

    def on_message_complete(self) -> None:
        if self._head is not None:
            self._end()
            self._reusable = not self._until_end and self._parser.should_keep_alive()

    def _end(self) -> None:
        """All of the answer is there."""
        if self._unpack is None or self._unpack.eof:
            self._complete = True
        else:
            self._fail("what is compressed has no end")

    def _unpacked(self, part: bytes) -> bytes:
        try:
            data: bytes = self._unpack.decompress(part, MOST_GROWTH * len(part) + FREE_BYTES)
        except zlib.error as error:
            raise httptools.HttpParserError(str(error)) from error
        if self._unpack.unconsumed_tail or self._unpack.unused_data:
            raise httptools.HttpParserError("it grows too large, or goes on behind its end")
        return data

    # Passing on what came.

    def _give(self, take: Take) -> None:
        """To who takes it as it comes; who waits is woken at the end."""
        if self._parts and self._raised is None:
            self._deadline = self._loop.time() + self._seconds
            try:
                hold = take(self._waiting())
            except Exception as error:  # noqa: BLE001  # whatever it is, it is raised where it is waited for
                self._raised = error
            else:
                if hold is not None and hold is not self._hold:
                    self._hold_back(hold)
        if self._complete or self._error is not None or self._raised is not None:
            self._wake()

    def _hold_back(self, hold: asyncio.Future[None]) -> None:
        self._hold = hold
        self._pause()
        hold.add_done_callback(self._go_on)

    def _go_on(self, done: asyncio.Future[None]) -> None:
        if done is self._hold:
            self._hold = None
            self._deadline = self._loop.time() + self._seconds
            self._resume()

    def _waiting(self) -> bytes:
        """What waits to be taken, joined."""
        data = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts.clear()
        self._waiting_bytes = 0
        return data

    def _pause(self) -> None:
        if not self._paused and self._transport is not None and not self.closed:
            self._paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._paused and self._transport is not None and not self.closed:
            self._paused = False
            self._transport.resume_reading()

    # Waiting: one timer for an answer, moved where it goes off too early, and not one for each part of it.

    async def _wait(self, seconds: float) -> None:
        """Until something came. TimeoutError."""
        self._waiter = self._loop.create_future()
        self._deadline = self._loop.time() + seconds
        if self._timer is None or self._timer.when() > self._deadline:
            self._stop_timer()
            self._timer = self._loop.call_at(self._deadline, self._look)
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _look(self) -> None:
        self._timer = None
        if self._waiter is None or self._waiter.done():
            return
        if self._hold is not None:
            # It is not the server that keeps it waiting.
            self._timer = self._loop.call_later(self._seconds, self._look)
        elif self._loop.time() >= self._deadline:
            self._waiter.set_exception(TimeoutError())
        else:
            self._timer = self._loop.call_at(self._deadline, self._look)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fail(self, why: str) -> None:
        if self._error is None:
            self._error = Broken(why)

    def _close(self) -> None:
        self.closed = True
        self._stop_timer()
        self._forget(self)
