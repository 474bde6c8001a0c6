"""Methods of a stub over the relay, called like those over gRPC: same deadlines, retries, errors, cancellation."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Protocol

from aisp.relay.v1 import relay_service_pb2 as pb

from chassis.context import RequestContext
from chassis.errors import PlatformError
from chassis.relay.client import Refused, RelayClient
from chassis.relay.frames import Metadata, to_entries
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

    def frame(self, payload: bytes, context: RequestContext | None) -> pb.Frame:
        """The first frame. Signed anew at each attempt: a retry may come late."""
        frame = pb.Frame(kind=pb.KIND_OPEN, method=self.path, payload=payload)
        frame.metadata.extend(to_entries(self.sign(context, self.path)))
        return frame

    def rides(self, payload: bytes) -> bool:
        """Whether the call goes over the relay."""
        return self.relay.usable and len(payload) <= self.relay.settings.max_request_bytes


class RelayedUnary:
    """A method with one response."""

    def __init__(self, method: Method) -> None:
        self._method = method

    async def __call__(
        self,
        request: Any,
        *,
        timeout: float | None = None,  # noqa: ASYNC109  # the call's own deadline, which travels with it
        context: RequestContext | None = None,
        on_trailers: OnTrailers | None = None,
    ) -> Any:
        """As `chassis.client.UnaryCall`."""
        method = self._method
        payload = method.serialize(request)
        if method.rides(payload):
            try:
                return await self._attempts(payload, method.seconds(timeout), context, on_trailers)
            except Refused:
                pass
        return await method.plain(request, timeout=timeout, context=context, on_trailers=on_trailers)

    async def _attempts(
        self, payload: bytes, seconds: float | None, context: RequestContext | None, on_trailers: OnTrailers | None
    ) -> Any:
        method, until = self._method, _until(seconds)
        attempt = 1
        while True:
            try:
                answer, trailers = await method.relay.unary(method.frame(payload, context), _left(until))
            except PlatformError as error:
                await _pause(method.rule, attempt, error, until)
                attempt += 1
            else:
                if on_trailers is not None:
                    on_trailers(dict(trailers))
                return method.deserialize(answer)


class RelayedStream:
    """A method with a stream of responses."""

    def __init__(self, method: Method) -> None:
        self._method = method

    async def __call__(
        self,
        request: Any,
        *,
        timeout: float | None = None,  # noqa: ASYNC109  # the call's own deadline, which travels with it
        context: RequestContext | None = None,
        on_trailers: OnTrailers | None = None,
    ) -> AsyncGenerator[Any, None]:
        """As `chassis.client.StreamCall`."""
        method = self._method
        payload = method.serialize(request)
        if method.rides(payload):
            until, attempt, started = _until(method.seconds(timeout)), 1, False
            while True:
                try:
                    frame = method.frame(payload, context)
                    async with aclosing(method.relay.stream(frame, _left(until), _told(on_trailers))) as responses:
                        async for response in responses:
                            started = True
                            yield method.deserialize(response)
                except Refused:
                    break
                except PlatformError as error:
                    if started:
                        raise
                    await _pause(method.rule, attempt, error, until)
                    attempt += 1
                else:
                    return
        plain = method.plain(request, timeout=timeout, context=context, on_trailers=on_trailers)
        async with aclosing(plain) as responses:
            async for response in responses:
                yield response


def _told(on_trailers: OnTrailers | None) -> Callable[[Metadata], None]:
    return lambda trailers: on_trailers(dict(trailers)) if on_trailers is not None else None


def _until(seconds: float | None) -> float | None:
    return None if seconds is None else asyncio.get_running_loop().time() + seconds


def _left(until: float | None) -> float | None:
    return None if until is None else max(0.0, until - asyncio.get_running_loop().time())


def _pause(rule: Rule, attempt: int, error: PlatformError, until: float | None) -> Awaitable[None]:
    """Waits before another attempt; raises the error where there is none, or no time for it."""
    pause, left = rule.pause(attempt, error.code), _left(until)
    if pause is None or (left is not None and pause >= left):
        raise error
    return asyncio.sleep(pause)
