"""A client's connection: HTTP/1.1 as uvicorn parses it, within the bounds that uvicorn lacks.

uvicorn alone never closes an idle, half-header or slow-body connection, and takes a header without end. Here each
connection has a deadline, which costs a request two assignments; one sweep a second finds what is overdue. What is
refused is told why, in the format of its route's family, and the connection ends.
"""

import ipaddress
from collections import Counter
from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import Any, NoReturn

import httptools
import prometheus_client
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from chassis.errors import PlatformError
from chassis.flow import Hold
from gateway.errors import BadHttp, HeadersTooLarge, RequestTooSlow, TooManyConnections, render
from gateway.settings import EdgeSection
from gateway.sse import GONE, WRITE
from gateway.writer import Writer

REFUSED = prometheus_client.Counter("aisp_gateway_refused_connections_total", "Connections ended early", ["reason"])
OPEN = prometheus_client.Gauge("aisp_gateway_open_connections", "Connections of clients")

LINGER_SECONDS = 2.0
"""For so long a refused client may read why: closing at once, with its bytes unread, would take the answer away."""
NEVER = float("inf")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Connections:
    """Those that are open: how many in all and of each address, and which are overdue."""

    def __init__(self, bounds: EdgeSection) -> None:
        self.bounds = bounds
        self._proxies: Sequence[Network] = bounds.trusted_proxies
        self._open: set[Connection] = set()
        self._of_address: Counter[str] = Counter()

    def admit(self, connection: "Connection", address: str) -> bool:
        """Whether there is room for one more. A trusted proxy speaks for many, and is not counted by address."""
        full = len(self._open) >= self.bounds.max_connections
        if full or (self._of_address[address] >= self.bounds.max_connections_per_address and not self._proxy(address)):
            return False
        self._open.add(connection)
        self._of_address[address] += 1
        OPEN.set(len(self._open))
        return True

    def leave(self, connection: "Connection", address: str) -> None:
        """Forgets one; one that was not admitted is none."""
        if connection not in self._open:
            return
        self._open.discard(connection)
        self._of_address[address] -= 1
        if not self._of_address[address]:
            del self._of_address[address]
        OPEN.set(len(self._open))

    def sweep(self, now: float) -> None:
        """Ends what is overdue. Call it once a second; `now` is the event loop's time."""
        for connection in [one for one in self._open if one.overdue(now)]:
            connection.expire(now)

    def _proxy(self, address: str) -> bool:
        if not self._proxies or not address:
            return False
        parsed = ipaddress.ip_address(address)
        return any(parsed in network for network in self._proxies)


class Phase(Enum):
    """What of a request is awaited."""

    HEAD = auto()
    BODY = auto()
    NOTHING = auto()
    END = auto()
    """It was refused: what still comes is thrown away until the client has read why."""


