"""The client of the bench: so many connections, each with one request after the other, for so many seconds.

A bare protocol on httptools: it costs some 30 µs a request, in a process whose CPU is not counted.
"""

import asyncio
import time
from dataclasses import dataclass, field
from typing import cast

import httptools

CONNECT_SECONDS = 10
FINISH_SECONDS = 30


@dataclass
class Outcome:
    """What came of a run. Seconds; `latencies` of answered requests."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    failures: dict[str, int] = field(default_factory=dict)

    def failed(self, why: str) -> None:
        """Counts a failure."""
        self.failures[why] = self.failures.get(why, 0) + 1

    @property
    def requests(self) -> int:
        """Those that were answered whole, with 200."""
        return len(self.latencies)


@dataclass(frozen=True)
class Request:
    """The bytes to send, and how many events an answer must have to be whole (0: it is no stream)."""

    host: str
    port: int
    data: bytes
    events: int = 0


def request(host: str, port: int, path: str, headers: dict[str, str], body: bytes, *, events: int = 0) -> Request:
    """A POST with a JSON body."""
    lines = [f"POST {path} HTTP/1.1", f"Host: {host}:{port}", "Content-Type: application/json"]
    lines += [f"Content-Length: {len(body)}", *(f"{name}: {value}" for name, value in headers.items())]
    return Request(host, port, "\r\n".join(lines).encode() + b"\r\n\r\n" + body, events)


class _Connection(asyncio.Protocol):
    def __init__(self, what: Request, outcome: Outcome, until: float) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._what = what
        self._outcome = outcome
        self._until = until
        self._transport: asyncio.Transport | None = None
        self._begin()

    def _begin(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._events = 0
        self._last = b""
        self._started = time.perf_counter()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._what.data)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, part: bytes) -> None:
        if self._what.events:
            self._events += part.count(b"data: ")
        self._last = part

    def on_message_complete(self) -> None:
        now = time.perf_counter()
        status = self._parser.get_status_code()
        if status != 200:
            self._outcome.failed(f"status {status}: {self._last[:200].decode(errors='replace')}")
        elif self._events < self._what.events:
            self._outcome.failed(f"{self._events} events in place of {self._what.events}")
        else:
            self._outcome.latencies.append(now - self._started)
        if now >= self._until or not self._parser.should_keep_alive():
            self._end()
            return
        self._begin()
        assert self._transport is not None
        self._transport.write(self._what.data)

    def connection_lost(self, _error: Exception | None) -> None:
        if not self.done.done():
            self._outcome.failed("the connection was closed")
            self.done.set_result(None)

    def _end(self) -> None:
        if not self.done.done():
            self.done.set_result(None)
        if self._transport is not None:
            self._transport.close()


async def run(what: Request, connections: int, seconds: float, spread: float = 0.0) -> Outcome:
    """Keeps `connections` busy for so long; what is under way at the end is waited for.

    Their first requests are spread over `spread` seconds: streams that begin together would have their chunks come
    together, as no provider sends them.
    """
    outcome, loop = Outcome(), asyncio.get_running_loop()
    begun = time.perf_counter()
    until = begun + seconds
    opened = []
    async with asyncio.timeout(CONNECT_SECONDS):
        for _ in range(connections):
            _, made = await loop.create_connection(lambda: _Connection(what, outcome, until), what.host, what.port)
            opened.append(made)
            await asyncio.sleep(spread / connections)
    try:
        async with asyncio.timeout(seconds + FINISH_SECONDS):
            await asyncio.gather(*(made.done for made in opened))
    except TimeoutError:
        outcome.failed("no end in time")
        for made in opened:
            made._end()  # noqa: SLF001
    outcome.seconds = time.perf_counter() - begun
    return outcome
