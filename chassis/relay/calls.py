"""Methods of a stub over the relay, called like those over gRPC: same deadlines, retries, errors, cancellation."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from chassis.context import RequestContext
from chassis.errors import PlatformError
from chassis.flow import Hold
from chassis.relay.asked import AskedCall, Refused, Responses
from chassis.relay.client import RelayClient
from chassis.relay.frames import Metadata, Opened
from chassis.relay.rules import Rule

OnTrailers = Callable[[dict[str, str | bytes]], None]
Sign = Callable[[RequestContext | None, str], Metadata]


class Plain(Protocol):
    """The same method as a gRPC call of its own."""

    def __call__(
        self,
        request: Any,
        *,
        timeout: float | None = None,
        context: RequestContext | None = None,
        on_trailers: OnTrailers | None = None,
    ) -> Any:
        """The response, or the responses."""


@dataclass(frozen=True, slots=True)
class Method:
    """A method on the relay, and what it needs."""

    path: str
    relay: RelayClient
    rule: Rule
    sign: Sign
    serialize: Callable[[Any], bytes]
    deserialize: Callable[[bytes], Any]
    plain: Plain

    def seconds(self, asked: float | None) -> float | None:
        """Until the deadline: the shorter of what is asked for and the rule's."""
        given = [seconds for seconds in (asked, self.rule.timeout) if seconds is not None]
        return min(given, default=None)

    def call(
        self, payload: bytes, context: RequestContext | None, until: float | None, credit: int
    ) -> Awaitable[AskedCall]:
        """Begins a call. Refused."""
        left = _left(until)
        return self.relay.call(self._opened(payload, context, left, credit), left)

    def rides(self, payload: bytes) -> bool:
        """Whether the call goes over the relay."""
        return self.relay.usable and len(payload) <= self.relay.settings.max_request_bytes

    def ahead(self, request: Any, context: RequestContext, credit: int) -> "Begun | None":
        """A call begun before it is admitted, where a link is at hand."""
        payload, seconds = self.serialize(request), self.seconds(None)
        if not self.rides(payload):
            return None
        call = self.relay.ahead(self._opened(payload, context, seconds, credit), seconds)
        return None if call is None else Begun(call, payload)

    def _opened(self, payload: bytes, context: RequestContext | None, seconds: float | None, credit: int) -> Opened:
        """What a call begins with. Signed anew at each attempt: a retry may come late."""
        timeout_ms = 0 if seconds is None else max(1, round(seconds * 1000))
        return Opened(timeout_ms, credit, self.path, self.sign(context, self.path), payload)


@dataclass(frozen=True, slots=True)
class Begun:
    """A call that the service makes ready, asking nobody else until it is told to go: for who hears only meanwhile
    whether it is admitted. Then make the call with it; or leave it.
    """

    call: AskedCall
    payload: bytes

    def go(self) -> None:
        """It is admitted: the service goes on at once, and the call is about to be made."""
        self.call.go()

    def leave(self) -> None:
        """It is not made. Does nothing where it was."""
        self.call.leave()


class RelayedUnary:
    """A method with one response."""

    def __init__(self, method: Method) -> None:
        self._method = method

    def ahead(self, request: Any, context: RequestContext) -> Begun | None:
        """The call, begun before it is admitted; None where it cannot be: then it is made as any other."""
        return self._method.ahead(request, context, 0)

    async def __call__(
        self,
        request: Any,
        *,
        timeout: float | None = None,  # noqa: ASYNC109  # the call's own deadline, which travels with it
        context: RequestContext | None = None,
        on_trailers: OnTrailers | None = None,
        begun: Begun | None = None,
    ) -> Any:
        """As `chassis.client.UnaryCall`. `begun`: the same call."""
        method = self._method
        payload = begun.payload if begun else method.serialize(request)
        if begun or method.rides(payload):
            try:
                return await self._attempts(payload, method.seconds(timeout), context, on_trailers, begun)
            except Refused:
                pass
        return await method.plain(request, timeout=timeout, context=context, on_trailers=on_trailers)

    async def _attempts(
        self,
        payload: bytes,
        seconds: float | None,
        context: RequestContext | None,
        on_trailers: OnTrailers | None,
        begun: Begun | None,
    ) -> Any:
        method, until = self._method, _until(seconds)
        attempt = 1
        while True:
            try:
                call = begun.call if begun else await method.call(payload, context, until, 0)
                ended = await call.answer()
            except PlatformError as error:
                await _pause(method.rule, attempt, error, until)
                attempt, begun = attempt + 1, None
            else:
                if on_trailers is not None:
                    on_trailers(dict(ended.metadata))
                return method.deserialize(ended.payload)


