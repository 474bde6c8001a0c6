"""The server's side: opens calls that arrive as frames on the servicers' own handlers, inside the same interceptors."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Any

import grpc
import structlog
from aisp.relay.v1 import relay_service_pb2 as pb
from aisp.relay.v1.relay_service_pb2_grpc import RelayServiceServicer, add_RelayServiceServicer_to_server

from chassis.relay.frames import RECEIVED, Outbox, count
from chassis.relay.served import ServedCall
from chassis.settings import RelaySettings

log = structlog.get_logger()

Register = Callable[[Any], None]


class Methods:
    """The handlers of a server, each wrapped once by the interceptors. Offers what generated code registers with."""

    def __init__(self, interceptors: Sequence[Any]) -> None:
        self._interceptors = tuple(interceptors)
        self._generic: list[Any] = []
        self._found: dict[str, Any] = {}

    def add_generic_rpc_handlers(self, handlers: Iterable[Any]) -> None:
        """Called by generated code."""
        self._generic += handlers

    def add_registered_method_handlers(self, service: str, handlers: Any) -> None:
        """Called by generated code, which registers the same handlers as generic ones too."""

    async def find(self, method: str) -> Any:
        """The handler, or None if there is no such method with a single request."""
        found = self._found.get(method)
        if found is None:
            found = await self._wrapped(method)
            if found is None or found.request_streaming:
                return None
            self._found[method] = found
        return found

    async def _wrapped(self, method: str) -> Any:
        async def innermost(details: Any) -> Any:
            return next((found for handler in self._generic if (found := handler.service(details))), None)

        step: Any = innermost
        for interceptor in reversed(self._interceptors):
            step = _before(interceptor, step)
        return await step(_Details(method))


class _Details(grpc.HandlerCallDetails):  # type: ignore[misc]  # grpc ships no types
    """Of a method, not of a call: an interceptor that looks at a call's metadata finds it in the servicer context."""

    def __init__(self, method: str) -> None:
        self.method = method
        self.invocation_metadata = ()


def _before(interceptor: Any, rest: Any) -> Any:
    async def step(details: Any) -> Any:
        return await interceptor.intercept_service(rest, details)

    return step


class Relay(RelayServiceServicer):
    """Serves streams of frames."""

    def __init__(self, methods: Methods, settings: RelaySettings) -> None:
        self._methods = methods
        self._settings = settings
        self._streams: set[_Stream] = set()
        self._draining = False

    def register(self, server: Any) -> None:
        """Adds it to a server."""
        add_RelayServiceServicer_to_server(self, server)

    def drain(self) -> None:
        """From now on no call is begun; those that are open go on."""
        self._draining = True
        for stream in self._streams:
            stream.drain()

    async def Relay(self, _requests: AsyncIterator[pb.Frames], servicer_context: Any) -> None:  # noqa: N802
        """One client's stream, as long as it lives."""
        stream = _Stream(self._methods, servicer_context, self._settings.max_calls)
        self._streams.add(stream)
        try:
            if self._draining:
                stream.drain()
            await stream.serve()
        finally:
            self._streams.discard(stream)


class _Stream:
    """One stream and its open calls."""

    def __init__(self, methods: Methods, servicer_context: Any, max_calls: int) -> None:
        self._methods = methods
        self._context = servicer_context
        self._max_calls = max_calls
        self._outbox = Outbox(servicer_context.write)
        self._calls: dict[int, ServedCall] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._draining = False

    def drain(self) -> None:
        self._draining = True
        self._outbox.put(pb.Frame(kind=pb.KIND_DRAIN))

    async def serve(self) -> None:
        writer = asyncio.create_task(self._outbox.run())
        try:
            while (message := await self._context.read()) is not grpc.aio.EOF:
                count(RECEIVED, len(message.frames))
                for frame in message.frames:
                    self._take(frame)
            # The client has ended its side, as it does once it waits for nothing more.
            self._outbox.close()
            await writer
        finally:
            tasks = [writer, *self._tasks.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _take(self, frame: pb.Frame) -> None:
        call = self._calls.get(frame.call)
        if frame.kind == pb.KIND_OPEN:
            self._open(frame)
        elif call is not None and frame.kind == pb.KIND_CREDIT:
            call.add_credit(frame.credit)
        elif call is not None and frame.kind == pb.KIND_CANCEL:
            self._tasks[frame.call].cancel()

    def _open(self, frame: pb.Frame) -> None:
        if self._draining or frame.call in self._calls:
            self._outbox.put(pb.Frame(call=frame.call, kind=pb.KIND_REFUSE))
            return
        if len(self._calls) >= self._max_calls:
            full = pb.Frame(call=frame.call, kind=pb.KIND_END, code=grpc.StatusCode.RESOURCE_EXHAUSTED.value[0])
            self._outbox.put(full)
            return
        call = ServedCall(frame, self._outbox.put, self._context.peer)
        self._calls[frame.call] = call
        task = asyncio.create_task(call.run(self._methods.find))
        self._tasks[frame.call] = task
        task.add_done_callback(lambda _: self._forget(frame.call))

    def _forget(self, number: int) -> None:
        del self._calls[number], self._tasks[number]
