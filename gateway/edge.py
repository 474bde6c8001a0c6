"""The outermost layer: request id, one Host, the second base path, who calls, a log line, errors not rendered yet.

Pure ASGI. It authenticates before anything of the request is read; what the caller may do is the routes' to say.
"""

import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from uuid import uuid4

import structlog
from prometheus_client import Counter, Histogram

from chassis.errors import Internal, PlatformError
from chassis.telemetry import CALL_BUCKETS
from gateway.auth import Authenticator
from gateway.errors import BadHost, Header, render
from gateway.limits.quotas import headers as quota_headers
from gateway.throttle import Throttle

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

log = structlog.get_logger()

REQUESTS = Counter("aisp_gateway_requests_total", "Requests that were answered", ["method", "status"])
REQUEST_SECONDS = Histogram("aisp_gateway_request_seconds", "How long requests took", ["method"], buckets=CALL_BUCKETS)

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
TWO_BASES = re.compile(r"/api(/v1/(?:chat|embeddings|models|audio)(?:/.*)?)")
"""The ecosystem's routes have a second base path."""
OPEN = frozenset(("/api/v1/auth/register", "/api/v1/auth/token"))
"""Routes that nobody need be known for; they are throttled instead."""
GUARDED = ("/api/v1/", "/v1/")


class Edge:
    """Wraps the application."""

    def __init__(self, app: Application) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = Exchange(scope, send)
        try:
            exchange.check_host()
            await exchange.authenticate()
            await self._app(scope, receive, exchange.send)
        except PlatformError as error:
            await exchange.fail(error)
        except Exception as error:
            log.exception("unexpected error", request_id=exchange.request_id)
            hidden = Internal(f"Something went wrong on our side (request {exchange.request_id}).")
            hidden.__cause__ = error
            await exchange.fail(hidden)
        finally:
            exchange.tell()


class Exchange:
    """One request and its answer."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self._started = time.perf_counter()
        self._status = 499
        headers: list[Header] = scope["headers"]
        given = next((value for name, value in headers if name == b"x-request-id"), b"")
        self.request_id = given.decode() if _REQUEST_ID.fullmatch(given) else new_request_id()
        second = TWO_BASES.fullmatch(scope["path"])
        if second:
            scope["path"] = second[1]
            scope["raw_path"] = second[1].encode()
        state = scope.setdefault("state", {})
        state["request_id"] = self.request_id
        self._state = state

    def check_host(self) -> None:
        """BadHost unless there is exactly one."""
        if sum(1 for name, _ in self._scope["headers"] if name == b"host") != 1:
            raise BadHost

    async def authenticate(self) -> None:
        """Puts the caller into the state. Unauthenticated; throttled by address where credentials are bad."""
        path, state = self._scope["path"], self._state
        if not path.startswith(GUARDED):
            return
        throttle: Throttle = state["throttle"]
        address = (self._scope.get("client") or ("",))[0]
        state["address"] = address
        if path in OPEN:
            throttle.attempt(address)
            return
        credentials = {b"authorization": None, b"x-api-key": None}
        for name, value in self._scope["headers"]:
            if name in credentials:
                credentials[name] = value.decode("latin-1")
        authenticator: Authenticator = state["authenticator"]
        try:
            state["caller"] = await authenticator.authenticate(
                credentials[b"authorization"], credentials[b"x-api-key"], self.request_id
            )
        except PlatformError:
            throttle.attempt(address)
            raise

    async def send(self, message: Message) -> None:
        """Adds the headers that every answer has."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            added = [(b"x-request-id", self.request_id.encode()), *quota_headers(self._state.get("quotas", ()))]
            message["headers"] = [*message.get("headers", ()), *added]
        await self._send(message)

    async def fail(self, error: PlatformError) -> None:
        """Answers with an error, if nothing was answered yet."""
        if self._status != 499:
            return
        if quotas := getattr(error, "quotas", ()):
            self._state["quotas"] = quotas
        status, headers, body = render(error, self._scope["path"], self.request_id)
        headers.append((b"content-length", str(len(body)).encode()))
        self._state["reason"] = error.reason
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})

    def tell(self) -> None:
        """One line and two metrics."""
        seconds = time.perf_counter() - self._started
        method = self._scope["method"] if self._scope["method"] in KNOWN_METHODS else "OTHER"
        REQUESTS.labels(method, self._status).inc()
        REQUEST_SECONDS.labels(method).observe(seconds)
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


KNOWN_METHODS = frozenset(("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"))


def new_request_id() -> str:
    """An id for a request that brought none."""
    return uuid4().hex