class RelayedStream:
    """A method with a stream of responses."""

    def __init__(self, method: Method) -> None:
        self._method = method

    def ahead(self, request: Any, context: RequestContext) -> Begun | None:
        """As of a method with one response."""
        return self._method.ahead(request, context, self._method.relay.settings.window_bytes)

    def __call__(
        self,
        request: Any,
        *,
        timeout: float | None = None,
        context: RequestContext | None = None,
        on_trailers: OnTrailers | None = None,
        begun: Begun | None = None,
    ) -> "StreamedCall":
        """As `chassis.client.StreamCall`. `begun`: the same call."""
        return StreamedCall(self._method, request, timeout, context, on_trailers, begun)


class StreamedCall:
    """One call of such a method: iterate over it, and close it (or let go of it) to cancel what is left.

    A class, where a generator would do: each chunk of a stream passes through here.
    """

    def __init__(
        self,
        method: Method,
        request: Any,
        seconds: float | None,
        context: RequestContext | None,
        on_trailers: OnTrailers | None,
        begun: Begun | None,
    ) -> None:
        self._method = method
        self._begun = begun
        self._request = request
        self._seconds = seconds
        self._context = context
        self._on_trailers = on_trailers
        self._responses: Responses | None = None
        self._plain: Any = None
        self._closed = False

    def __aiter__(self) -> "StreamedCall":
        return self

    async def __anext__(self) -> Any:
        if self._responses is not None:
            return await self._next(self._responses)
        if self._plain is not None:
            return await anext(self._plain)
        if self._closed:
            raise StopAsyncIteration
        return await self._first()

    @property
    def pour(self) -> Callable[[Callable[[Any], Hold]], Awaitable[None]] | None:
        """What gives the responses that are left to who takes them, without a task's step for each; None over gRPC."""
        return None if self._responses is None else self._pour

    async def _pour(self, take: Callable[[Any], Hold]) -> None:
        assert self._responses is not None
        deserialize = self._method.deserialize
        await self._responses.pour(lambda payload: take(deserialize(payload)))
        self._tell(self._responses)

    async def aclose(self) -> None:
        """Cancels what is left of the call."""
        self._closed = True
        if self._responses is not None:
            self._responses.close()
        if self._plain is not None:
            await self._plain.aclose()

    async def _first(self) -> Any:
        method, begun = self._method, self._begun
        payload = begun.payload if begun else method.serialize(self._request)
        if begun or method.rides(payload):
            until, attempt, window = _until(method.seconds(self._seconds)), 1, method.relay.settings.window_bytes
            while True:
                try:
                    call = begun.call if begun else await method.call(payload, self._context, until, window)
                    self._responses = Responses(call, window)
                    return await self._next(self._responses)
                except Refused:
                    self._responses = None
                    break
                except PlatformError as error:
                    await _pause(method.rule, attempt, error, until)
                    attempt, begun = attempt + 1, None
        self._plain = method.plain(
            self._request, timeout=self._seconds, context=self._context, on_trailers=self._on_trailers
        )
        return await anext(self._plain)

    async def _next(self, responses: Responses) -> Any:
        try:
            payload = await anext(responses)
        except StopAsyncIteration:
            self._tell(responses)
            raise
        return self._method.deserialize(payload)

    def _tell(self, responses: Responses) -> None:
        tell, self._on_trailers = self._on_trailers, None
        if tell is not None:
            tell(dict(responses.trailers))


def _until(seconds: float | None) -> float | None:
    return None if seconds is None else time.monotonic() + seconds


def _left(until: float | None) -> float | None:
    return None if until is None else max(0.0, until - time.monotonic())


def _pause(rule: Rule, attempt: int, error: PlatformError, until: float | None) -> Awaitable[None]:
    """Waits before another attempt; raises the error where there is none, or no time for it."""
    pause, left = rule.pause(attempt, error.code), _left(until)
    if pause is None or (left is not None and pause >= left):
        raise error
    return asyncio.sleep(pause)
