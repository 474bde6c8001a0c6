"""What happens around every call that a server serves: trace, log and metrics, errors, context. One class each.

A layer is an object whose `around(call)` is an async context manager; `Layers` wraps the four kinds of handlers once,
outermost layer first. A handler of a stream is one that writes it, so that a layer knows no difference.
"""

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

import grpc
import structlog
from opentelemetry import trace
from opentelemetry.propagate import extract

from chassis import context, flow, status, telemetry
from chassis.context import METADATA_KEY, BadContext, RequestContext, Verifier
from chassis.errors import Internal, PlatformError

log = structlog.get_logger()

HEAR_OUT_SECONDS = 5.0
"""How long a client that is refused may go on sending."""

NOT_ADMITTED = "NOT_ADMITTED"
"""In place of gRPC's code: the call was begun ahead, and the meter refused it."""

OPEN_PREFIXES = ("/grpc.health.", "/grpc.reflection.", "/aisp.relay.")
"""Methods that carry no request context: health checks, reflection, and where the relay's socket is, which asks for one
itself.
"""


@dataclass(slots=True)
class ServerCall:
    """One call being served, as the layers see it."""

    method: str
    servicer_context: Any
    """grpc.aio.ServicerContext"""
    context: RequestContext | None = None
    error: PlatformError | None = None
    started: float = field(default_factory=time.perf_counter)

    @property
    def metadata(self) -> dict[str, str | bytes]:
        """The call's metadata; of a key that came twice, the last."""
        return dict(self.servicer_context.invocation_metadata() or ())


Step = Callable[[Any, ServerCall], Awaitable[Any]]


class Layer(Protocol):
    """Something that happens around a call."""

    def around(self, call: ServerCall) -> AbstractAsyncContextManager[None] | None:
        """What is entered before the handler runs, and left after it, if anything is. Raising here refuses the call."""


class _Around(AbstractAsyncContextManager[None]):
    """A class and no generator: of four of those a call would spend more on the layers than on most handlers."""

    def __init__(self, call: ServerCall) -> None:
        self._call = call

    async def __aenter__(self) -> None:
        return None


class TraceLayer:
    """A span for the call, child of the caller's; nothing where traces go nowhere (asking each time costs 2 µs)."""

    def __init__(self) -> None:
        self._traces = not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)

    def around(self, call: ServerCall) -> AbstractAsyncContextManager[None] | None:
        return self._traced(call) if self._traces else None

    @asynccontextmanager
    async def _traced(self, call: ServerCall) -> AsyncIterator[None]:
        parent = extract({key: value for key, value in call.metadata.items() if isinstance(value, str)})
        with telemetry.tracer.start_as_current_span(call.method.lstrip("/"), context=parent):
            yield


class LogLayer:
    """One line and two metrics for each call."""

    def around(self, call: ServerCall) -> AbstractAsyncContextManager[None]:
        return _Logged(call)


class _Logged(_Around):
    async def __aenter__(self) -> None:
        self._more = telemetry.line_of_call()

    async def __aexit__(self, _kind: object, raised: BaseException | None, _traceback: object) -> None:
        call, code = self._call, "OK"
        if isinstance(raised, grpc.aio.AbortError):
            code = call.error.code.name if call.error else "UNKNOWN"
        elif raised is not None:
            code = "CANCELLED" if flow.admitted(call.servicer_context) else NOT_ADMITTED
        seconds = time.perf_counter() - call.started
        telemetry.calls(call.method, code).inc()
        telemetry.call_seconds(call.method).observe(seconds)
        fields: dict[str, object] = {"method": call.method, "code": code, "duration_ms": round(seconds * 1000, 2)}
        if call.context is not None:
            fields |= {"request_id": call.context.request_id, "tenant_id": call.context.tenant_id}
        if call.error is not None:
            fields["reason"] = call.error.reason
        fields |= self._more
        log.info("call", **fields)


class ErrorLayer:
    """Turns whatever is raised into a rich status; the unexpected into INTERNAL with a fixed text."""

    def __init__(self, domain: str) -> None:
        self._domain = domain

    def around(self, call: ServerCall) -> AbstractAsyncContextManager[None]:
        return _Caught(call, self._domain)


