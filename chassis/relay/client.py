"""The client's side: a few streams to one service, opened when needed, that carry its calls."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from typing import Any

import grpc
import structlog
from aisp.relay.v1 import relay_service_pb2 as pb

from chassis import status
from chassis.errors import Cancelled, DeadlineExceeded, PlatformError, Unavailable
from chassis.relay.frames import METHOD, RECEIVED, Metadata, Outbox, count, from_entries
from chassis.settings import RelaySettings

log = structlog.get_logger()

LAST_NUMBER = 2**31
UNSUPPORTED_SECONDS = 60.0
"""A service that has no relay is asked again after so long: it may have been renewed."""


class Refused(Exception):
    """The call was not begun: it may be made in another way."""


class RelayClient:
    """The streams to one address."""

    def __init__(self, channel: grpc.aio.Channel, settings: RelaySettings) -> None:
        self.settings = settings
        self._multicallable = channel.stream_stream(
            METHOD, request_serializer=pb.Frames.SerializeToString, response_deserializer=pb.Frames.FromString
        )
        self._streams: list[_Stream] = []
        self._retired: set[_Stream] = set()
        self._not_before = 0.0

    @property
    def usable(self) -> bool:
        """Whether calls may ride: not while the service is known to have no relay."""
        return not self._not_before or asyncio.get_running_loop().time() >= self._not_before

    async def close(self) -> None:
        """Ends the streams; their calls fail as cancelled."""
        streams = [*self._streams, *self._retired]
        await asyncio.gather(*(stream.stop() for stream in streams))

    async def unary(self, frame: pb.Frame, seconds: float | None) -> tuple[bytes, Metadata]:
        """Makes a call with one response: the response and the trailing metadata.

        Raises the error that the service raised, or Refused.
        """
        call = _Call(self._stream(), frame, seconds)
        try:
            ended = await call.ended
        finally:
            call.leave()
        return ended.payload, from_entries(ended.metadata)

    async def stream(
        self, frame: pb.Frame, seconds: float | None, told: Callable[[Metadata], None]
    ) -> AsyncGenerator[bytes, None]:
        """Makes a call with a stream of responses; `told` gets the trailing metadata. Errors as above."""
        frame.credit = window = self.settings.window_bytes
        call = _Call(self._stream(), frame, seconds)
        taken = 0
        try:
            while (payload := await call.next()) is not None:
                yield payload
                taken += len(payload)
                if 2 * taken >= window:
                    call.grant(taken)
                    taken = 0
            told(from_entries(call.ended.result().metadata))
        finally:
            call.leave()

    def _stream(self) -> "_Stream":
        """The one with the fewest calls."""
        if len(self._streams) < self.settings.streams:
            made = _Stream(self._multicallable(), self._left)
            self._streams.append(made)
            return made
        return min(self._streams, key=lambda stream: len(stream.calls))

    def _left(self, stream: "_Stream", error: grpc.aio.AioRpcError | None) -> None:
        """A stream takes no more calls: it is drained (no error), or it broke."""
        if stream in self._streams:
            self._streams.remove(stream)
        if error is None and stream.calls:
            self._retired.add(stream)
            return
        self._retired.discard(stream)
        if error is not None and error.code() is grpc.StatusCode.UNIMPLEMENTED:
            log.warning("the service has no relay: calls go by themselves", method=METHOD)
            self._not_before = asyncio.get_running_loop().time() + UNSUPPORTED_SECONDS


class _Stream:
    """One stream and the calls on it."""

    def __init__(self, rpc: Any, left: Callable[["_Stream", grpc.aio.AioRpcError | None], None]) -> None:
        self.calls: dict[int, _Call] = {}
        self._rpc = rpc
        self._left = left
        self._next = 1
        self._closing = False
        self._outbox = Outbox(rpc.write)
        self._task = asyncio.create_task(self._run())

    def add(self, call: "_Call", frame: pb.Frame) -> int:
        """Opens a call; its number."""
        number = frame.call = self._next
        self._next += 1
        self.calls[number] = call
        self._outbox.put(frame)
        if self._next > LAST_NUMBER:
            self._retire()
        return number

    def send(self, frame: pb.Frame) -> None:
        """Sends a frame of an open call."""
        self._outbox.put(frame)

    def remove(self, number: int) -> None:
        """The call has ended."""
        self.calls.pop(number, None)
        if self._closing and not self.calls:
            self._outbox.close()

    async def stop(self) -> None:
        """Ends the stream at once."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        writer = asyncio.create_task(self._write())
        broken: PlatformError = Unavailable()
        error: grpc.aio.AioRpcError | None = None
        try:
            while (message := await self._rpc.read()) is not grpc.aio.EOF:
                count(RECEIVED, len(message.frames))
                for frame in message.frames:
                    self._take(frame)
        except grpc.aio.AioRpcError as raised:
            error = raised
        except asyncio.CancelledError:
            broken = Cancelled()
            raise
        finally:
            writer.cancel()
            self._rpc.cancel()
            self._closing = True
            calls = list(self.calls.values())
            unimplemented = error is not None and error.code() is grpc.StatusCode.UNIMPLEMENTED
            for call in calls:
                call.fail(Refused() if unimplemented else broken)
            self.calls.clear()
            self._left(self, error)

    async def _write(self) -> None:
        # Where the stream breaks the reader learns of it too, and tells the calls.
        with suppress(grpc.aio.AioRpcError, grpc.aio.UsageError, asyncio.InvalidStateError):
            await self._outbox.run()
            await self._rpc.done_writing()

    def _take(self, frame: pb.Frame) -> None:
        call = self.calls.get(frame.call)
        if call is not None:
            call.take(frame)
        elif frame.kind == pb.KIND_DRAIN:
            self._retire()

    def _retire(self) -> None:
        if self._closing:
            return
        self._closing = True
        self._left(self, None)
        if not self.calls:
            self._outbox.close()