class Connection(HttpToolsProtocol):
    """The protocol of one connection."""

    def __init__(self, *arguments: Any, open_connections: Connections, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._all = open_connections
        self._bounds = open_connections.bounds
        self._phase = Phase.HEAD
        self._deadline = NEVER
        self._write_deadline = NEVER
        self._fed = 0
        self._head_bytes = 0
        self._head_count = 0
        self._body_began = 0.0
        self._body_bytes = 0
        self._discarded = 0
        self._refusal: PlatformError | None = None
        self._gone: Callable[[], None] | None = None
        self.writable: Hold = None
        """What to wait for where the client does not read."""
        self.url = b""

    # What the loop tells.

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if self._all.admit(self, self._address):
            self._await_head()
        else:
            self._refuse(TooManyConnections(), admitted=False)

    def connection_lost(self, exc: Exception | None) -> None:
        self._all.leave(self, self._address)
        super().connection_lost(exc)
        self._go_on()
        if self._gone is not None:
            self._gone()

    def data_received(self, data: bytes) -> None:
        if self._phase is Phase.END:
            return
        if self._phase is Phase.NOTHING:
            self._await_head()
        self._fed += len(data)
        super().data_received(data)
        # The parser tells of a header once it is whole; one without end shows only here.
        if self._phase is Phase.HEAD and self._fed > self._bounds.max_header_bytes:
            self._refuse(HeadersTooLarge())

    def pause_writing(self) -> None:
        super().pause_writing()
        self.writable = self.loop.create_future()
        self._write_deadline = self.loop.time() + self._bounds.send_idle_seconds

    def resume_writing(self) -> None:
        super().resume_writing()
        self._write_deadline = NEVER
        self._go_on()

    # What the parser tells.

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._await_head()
        # The byte that began it; what came with that byte is counted as it is parsed.
        self._fed = 1

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._head_bytes += len(url)
        if self._head_bytes > self._bounds.max_header_bytes:
            self._refuse_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        """As uvicorn's, and counted: in one function, since it is called more often than any other."""
        self._head_count += 1
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > self._bounds.max_header_bytes or self._head_count > self._bounds.max_headers:
            self._refuse_head()
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self.scope["extensions"] = {
            GONE: {"watch": self._call_when_gone, "loop": self.loop},
            WRITE: {"writer": Writer(self, self.cycle)},
        }
        self._phase = Phase.BODY
        self._body_began = self.loop.time()
        self._body_bytes = self._discarded = 0
        self._deadline = self._body_began + self._bounds.body_idle_seconds

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        self._body_bytes += len(body)
        idle = self._bounds.body_idle_seconds
        allowed = self._body_began + idle + self._body_bytes / self._bounds.min_body_bytes_per_second
        self._deadline = min(self.loop.time() + idle, allowed)
        if self.cycle.response_complete:
            self._discarded += len(body)
            if self._discarded > self._bounds.max_discarded_bytes:
                self.transport.abort()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._phase = Phase.NOTHING
        self._deadline = self._idle_until() if self.cycle.response_complete else NEVER

    def on_response_complete(self) -> None:
        """As uvicorn's, but that a connection's idle end is a deadline too, and no timer of each answer's own."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self._phase is Phase.NOTHING:
            self._deadline = self._idle_until()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  # the signature is uvicorn's
        """What uvicorn calls for whatever the parser refuses, ourselves in it included."""
        self._refuse(self._refusal or BadHttp())

    # What the sweep asks.

    def overdue(self, now: float) -> bool:
        """Whether a deadline has passed."""
        return now >= self._deadline or now >= self._write_deadline

    def expire(self, now: float) -> None:
        """Ends the connection, unless the delay is ours."""
        answering = self.cycle is not None and not self.cycle.response_complete
        if now >= self._write_deadline:
            # The client does not read its answer.
            REFUSED.labels("SLOW_READER").inc()
            self.transport.abort()
        elif self._phase is Phase.END:
            self.transport.abort()
        elif self._phase is Phase.BODY and self.flow.read_paused:
            self._deadline = now + self._bounds.body_idle_seconds
        elif self._phase is Phase.HEAD and answering:
            # A next request has begun while the last is answered: that one goes first.
            self._deadline = now + self._bounds.header_seconds
        elif self._phase is Phase.NOTHING:
            self.transport.close()
        elif self._phase is Phase.HEAD and not self._fed:
            REFUSED.labels("IDLE").inc()
            self.transport.close()
        else:
            self._refuse(RequestTooSlow())

    def _go_on(self) -> None:
        """Nobody is held back any more."""
        writable, self.writable = self.writable, None
        if writable is not None:
            writable.set_result(None)

    def _call_when_gone(self, call: Callable[[], None] | None) -> None:
        self._gone = call

    @property
    def _address(self) -> str:
        return self.client[0] if self.client else ""

    def _idle_until(self) -> float:
        return self.loop.time() + self._bounds.keep_alive_seconds

    def _await_head(self) -> None:
        self._phase = Phase.HEAD
        self._fed = self._head_bytes = self._head_count = 0
        self._deadline = self.loop.time() + self._bounds.header_seconds

    def _refuse_head(self) -> NoReturn:
        self._refusal = HeadersTooLarge()
        raise httptools.HttpParserError("the head is too large")

    def _refuse(self, error: PlatformError, *, admitted: bool = True) -> None:
        self._phase = Phase.END
        self._deadline = self.loop.time() + LINGER_SECONDS
        self._unset_keepalive_if_required()
        REFUSED.labels(error.reason).inc()
        if self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete:
            # Its answer is under way: nothing can be said in the midst of it.
            self.transport.close()
            return
        status, headers, body = render(error, self.url.decode("latin-1"), "")
        lines = [name + b": " + value + b"\r\n" for name, value in headers]
        length = b"content-length: %d\r\nconnection: close\r\n\r\n" % len(body)
        self.transport.write(b"".join((STATUS_LINE[status], *lines, length, body)))
        if admitted and self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()
