"""A connection that carries frames, seen from either side: what waits is written together, what arrives is told.

It has a bound on a frame's size, a small one until the other side has said who it is, and a heartbeat: a link on which
nothing is heard is broken, however long its calls may still wait.
"""

import asyncio
from typing import Any, Protocol, cast

import structlog

from chassis.relay.frames import (
    HEAD_BYTES,
    MAX_BODY_BYTES,
    MAX_HELLO_BYTES,
    PING,
    PONG,
    TRAFFIC,
    BadFrame,
    bare,
    read_head,
)

log = structlog.get_logger()

SILENT_BEATS = 2
"""After a question: one could be a loop that stood still, whose answer is still to be read."""


class Side(Protocol):
    """Whose link it is."""

    def take(self, call: int, kind: int, body: bytes) -> None:
        """A frame arrived. BadFrame ends the link."""

    def lost(self) -> None:
        """The link is no more. Told once."""


class Link(asyncio.Protocol):
    """One connection."""

    def __init__(self, heartbeat_seconds: float) -> None:
        self.side: Side
        """Set before the connection is made."""
        self.closed = False
        self.loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._outgoing: list[bytes] = []
        self._rest = bytearray()
        self._needed = HEAD_BYTES
        self._most = MAX_HELLO_BYTES
        self._heartbeat_seconds = heartbeat_seconds
        self._heard = True
        self._silent = 0
        self._writable: asyncio.Future[None] | None = None

    # What the sides do.

    def greeted(self) -> None:
        """The other side has said who it is: from now on frames may be large."""
        self._most = MAX_BODY_BYTES

    def send(self, frame: bytes, *, at_once: bool = False) -> None:
        """Sends a frame with all others of this turn of the event loop, in one write. Or at once, where there are no
        others: the other side works while this one does what is left to do.
        """
        self._outgoing.append(frame)
        if at_once:
            self._flush()
        elif len(self._outgoing) == 1:
            self.loop.call_soon(self._flush)

    @property
    def peer(self) -> str:
        """The other side's address, as gRPC writes it."""
        found: Any = self._transport.get_extra_info("peername") if self._transport is not None else None
        if isinstance(found, str | bytes):
            return "unix:"
        return f"ipv{6 if ':' in found[0] else 4}:{found[0]}:{found[1]}" if found else "unknown"

    def writable(self) -> asyncio.Future[None] | None:
        """What to wait for where the other side does not read, or None."""
        return self._writable

    def close(self) -> None:
        """Writes what waits, and ends."""
        self._flush()
        self.closed = True
        if self._transport is not None:
            self._transport.close()

    # What the loop tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._timer = self.loop.call_later(self._heartbeat_seconds, self._beat)

    def data_received(self, data: bytes) -> None:
        self._heard = True
        TRAFFIC.received_messages += 1
        if self._rest:
            self._rest += data
            if len(self._rest) < self._needed:
                return
            data = bytes(self._rest)
            self._rest.clear()
        try:
            used = self._read(data)
        except BadFrame as error:
            log.warning("a link sends what is no frame", peer=self.peer, error=str(error))
            self._abort()
            return
        if used < len(data):
            self._rest += data[used:]

    def _read(self, data: bytes) -> int:
        """Tells of the frames that are whole; how many bytes they had."""
        take, at, end = self.side.take, 0, len(data)
        while end - at >= HEAD_BYTES:
            size, call, kind = read_head(data, at)
            if size > self._most:
                raise BadFrame(f"{size} bytes")
            stop = at + HEAD_BYTES + size
            if stop > end:
                self._needed = stop - at
                return at
            TRAFFIC.received_frames += 1
            if kind == PING:
                self.send(bare(PONG))
            elif kind != PONG:
                take(call, kind, data[at + HEAD_BYTES : stop])
            at = stop
        self._needed = HEAD_BYTES
        return at

    def pause_writing(self) -> None:
        self._writable = self.loop.create_future()

    def resume_writing(self) -> None:
        self._resume()

    def connection_lost(self, _error: Exception | None) -> None:
        self.closed = True
        self._timer.cancel()
        self._outgoing.clear()
        self._resume()
        self.side.lost()

    def _flush(self) -> None:
        if not self._outgoing or self._transport is None or self.closed:
            self._outgoing.clear()
            return
        TRAFFIC.sent_messages += 1
        TRAFFIC.sent_frames += len(self._outgoing)
        data = self._outgoing[0] if len(self._outgoing) == 1 else b"".join(self._outgoing)
        self._outgoing.clear()
        self._transport.write(data)

    def _beat(self) -> None:
        self._silent = 0 if self._heard else self._silent + 1
        self._heard = False
        if self._silent == 1:
            self.send(bare(PING))
        elif self._silent > SILENT_BEATS:
            log.warning("a link is silent", peer=self.peer, seconds=self._silent * self._heartbeat_seconds)
            self._abort()
            return
        self._timer = self.loop.call_later(self._heartbeat_seconds, self._beat)

    def _resume(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    def _abort(self) -> None:
        self.closed = True
        if self._transport is not None:
            self._transport.abort()