class _Caught(_Around):
    def __init__(self, call: ServerCall, domain: str) -> None:
        super().__init__(call)
        self._domain = domain

    async def __aexit__(self, _kind: object, raised: BaseException | None, _traceback: object) -> None:
        if raised is None or isinstance(raised, grpc.aio.AbortError) or not isinstance(raised, Exception):
            return
        if isinstance(raised, PlatformError):
            await self._abort(raised)
        request_id = self._call.context.request_id if self._call.context else ""
        log.exception("unexpected error", method=self._call.method, request_id=request_id, exc_info=raised)  # noqa: LOG004  # we are handling one
        hidden = Internal(f"Something went wrong on our side (request {request_id}).")
        hidden.__cause__ = raised
        await self._abort(hidden)

    async def _abort(self, error: PlatformError) -> None:
        call = self._call
        call.error = error
        request_id = call.context.request_id if call.context else ""
        rich = status.to_status(error, domain=self._domain, request_id=request_id)
        details = ((status.DETAILS_KEY, rich.SerializeToString()),)
        await call.servicer_context.abort(status.GRPC_CODE[error.code], rich.message, details)


class ContextLayer:
    """Verifies the signed context and makes it the task's; a call without one is refused."""

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier

    def around(self, call: ServerCall) -> None:
        values = [v for key, v in call.servicer_context.invocation_metadata() or () if key == METADATA_KEY]
        if len(values) != 1 or not isinstance(values[0], bytes):
            raise BadContext
        call.context = self._verifier.verify(values[0], call.method)
        context.enter(call.context)


class Layers(grpc.aio.ServerInterceptor):  # type: ignore[misc]  # grpc ships no types
    """Puts layers around the handlers of every method but health and reflection."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        """`layers`: outermost first."""
        self._layers = tuple(layers)

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], details: grpc.HandlerCallDetails
    ) -> Any:
        handler = await continuation(details)
        if handler is None or details.method.startswith(OPEN_PREFIXES):
            return handler
        behaviour, make = parts(handler)
        return make(
            self._wrap(details.method, _draining(behaviour) if handler.request_streaming else behaviour),
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    def _wrap(self, method: str, behaviour: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def innermost(request: Any, call: ServerCall) -> Any:
            response = await behaviour(request, call.servicer_context)
            answer = getattr(call.servicer_context, "answer", None)
            if answer is not None and response is not None:
                # Over the relay the caller has it before the layers tell of it.
                answer(response)
            return response

        step: Step = innermost
        for layer in reversed(self._layers):
            step = _inside(layer, step)

        async def wrapped(request: Any, servicer_context: Any) -> Any:
            return await step(request, ServerCall(method, servicer_context))

        return wrapped


def _inside(layer: Layer, inner: Step) -> Step:
    async def step(request: Any, call: ServerCall) -> Any:
        around = layer.around(call)
        if around is None:
            return await inner(request, call)
        async with around:
            return await inner(request, call)

    return step


def _draining(behaviour: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Hears a client out before it is refused: gRPC resets a stream on which a client still writes, and the error's
    details get lost on the way.
    """

    async def wrapped(requests: Any, servicer_context: Any) -> Any:
        try:
            return await behaviour(requests, servicer_context)
        except Exception:
            await _hear_out(requests)
            raise

    return wrapped


async def _hear_out(requests: Any) -> None:
    with suppress(Exception):
        async with asyncio.timeout(HEAR_OUT_SECONDS):
            async for _ in requests:
                pass


def parts(handler: Any) -> tuple[Callable[..., Awaitable[Any]], Callable[..., Any]]:
    """A handler's function, and what makes another handler of its kind. A function that answers a stream writes it."""
    if handler.request_streaming and handler.response_streaming:
        return _writing(handler.stream_stream), grpc.stream_stream_rpc_method_handler
    if handler.request_streaming:
        return handler.stream_unary, grpc.stream_unary_rpc_method_handler
    if handler.response_streaming:
        return _writing(handler.unary_stream), grpc.unary_stream_rpc_method_handler
    return handler.unary_unary, grpc.unary_unary_rpc_method_handler


def _writing(behaviour: Callable[..., Any]) -> Callable[..., Awaitable[None]]:
    """As one that writes its responses: one that yields them is read to its end."""
    if inspect.iscoroutinefunction(behaviour):
        return behaviour

    async def written(request: Any, servicer_context: Any) -> None:
        # Closed here and now when the caller goes away, not when the collector comes by.
        async with aclosing(behaviour(request, servicer_context)) as responses:
            async for response in responses:
                await servicer_context.write(response)

    return written
