"""The server's side: opens calls that arrive as frames on the servicers' own handlers, inside the same interceptors."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import grpc
import structlog
from aisp.relay.v1 import relay_service_pb2 as pb
from aisp.relay.v1.relay_service_pb2_grpc import RelayServiceServicer, add_RelayServiceServicer_to_server

from chassis.context import BadContext, Verifier
from chassis.relay import frames
from chassis.relay.frames import BadFrame, Ended
from chassis.relay.link import Link
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
    """Takes links, and tells over gRPC where."""

    def __init__(self, methods: Methods, settings: RelaySettings, verifier: Verifier) -> None:
        self._methods = methods
        self._settings = settings
        self._verifier = verifier
        self._lines: set[_Line] = set()
        self._servers: list[asyncio.AbstractServer] = []
        self.socket = ""
        """Of its own machine's callers: a path, or empty."""
        self.port = 0
        """Where links are taken, as callers are told."""
        self._draining = False

    async def listen(self, host: str, port: int) -> None:
        """Listens; port 0 takes a free one. OSError where the address is taken, or the socket can't be made."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(self._accept, host, port)
        self._servers.append(server)
        self.port = server.sockets[0].getsockname()[1]
        if self._settings.sockets:
            path = f"{self._settings.sockets}/{self.port}.sock"
            self._servers.append(await loop.create_unix_server(self._accept, path))
            self.socket = path

    def register(self, server: Any) -> None:
        """Adds to a gRPC server what tells where to connect."""
        add_RelayServiceServicer_to_server(self, server)

    async def Locate(self, _request: pb.LocateRequest, _context: Any) -> pb.LocateResponse:  # noqa: N802
        """Where to connect."""
        return pb.LocateResponse(port=self.port, version=frames.VERSION, socket=self.socket)

    def drain(self) -> None:
        """From now on no call is begun; those that are open go on."""
        self._draining = True
        for server in self._servers:
            server.close()
        if self.socket:
            Path(self.socket).unlink(missing_ok=True)
        for line in self._lines:
            line.drain()

    async def stop(self, seconds: float) -> None:
        """Drains; what is not done after so long ends as it does when a link breaks."""
        self.drain()
        if tasks := self._tasks():
            await asyncio.wait(tasks, timeout=seconds)
        tasks = self._tasks()
        for line in list(self._lines):
            line.link.close()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _tasks(self) -> "set[asyncio.Task[None]]":
        return {task for line in self._lines for task in line.tasks.values()}

    def _accept(self) -> Link:
        return _Line(self._methods, self._settings, self._verifier, self._lines).link


class _Line:
    """One link and its open calls."""

    def __init__(self, methods: Methods, settings: RelaySettings, verifier: Verifier, lines: "set[_Line]") -> None:
        self.tasks: dict[int, asyncio.Task[None]] = {}
        self.link = Link(settings.heartbeat_seconds)
        self.link.side = self
        self._methods = methods
        self._verifier = verifier
        self._settings = settings
        self._calls: dict[int, ServedCall] = {}
        self._draining = False
        self._lines = lines
        lines.add(self)
        # Who does not say who they are has no link for long.
        self._greeting = self.link.loop.call_later(settings.connect_seconds, self.link.close)
        self._greeted = False

    def drain(self) -> None:
        """Begins no more."""
        self._draining = True
        self.link.send(frames.bare(frames.DRAIN))

    # What the link tells.

    def take(self, number: int, kind: int, body: bytes) -> None:
        """A frame arrived."""
        if not self._greeted:
            self._greet(kind, body)
        elif kind in (frames.OPEN, frames.AHEAD):
            self._open(number, body, ahead=kind == frames.AHEAD)
        elif (call := self._calls.get(number)) is None:
            return
        elif kind == frames.CREDIT:
            call.add_credit(frames.read_credit(body))
        elif kind == frames.GO:
            call.go()
        elif kind == frames.CANCEL:
            self.tasks[number].cancel()

    def lost(self) -> None:
        """The client is gone, and nobody waits for its calls."""
        self._greeting.cancel()
        self._lines.discard(self)
        for task in self.tasks.values():
            task.cancel()

    def _greet(self, kind: int, body: bytes) -> None:
        if kind != frames.HELLO or not body.startswith(frames.MAGIC):
            raise BadFrame("no greeting of this version")
        try:
            self._verifier.verify(body.removeprefix(frames.MAGIC), frames.METHOD)
        except BadContext as error:
            raise BadFrame("a greeting without a valid context") from error
        if len(self._lines) > self._settings.max_links:
            raise BadFrame("more links than there may be")
        self._greeting.cancel()
        self._greeted = True
        self.link.greeted()
        self.link.send(frames.bare(frames.HELLO, body=frames.MAGIC))

    def _open(self, number: int, body: bytes, *, ahead: bool) -> None:
        if self._draining or number in self._calls:
            self.link.send(frames.bare(frames.REFUSE, number))
            return
        if len(self._calls) >= self._settings.max_calls:
            self.link.send(frames.ending(number, Ended(grpc.StatusCode.RESOURCE_EXHAUSTED.value[0], (), b"")))
            return
        call = self._calls[number] = ServedCall(number, frames.read_open(body), self.link, ahead=ahead)
        task = self.tasks[number] = self.link.loop.create_task(call.run(self._methods.find))
        task.add_done_callback(lambda _: self._forget(number))

    def _forget(self, number: int) -> None:
        del self._calls[number], self.tasks[number]
