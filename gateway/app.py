"""The composition root of the gateway. `gateway.app:app` is for uvicorn's command line, `serve` for the rest."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.routing import Route

from chassis import telemetry
from chassis.errors import PlatformError
from chassis.ops import Readiness, serve_ops
from chassis.settings import load
from gateway.admission import Gate
from gateway.auth import Authenticator, CacheRules, ChangeWatcher
from gateway.clients import Clients, connect
from gateway.cors import Cors
from gateway.edge import Application, Edge
from gateway.erasure import Erasures
from gateway.errors import BadBody, BodyTooLarge, MethodNotAllowed, RouteNotFound, bad_body, render
from gateway.limits.exhausted import ExhaustedLimits
from gateway.limits.meter import Meter
from gateway.limits.resp import RespClient
from gateway.limits.usage import ensure_limits, publish_event
from gateway.openapi import describe
from gateway.routes import (
    admin,
    audio,
    audit,
    auth,
    budgets,
    catalogue,
    collections,
    conversations,
    counting,
    deletions,
    documentation,
    documents,
    embeddings,
    evaluations,
    files,
    generation,
    guardrails,
    invitations,
    issuers,
    keys,
    lifecycle,
    members,
    model_rows,
    model_rules,
    preview,
    provider_keys,
    rag,
    receipts,
    rerank,
    responses,
    search,
    sessions,
    signing,
    store_files,
    terms,
    usage,
    vector_stores,
    webhooks,
)
from gateway.server import Server, listen
from gateway.settings import GatewaySection, Settings
from gateway.tenant_models import TenantModels
from gateway.throttle import Throttle
from gateway.tokens import PublishedKeys, SharedSecret, TokenKeys, TokenRules, TokenVerifier

log = structlog.get_logger()

VERSION = "0.1.0"
ROUTERS = (
    auth,
    sessions,
    members,
    invitations,
    issuers,
    keys,
    rag,
    rerank,
    evaluations,
    collections,
    receipts,
    conversations,
    documents,
    files,
    vector_stores,
    store_files,
    lifecycle,
    catalogue,
    responses,
    model_rules,
    provider_keys,
    audio,
    usage,
    preview,
    budgets,
    webhooks,
    guardrails,
    admin,
    deletions,
    model_rows,
    terms,
    audit,
    signing,
)


def create_app(settings: Settings) -> Any:
    """The application: FastAPI with a few raw routes, behind the edge."""
    lifespan = Lifespan(settings)
    api = FastAPI(
        title="AI Service Platform",
        version=VERSION,
        description="Language models, retrieval, embeddings and speech, metered.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        max_body_size=settings.gateway.max_management_bytes,
    )
    # The hot routes stand first, and are raw ASGI: they cost a fraction of an ordinary one.
    # The edge goes to them by itself; here they are for who asks with another method.
    for path, hot in lifespan.hot.items():
        api.router.routes.insert(0, Route(path, hot, methods=["POST"], include_in_schema=False))
    for module in ROUTERS:
        api.include_router(module.router, max_body_size=_most_bytes(module, settings.gateway))
    documentation.document(api, page=not settings.production)
    api.openapi = lambda: describe(api)  # type: ignore[method-assign]  # FastAPI's own way to extend the document
    api.add_exception_handler(PlatformError, _platform_error)
    api.add_exception_handler(RequestValidationError, _validation_error)
    api.add_exception_handler(HTTPException, _http_exception)
    edge, origins = Edge(api, settings.edge, settings.gateway.admin_port, lifespan.hot), settings.gateway.cors_origins
    return lifespan.with_state(Cors(edge, origins) if origins else edge)


def _most_bytes(module: Any, section: GatewaySection) -> int | None:
    """What a body on a module's routes may have, where that is more than a management call's."""
    envelope = 1024 * 1024
    if module is files:
        return section.max_document_bytes + envelope
    if module is store_files:
        # Two thousand files, each with sixteen attributes.
        return section.max_body_bytes
    if module is documents:
        # A text as JSON may be escaped to twice its size.
        return 2 * section.max_document_bytes + envelope
    if module is audio:
        return section.max_audio_bytes + envelope
    return section.max_body_bytes if module in (rag, rerank, evaluations) else None


class Lifespan:
    """What lives as long as the application: channels, the meter, the authenticator, the operations port."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._state: dict[str, Any] = {}
        hot = (*generation.PATHS, counting.PATH, embeddings.PATH, search.PATH)
        self.hot = {path: _Late(self._state, path) for path in hot}
        self.readiness = Readiness()

    def __call__(self, _api: FastAPI) -> contextlib.AbstractAsyncContextManager[None]:
        return self._run()

    def with_state(self, edge: Application) -> Any:
        """The edge, which finds all that in each request's state."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                scope["state"] = dict(self._state)
            await edge(scope, receive, send)

        app.readiness = self.readiness  # type: ignore[attr-defined]  # for who runs the server
        return app

    @contextlib.asynccontextmanager
    async def _run(self) -> AsyncIterator[None]:
        settings = self._settings
        section = settings.gateway
        # A secret that is missing or weak stops the process before anything is opened.
        settings.secret("AI_PLATFORM_JWT__SECRET_KEY", settings.jwt.secret_key)
        async with connect(settings) as clients:
            resp = RespClient(settings.redis)
            meter = Meter(resp, ensure_limits(clients))
            authenticator = make_authenticator(settings, clients)
            told, models = ExhaustedLimits(publish_event(clients)), TenantModels(clients)
            gate = Gate(meter, told, models, settings.gateway.cache_priced_plans)
            self._state |= {
                "clients": clients,
                "gate": gate,
                "gateway": section,
                "authenticator": authenticator,
                "throttle": Throttle(section.attempts_per_minute),
                embeddings.PATH: embeddings.EmbeddingsRoute(gate, clients, section),
                counting.PATH: counting.CountingRoute(gate, clients, section),
                search.PATH: search.SearchRoute(gate, clients, section),
                **generation.routes(gate, clients, section),
            }
            # From here on the edge reaches them themselves.
            self.hot.update({path: self._state[path] for path in self.hot})
            background = [
                asyncio.create_task(ChangeWatcher(authenticator, clients.auth).run()),
                asyncio.create_task(meter.run()),
                asyncio.create_task(Erasures(clients.auth, clients.erasure, settings.identity.erasure_seconds).run()),
            ]
            try:
                async with serve_ops(section.ops_host, section.ops_port, self.readiness):
                    self.readiness.started(_Ready(meter, authenticator, clients))
                    yield
                    self.readiness.drain()
            finally:
                await meter.drain(section.drain_seconds)
                for task in background:
                    task.cancel()
                await asyncio.gather(*background, return_exceptions=True)
                resp.close()


def make_authenticator(settings: Settings, clients: Clients) -> Authenticator:
    """Who calls: with the one algorithm that the settings name."""
    jwt, identity = settings.jwt, settings.identity
    secret = settings.secret("AI_PLATFORM_JWT__SECRET_KEY", jwt.secret_key)
    found: TokenKeys = PublishedKeys(clients.auth) if jwt.algorithm == "EdDSA" else SharedSecret(secret.encode())
    rules = CacheRules(
        identity.stale_seconds,
        identity.cache_entries,
        identity.key_seconds,
        identity.lookup_seconds,
        jwt.leeway_seconds,
    )
    return Authenticator(
        TokenVerifier(found, TokenRules(jwt.issuer, jwt.audience, jwt.leeway_seconds)), clients.auth, rules
    )


class _Ready:
    """Ready: the meter answers, and changes of identity are heard."""

    def __init__(self, meter: Meter, authenticator: Authenticator, _clients: Clients) -> None:
        self._meter = meter
        self._authenticator = authenticator

    async def __call__(self) -> None:
        await self._meter.ping()
        if not self._authenticator.fresh:
            raise PlatformError("the auth service does not answer")


class _Late:
    """A raw route that is made when the application starts."""

    def __init__(self, state: Mapping[str, Any], name: str) -> None:
        self._state = state
        self._name = name

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._state[self._name](scope, receive, send)


async def _platform_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, PlatformError)
    state = request.scope["state"]
    state["reason"] = error.reason
    if rows := getattr(error, "rows", ()):
        state["rows"] = rows
    status, headers, body = render(error, request.url.path, state["request_id"])
    return Response(body, status, {name.decode(): value.decode() for name, value in headers})


async def _validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    problems = list(error.errors())
    if any(item["type"] == "json_invalid" for item in problems):
        return await _platform_error(request, BadBody("The body is not valid JSON."))
    found = bad_body(problems)
    # A parameter of the query that is not valid is the request line's fault: 400, as a bad cursor is.
    if all(item["loc"][0] in ("query", "path") for item in problems):
        found.reason = "INVALID_CURSOR" if found.violations[0].field == "cursor" else "BAD_PARAMETER"
    return await _platform_error(request, found)


async def _http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return await _platform_error(request, _typed(request, error))


def _typed(request: Request, error: HTTPException) -> PlatformError:
    match error.status_code:
        case 404:
            return RouteNotFound(f"There is no route {request.method} {request.url.path[:200]}.")
        case 405:
            allowed = (error.headers or {}).get("Allow", "")
            asked = f"{request.method} {request.url.path[:200]}"
            message = f"There is no {asked}: the route takes {allowed}." if allowed else None
            return MethodNotAllowed(message, metadata={"allow": allowed} if allowed else {})
        case 413:
            return BodyTooLarge()
    return BadBody(str(error.detail)[:300])


async def serve(settings: Settings) -> None:
    """Serves until told to stop. ConfigurationError if a port is taken."""
    section = settings.gateway
    sockets = [listen(section.host, section.port)]
    if section.admin_port:
        sockets.append(listen(section.admin_host, section.admin_port))
    app = create_app(settings)
    await Server(app, section, settings.edge, app.readiness).serve(sockets)


def __getattr__(name: str) -> Any:
    """`uvicorn gateway.app:app`: the application is made when it is asked for, not when the module is imported."""
    if name != "app":
        raise AttributeError(name)
    settings = load(Settings)
    telemetry.configure("gateway", settings)
    return create_app(settings)
