"""One call as it is served: the servicer context that its handler sees, credit, and how it ends."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NoReturn

import grpc
import structlog

from chassis.flow import Hold
from chassis.relay import frames
from chassis.relay.frames import Ended, Metadata, Opened
from chassis.relay.link import Link

log = structlog.get_logger()

MAX_PAYLOAD_BYTES = frames.MAX_BODY_BYTES - 64 * 1024
"""Leaves room for what stands before it: a frame that is too large breaks the link and all calls on it."""
OK = 0
CANCELLED = grpc.StatusCode.CANCELLED.value[0]
UNKNOWN = grpc.StatusCode.UNKNOWN.value[0]
DEADLINE_EXCEEDED = grpc.StatusCode.DEADLINE_EXCEEDED.value[0]
RESOURCE_EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
UNIMPLEMENTED = grpc.StatusCode.UNIMPLEMENTED.value[0]

Find = Callable[[str], Awaitable[Any]]


class ServedCall:
    """Runs one call; it is the handler's servicer context too, with the methods of grpc.aio.ServicerContext."""

    def __init__(self, number: int, opened: Opened, link: Link, *, ahead: bool) -> None:
        """`ahead`: it is not admitted yet. There is no other then that its end could go with."""
        self._number = number
        self._method = opened.method
        self._request = opened.payload
        self._metadata = opened.metadata
        self._deadline = time.monotonic() + opened.timeout_ms / 1000 if opened.timeout_ms else None
        self._link = link
        self._credit = opened.credit
        self._room: asyncio.Future[None] | None = None
        self._serialize: Callable[[Any], bytes] = bytes
        self._trailers: Metadata = ()
        self._code = OK
        self._ended = False
        self._ahead = ahead
        self.admission: Hold = link.loop.create_future() if ahead else None
        """What the handler waits for before it asks anybody else, where the call was begun ahead. gRPC's contexts have
        no such thing: `chassis.flow.admission` asks for it.
        """

    async def run(self, find: Find) -> None:
        """Serves the call, and sends its end whatever happens."""
        timer = None
        if self._deadline is not None:
            task = asyncio.current_task(self._link.loop)
            assert task is not None
            timer = self._link.loop.call_later(self._deadline - time.monotonic(), task.cancel)
        payload, code = b"", UNKNOWN
        try:
            payload = await self._handle(find)
            code = self._code
        except grpc.aio.AbortError:
            code = self._code
        except asyncio.CancelledError:
            code = DEADLINE_EXCEEDED if self.time_remaining() == 0 else CANCELLED
        except Exception:
            # The error layer turns what a handler raises into an abort: this is outside of it.
            log.exception("unexpected error", method=self._method)
        finally:
            if timer is not None:
                timer.cancel()
            self._end(payload, code)

    def add_credit(self, size: int) -> None:
        """The client took so many bytes."""
        self._credit += size
        if self._room is not None and self._credit > 0:
            self._room.set_result(None)
            self._room = None

    def go(self) -> None:
        """The call is admitted."""
        if self.admission is not None and not self.admission.done():
            self.admission.set_result(None)

    async def _handle(self, find: Find) -> bytes:
        handler = await find(self._method)
        if handler is None:
            self._code = UNIMPLEMENTED
            return b""
        request = handler.request_deserializer(self._request)
        self._request = b""
        self._serialize = handler.response_serializer
        if handler.response_streaming:
            await handler.unary_stream(request, self)
            return b""
        response = await handler.unary_unary(request, self)
        return b"" if self._ended else self._serialize(response)

    def _hold(self) -> Hold:
        """What the next response has to wait for."""
        if self._credit > 0:
            return self._link.writable()
        if self._room is None:
            self._room = self._link.loop.create_future()
        return self._room

    def _end(self, payload: bytes, code: int) -> None:
        if self._ended:
            return
        self._ended = True
        if len(payload) > MAX_PAYLOAD_BYTES:
            payload, code = b"", RESOURCE_EXHAUSTED
        self._link.send(frames.ending(self._number, Ended(code, self._trailers, payload)), at_once=self._ahead)

    # The servicer context.

    def answer(self, message: Any) -> None:
        """Sends the one response, and with it the end, at once. gRPC's contexts have no such thing."""
        self._end(self._serialize(message), OK)

    def push(self, message: Any) -> Hold:
        """Sends a response at once: what to wait for before the next one. gRPC's contexts have no such thing."""
        payload = self._serialize(message)
        if len(payload) > MAX_PAYLOAD_BYTES:
            self._code = RESOURCE_EXHAUSTED
            raise grpc.aio.AbortError
        self._credit -= len(payload)
        self._link.send(frames.bare(frames.DATA, self._number, payload))
        return self._hold()

    async def write(self, message: Any) -> None:
        """Sends a response when there is room for it."""
        while (hold := self._hold()) is not None:
            # It may be the other calls' on the link too: one that is cancelled leaves it to them.
            await asyncio.wait({hold})
        self.push(message)

    def invocation_metadata(self) -> Metadata:
        """The call's metadata."""
        return self._metadata

    def set_trailing_metadata(self, metadata: Metadata) -> None:
        """Sent with the end."""
        self._trailers = tuple(metadata)

    def trailing_metadata(self) -> Metadata:
        """What was set."""
        return self._trailers

    async def abort(
        self, code: grpc.StatusCode, details: str = "", trailing_metadata: Sequence[tuple[str, str | bytes]] = ()
    ) -> NoReturn:
        """Ends the call with an error. The text crosses in the details of the trailing metadata, or not at all."""
        del details
        self._code = code.value[0]
        self._trailers = (*self._trailers, *trailing_metadata)
        raise grpc.aio.AbortError

    def time_remaining(self) -> float | None:
        """Seconds until the deadline, or None."""
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def peer(self) -> str:
        """The client's address."""
        return self._link.peer