class _Call:
    """One call under way. `ended` is its last frame, or its error."""

    def __init__(self, stream: _Stream, frame: pb.Frame, seconds: float | None) -> None:
        loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[pb.Frame] = loop.create_future()
        self._stream = stream
        self._received: deque[bytes] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._timer = loop.call_later(seconds, self.fail, DeadlineExceeded()) if seconds is not None else None
        if seconds is not None:
            frame.timeout_ms = max(1, round(seconds * 1000))
        self._number = stream.add(self, frame)

    def take(self, frame: pb.Frame) -> None:
        """A frame arrived."""
        if frame.kind == pb.KIND_DATA:
            self._received.append(frame.payload)
        elif self.ended.done():
            return
        elif frame.kind == pb.KIND_REFUSE:
            self._stream.remove(self._number)
            self.ended.set_exception(Refused())
        elif frame.kind == pb.KIND_END:
            self._stream.remove(self._number)
            if frame.code:
                self.ended.set_exception(status.from_trailers(frame.code, from_entries(frame.metadata)))
            else:
                self.ended.set_result(frame)
        self._wake()

    def fail(self, error: Exception) -> None:
        """The call ends here with an error."""
        if not self.ended.done():
            self.ended.set_exception(error)
            self._wake()

    async def next(self) -> bytes | None:
        """The next response, or None at the end. Raises the call's error once what came before it was taken."""
        while not self._received:
            if self.ended.done():
                self.ended.result()
                return None
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return self._received.popleft()

    def grant(self, size: int) -> None:
        """So much was taken."""
        if not self.ended.done():
            self._stream.send(pb.Frame(call=self._number, kind=pb.KIND_CREDIT, credit=size))

    def leave(self) -> None:
        """Nobody waits any more: a call that goes on is cancelled at the service."""
        if self._timer is not None:
            self._timer.cancel()
        if self._number in self._stream.calls:
            self._stream.send(pb.Frame(call=self._number, kind=pb.KIND_CANCEL))
            self._stream.remove(self._number)
        if self.ended.done() and not self.ended.cancelled():
            self.ended.exception()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
