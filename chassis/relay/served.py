"""One call as it is served: the servicer context that its handler sees, credit, and how it ends."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Any, NoReturn

import grpc
import structlog

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

    def __init__(self, number: int, opened: Opened, link: Link) -> None:
        self._number = number
        self._method = opened.method
        self._request = opened.payload
        self._metadata = opened.metadata
        self._deadline = time.monotonic() + opened.timeout_ms / 1000 if opened.timeout_ms else None
        self._link = link
        self._credit = opened.credit
        self._waiter: asyncio.Future[None] | None = None
        self._trailers: Metadata = ()
        self._code = OK

    async def run(self, find: Find) -> None:
        """Serves the call, and sends its end whatever happens."""
        timer = None
        if self._deadline is not None:
            loop, task = asyncio.get_running_loop(), asyncio.current_task()
            assert task is not None
            timer = loop.call_later(self._deadline - time.monotonic(), task.cancel)
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
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _handle(self, find: Find) -> bytes:
        handler = await find(self._method)
        if handler is None:
            self._code = UNIMPLEMENTED
            return b""
        request = handler.request_deserializer(self._request)
        self._request = b""
        if handler.response_streaming:
            async with aclosing(handler.unary_stream(request, self)) as responses:
                async for response in responses:
                    await self._send(handler.response_serializer(response))
            return b""
        payload: bytes = handler.response_serializer(await handler.unary_unary(request, self))
        return payload

    async def _send(self, payload: bytes) -> None:
        if len(payload) > MAX_PAYLOAD_BYTES:
            await self.abort(grpc.StatusCode.RESOURCE_EXHAUSTED)
        while self._credit <= 0:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        while (writable := self._link.writable()) is not None:
            # Shared by all calls on the link: one that is cancelled leaves it to the others.
            await asyncio.wait({writable})
        self._credit -= len(payload)
        self._link.send(frames.bare(frames.DATA, self._number, payload))

    def _end(self, payload: bytes, code: int) -> None:
        if len(payload) > MAX_PAYLOAD_BYTES:
            payload, code = b"", RESOURCE_EXHAUSTED
        self._link.send(frames.ending(self._number, Ended(code, self._trailers, payload)))

    # The servicer context.

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
