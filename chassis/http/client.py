"""The pool of connections, and the answers that come over them."""

import asyncio
import ssl
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

from chassis.http.connection import Broken, Connection, Head, NotConnected, Take

IDLE_SECONDS = 30.0
"""Servers close idle connections too; most wait longer."""
PARTING_SECONDS = 1.0
"""Who closes later than this had begun to work."""


Resolve = Callable[[bool, str, int], Awaitable[Sequence[str]]]
"""The addresses to dial for a host and port (over TLS or not), best first. What it raises goes to who asked."""


class Origin(NamedTuple):
    """Where a URL leads. `head`: the request line and what is the same in every request."""

    tls: bool
    host: str
    port: int
    head: bytes


class Http:
    """The pool. One a process; closed on leaving."""

    def __init__(
        self, *, connect_seconds: float, tls: ssl.SSLContext | None = None, resolve: Resolve | None = None
    ) -> None:
        """`tls`: how servers are trusted; by default as the system does. `resolve`: what is dialled for a host, by
        default what the system says; for addresses that tenants chose `chassis.outbound.guarded`.
        """
        self._connect_seconds = connect_seconds
        self._tls = tls
        self._resolve = resolve
        self._idle: dict[tuple[bool, str, int], deque[Connection]] = defaultdict(deque)
        self._open: set[Connection] = set()
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends all connections; calls on them break."""
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        for connection in list(self._open):
            connection.abort()

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, *, first_byte: float) -> "Response":
        """The response, once its head is there: use it as a context manager. Over a connection that was used before and
        that the server closes at once, without a byte, nobody was asked: it is asked over a new one.

        NotConnected; TimeoutError after `first_byte` seconds; Broken. And what `resolve` raises.
        """
        origin = parse(url)
        lines = [origin.head, b"Content-Length: %d\r\n" % len(body)]
        lines += [_line(name, value) for name, value in headers.items()]
        lines += (b"\r\n", body)
        request = b"".join(lines)
        if (kept := self._take(origin)) is not None:
            began = time.monotonic()
            try:
                return Response(self, kept, await kept.ask(request, first_byte))
            except Broken:
                # llama.cpp's server closes each connection behind a stream, without having said so.
                if kept.heard or time.monotonic() - began > PARTING_SECONDS:
                    raise
        connection = await self._dial(origin)
        return Response(self, connection, await connection.ask(request, first_byte))

    def give_back(self, connection: Connection) -> None:
        """Called by a response: the connection can be used again."""
        connection.idle_since = time.monotonic()
        self._idle[connection.where].append(connection)
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._sweep)

    def _take(self, origin: Origin) -> Connection | None:
        idle = self._idle.get(origin[:3])
        while idle:
            # The one used last is the one that the server has waited for least.
            connection = idle.pop()
            if not connection.closed:
                return connection
        return None

    async def _dial(self, origin: Origin) -> Connection:
        if self._closed:
            raise NotConnected("the client is closed")
        if origin.tls and self._tls is None:
            self._tls = ssl.create_default_context()
        try:
            async with asyncio.timeout(self._connect_seconds):
                addresses = await self._resolve(*origin[:3]) if self._resolve else [origin.host]
                connection = await self._connect(origin, addresses)
        except (OSError, TimeoutError, UnicodeError) as error:
            raise NotConnected(repr(error)) from error
        self._open.add(connection)
        return connection

    async def _connect(self, origin: Origin, addresses: Sequence[str]) -> Connection:
        """To the first address that answers."""
        for number, address in enumerate(addresses, 1):
            try:
                _, connection = await asyncio.get_running_loop().create_connection(
                    lambda: Connection(origin[:3], self._open.discard),
                    address,
                    origin.port,
                    ssl=self._tls if origin.tls else None,
                    server_hostname=origin.host if origin.tls else None,
                )
            except OSError:
                if number == len(addresses):
                    raise
            else:
                return connection
        raise NotConnected("no address")

    def _sweep(self) -> None:
        self._sweeper, long_ago = None, time.monotonic() - IDLE_SECONDS
        for where, idle in list(self._idle.items()):
            while idle and (idle[0].closed or idle[0].idle_since <= long_ago):
                idle.popleft().abort()
            if not idle:
                del self._idle[where]
        if self._idle:
            self._sweeper = asyncio.get_running_loop().call_later(IDLE_SECONDS / 2, self._sweep)


class Headers(Mapping[str, str]):
    """Of an answer, by name in any case; of a repeated one, the last. Read when they are asked for: few are."""

    def __init__(self, lines: Sequence[tuple[bytes, bytes]]) -> None:
        self._lines = lines
        self._named: dict[bytes, bytes] | None = None

    def __getitem__(self, name: str) -> str:
        value = self._by_name().get(name.lower().encode())
        if value is None:
            raise KeyError(name)
        return value.decode("latin-1")

    def get(self, name: str, default: Any = None) -> Any:
        """Without the exception that a missing one costs otherwise: most that are asked for are missing."""
        value = self._by_name().get(name.lower().encode())
        return default if value is None else value.decode("latin-1")

    def __iter__(self) -> Iterator[str]:
        return iter(name.decode("latin-1") for name in self._by_name())

    def __len__(self) -> int:
        return len(self._by_name())

    def _by_name(self) -> dict[bytes, bytes]:
        if self._named is None:
            self._named = {name.lower(): value for name, value in self._lines}
        return self._named


class Response:
    """An answer whose head is there. Leaving it before its end closes the connection, and so cancels the work."""

    def __init__(self, http: Http, connection: Connection, head: Head) -> None:
        self.status = head.status
        self.headers = Headers(head.lines)
        self._http = http
        self._connection: Connection | None = connection

    async def chunk(self, seconds: float) -> bytes:
        """What came since the last time, joined; empty at the end. TimeoutError where nothing comes in time; Broken."""
        assert self._connection is not None, "it was left"
        return await self._connection.chunk(seconds)

    async def pour(self, take: Take, seconds: float) -> None:
        """Gives what comes to `take`, as it comes and until the end: no task takes a step for each part. TimeoutError
        where nothing comes for so long; Broken; what `take` raises, but for Enough: then nothing more is read.
        """
        assert self._connection is not None, "it was left"
        await self._connection.pour(take, seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and connection.release():
            self._http.give_back(connection)

    def __del__(self) -> None:
        # Nobody can read it any more; one that was left properly has none.
        if self._connection is not None:
            self._connection.abort()


def _line(name: str, value: str) -> bytes:
    if "\r" in value or "\n" in value or not name.isascii() or ":" in name or not name.isprintable():
        raise NotConnected("a header that is none")
    return f"{name}: {value}\r\n".encode("latin-1")


@lru_cache(1024)
def parse(url: str) -> Origin:
    """Where a URL leads. NotConnected unless it is http or https, of visible ASCII."""
    if not url.isascii() or not url.isprintable() or " " in url:
        raise NotConnected("a URL of visible ASCII is needed")
    try:
        parts = urlsplit(url)
        host, port, tls = parts.hostname, parts.port, parts.scheme == "https"
    except ValueError as error:
        raise NotConnected("no URL") from error
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc:
        raise NotConnected("a URL with http or https and a host, and without a user, is needed")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    head = f"POST {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nAccept: */*\r\nAccept-Encoding: identity\r\n"
    return Origin(tls, host, port or (443 if tls else 80), head.encode())
