"""The outermost layer: request id, one Host, the second base path, who calls, a log line, errors not rendered yet.

Pure ASGI. It authenticates before anything of the request is read; what the caller may do is the routes' to say.
A request that the drain cuts off is told so here, whatever kind of answer was under way.
"""

import asyncio
import random
import re
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Any

import structlog
from prometheus_client import Counter, Histogram

from chassis.errors import Internal, PlatformError
from chassis.telemetry import CALL_BUCKETS
from gateway import azure
from gateway.address import client_address, throttled_as
from gateway.auth import Authenticator
from gateway.errors import (
    ANTHROPIC,
    BadHost,
    BodyTooLarge,
    Draining,
    Header,
    RepeatedHeader,
    RouteNotFound,
    render,
    render_event,
)
from gateway.limits.quotas import headers as quota_headers
from gateway.settings import EdgeSection
from gateway.sse import WRITE, to_the_end
from gateway.throttle import Throttle
from gateway.writer import Writer

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

log = structlog.get_logger()

REQUESTS = Counter("aisp_gateway_requests_total", "Requests that were answered", ["method", "status"])
REQUEST_SECONDS = Histogram("aisp_gateway_request_seconds", "How long requests took", ["method"], buckets=CALL_BUCKETS)

requests = cache(REQUESTS.labels)
request_seconds = cache(REQUEST_SECONDS.labels)

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
TWO_BASES = re.compile(
    r"/api(/v1/(?:chat|completions|responses|messages|embeddings|rerank|models(?!/(?:aliases|allowed)(?:/|$))|audio"
    r"|files|vector_stores"
    r"|batches|moderations|images|videos|fine_tuning|uploads|conversations|containers|evals|assistants|threads|skills"
    r"|complete)"
    r"(?:/.*)?)"
)
"""The ecosystem's routes have a second base path; so have those that are not here, which is told in its own format."""
OPEN = frozenset(
    (
        "/api/v1/auth/register",
        "/api/v1/auth/register/confirm",
        "/api/v1/auth/token",
        "/api/v1/auth/password-reset",
        "/api/v1/auth/password-reset/confirm",
        "/api/v1/invitations/accept",
    )
)
"""Routes that nobody need be known for; they are throttled instead."""
OPEN_UNDER = "/api/v1/deletions/"
"""Likewise: who asks how far their deletion is has no credentials any more, only its id."""
GUARDED = ("/api/v1/", "/v1/")
ADMIN = "/api/v1/admin"
VERSION = b"anthropic-version"
"""Who sends it speaks Anthropic's format, on routes that both families have, too."""
FIRST_ERROR = 400
"""The lowest status that is one."""
_HOST = re.compile(rb"([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_chance = random.Random()  # noqa: S311  # an id is no secret; the system's randomness would be a call of it each time
_ONCE = frozenset((b"authorization", b"x-api-key", b"api-key", b"content-type", b"content-length", b"idempotency-key"))
"""Headers that decide something: sent twice, two readers might each believe another."""


class Edge:
    """Wraps the application."""

    def __init__(
        self,
        app: Application,
        bounds: EdgeSection,
        admin_port: int = 0,
        hot: Mapping[str, Application] = MappingProxyType({}),
    ) -> None:
        """`admin_port`: the only one on which operators' routes are, unless it is 0. `hot`: routes of POST requests by
        path, reached without the dozen layers between here and an ordinary route.
        """
        self._app = app
        self._hot = hot
        self._bounds = bounds
        self._admin_port = admin_port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = Exchange(scope, send, self._bounds)
        try:
            exchange.check_headers()
            exchange.check_port(self._admin_port)
            await exchange.authenticate()
            if exchange.keyed:
                receive = to_the_end(scope, receive)
            hot = self._hot.get(scope["path"]) if scope["method"] == "POST" else None
            if hot is not None:
                # With nothing between it and here, it may answer in one go.
                scope["state"]["exchange"] = exchange
            await (hot or self._app)(scope, receive, exchange.send)
        except PlatformError as error:
            await exchange.fail(error)
        except asyncio.CancelledError:
            # Only the drain cancels a request from without; it waits until that is told.
            await exchange.cut_off(Draining(retry_after=1.0))
        except Exception as error:
            log.exception("unexpected error", request_id=exchange.request_id)
            hidden = Internal(f"Something went wrong on our side (request {exchange.request_id}).")
            hidden.__cause__ = error
            await exchange.fail(hidden)
        finally:
            exchange.tell()
            # The server holds the scope; what the scope holds of the server would hold it until a collection.
            scope["state"].pop("exchange", None)
            scope.pop("extensions", None)


class Exchange:
    """One request and its answer."""

    def __init__(self, scope: Scope, send: Send, bounds: EdgeSection) -> None:
        self._scope = scope
        self._send = send
        self._bounds = bounds
        self._event_stream = self._replaced = False
        self._started = time.perf_counter()
        self._status = 499
        self.keyed = False
        """Whether the request may be sent again under its Idempotency-Key."""
        self._named: dict[bytes, bytes] = dict(scope["headers"])
        """Headers by name; what may come only once is looked at by that."""
        given = self._named.get(b"x-request-id", b"")
        self.request_id = given.decode() if _REQUEST_ID.fullmatch(given) else new_request_id()
        state = scope.setdefault("state", {})
        state["request_id"] = self.request_id
        self._state = state
        self._place(scope["path"])

    def _place(self, path: str) -> None:
        """The path of the request by which its route is known."""
        if path.startswith(azure.PREFIX):
            place = azure.place_of(path)
            path, self._state["deployment"] = place
        plain = path.rstrip("/") or "/" if path[-1:] == "/" else path
        second = TWO_BASES.fullmatch(plain)
        plain = second[1] if second else plain
        if plain != self._scope["path"]:
            self._scope["path"], self._scope["raw_path"] = plain, plain.encode()

    def check_headers(self) -> None:
        """BadHost unless there is exactly one, of those that are served; RepeatedHeader for what may come only once."""
        hosts: list[bytes] = []
        seen: set[bytes] = set()
        for name, value in self._scope["headers"]:
            if name == b"host":
                hosts.append(value)
            elif name in _ONCE:
                if name in seen:
                    raise RepeatedHeader(f"The header {name.decode()} was sent twice.")
                seen.add(name)
        self.keyed = b"idempotency-key" in seen and self._scope["method"] == "POST"
        if len(hosts) != 1:
            raise BadHost
        match = _HOST.fullmatch(hosts[0])
        served = self._bounds.hosts
        if match is None or (served and match[1].decode().lower() not in served):
            raise BadHost("The Host header names no host that is served here.")

    def check_port(self, admin_port: int) -> None:
        """RouteNotFound for an operator's route anywhere but on the port for operators, and for others there."""
        if not admin_port:
            return
        server = self._scope.get("server") or ("", 0)
        if (server[1] == admin_port) != self._scope["path"].startswith(ADMIN):
            raise RouteNotFound

    async def authenticate(self) -> None:
        """Puts the caller into the state. Unauthenticated; throttled by address where credentials are bad."""
        path, state = self._scope["path"], self._state
        if not path.startswith(GUARDED):
            return
        throttle: Throttle = state["throttle"]
        forwarded = self._all(b"x-forwarded-for")
        peer = (self._scope.get("client") or ("",))[0]
        address = state["address"] = client_address(peer, forwarded, self._bounds.trusted_proxies)
        if is_open(path):
            throttle.attempt(throttled_as(address))
            return
        authenticator: Authenticator = state["authenticator"]
        try:
            state["caller"] = await authenticator.authenticate(
                self.header(b"authorization"),
                self.header(b"x-api-key") or self.header(b"api-key"),
                self.request_id,
                address,
            )
        except PlatformError:
            throttle.attempt(throttled_as(address))
            raise

    async def send(self, message: Message) -> None:
        """Adds the headers that every answer has."""
        if message["type"] == "http.response.start":
            given: list[Header] = message.get("headers", [])
            media_type = next((value for name, value in given if name == b"content-type"), b"")
            if message["status"] == TOO_LARGE and media_type.startswith(PLAIN):
                # The framework's own bound on declared lengths knows nothing of our formats.
                self._replaced = True
                await self.fail(BodyTooLarge())
                return
            self._event_stream = media_type.startswith(EVENTS)
            message["headers"] = self._begun(message["status"], given)
        if not self._replaced:
            await self._send(message)

    async def answer(self, status: int, headers: list[Header], body: bytes) -> None:
        """A whole answer: in one write, where the server can do that."""
        head = self._begun(status, [*headers, (b"content-length", b"%d" % len(body))])
        own = self._scope.get("extensions", {}).get(WRITE)
        if own is not None:
            writer: Writer = own["writer"]
            while (hold := writer.hold) is not None:
                await asyncio.wait({hold})
            writer.answer(status, head, body)
            return
        await self._send({"type": "http.response.start", "status": status, "headers": head})
        await self._send({"type": "http.response.body", "body": body})

    def header(self, name: bytes) -> str | None:
        """The value of a request's header."""
        value = self._named.get(name)
        return None if value is None else value.decode("latin-1")

    def _all(self, name: bytes) -> list[bytes]:
        if name not in self._named:
            return []
        return [value for given, value in self._scope["headers"] if given == name]

    def _begun(self, status: int, headers: list[Header]) -> list[Header]:
        """The headers of an answer that begins now."""
        self._status = status
        self._state["answering"] = True
        request_id = self.request_id.encode()
        found = [*headers, (b"x-request-id", request_id), *quota_headers(self._rows())]
        if status < FIRST_ERROR and (call := self._state.get("call")) and call.replayed:
            found.append((b"idempotency-replayed", b"true"))
        if self._scope["path"].startswith(ANTHROPIC) or VERSION in self._named:
            # Under which Anthropic's SDKs look for it.
            found.append((b"request-id", request_id))
        return found

    def _rows(self) -> Sequence[Any]:
        """What an error says is left, or the lease."""
        lease = self._state.get("lease")
        found: Sequence[Any] = self._state.get("rows") or (lease.rows if lease else ())
        return found

    async def fail(self, error: PlatformError) -> None:
        """Answers with an error, if nothing was answered yet."""
        if self._status != 499:
            return
        if rows := getattr(error, "rows", ()):
            self._state["rows"] = rows
        status, headers, body = render(error, self._scope["path"], self.request_id)
        self._state["reason"] = error.reason
        await self.answer(status, headers, body)

    async def cut_off(self, error: PlatformError) -> None:
        """Ends an answer that will not be finished: with an error, or an event that says so, or a broken transfer."""
        if self._status == 499:
            await self.fail(error)
        elif self._event_stream:
            self._state["reason"] = error.reason
            event = render_event(error, self._scope["path"], self.request_id)
            await self._send({"type": "http.response.body", "body": event, "more_body": False})

    def tell(self) -> None:
        """One line and two metrics."""
        seconds = time.perf_counter() - self._started
        method = self._scope["method"] if self._scope["method"] in KNOWN_METHODS else "OTHER"
        requests(method, self._status).inc()
        request_seconds(method).observe(seconds)
        caller = self._state.get("caller")
        route = self._scope.get("route")
        log.info(
            "request",
            request_id=self.request_id,
            method=method,
            route=getattr(route, "path", "") or self._scope["path"][:200],
            status=self._status,
            duration_ms=round(seconds * 1000, 2),
            tenant_id=caller.tenant_id if caller else "",
            key_id=caller.key_id if caller else "",
            reason=self._state.get("reason", ""),
        )


def is_open(path: str) -> bool:
    """Whether nobody need be known for the route."""
    return path in OPEN or path.startswith(OPEN_UNDER)


EVENTS, PLAIN = b"text/event-stream", b"text/plain"
TOO_LARGE = 413
KNOWN_METHODS = frozenset(("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"))


def new_request_id() -> str:
    """An id for a request that brought none."""
    return f"{_chance.getrandbits(128):032x}"
