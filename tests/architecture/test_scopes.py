"""Which scope each group of routes needs. A new route fits its group, or somebody says here why not."""

from collections.abc import Iterator

from fastapi.routing import APIRoute

from auth_service.policy.roles import SCOPES as KNOWN
from gateway.app import ROUTERS
from gateway.edge import is_open

SCOPES = frozenset(KNOWN)
GROUPS = {
    "/api/v1/admin/": {"operator"},
    "/api/v1/usage/invariants": {"operator"},
    "/api/v1/usage/": {"usage:read"},
    "/api/v1/budgets": {"usage:read", "tenant:manage"},
    "/api/v1/webhooks": {"tenant:manage"},
    "/api/v1/guardrails": {"tenant:manage"},
    "/api/v1/provider-keys": {"tenant:manage"},
    "/api/v1/identity-providers": {"tenant:manage"},
    "/api/v1/api-keys": {"keys:manage"},
    "/api/v1/invitations": {"members:manage"},
    "/api/v1/users/me": {"anybody"},
    "/api/v1/users": {"members:manage"},
    "/api/v1/audit": {"audit:read"},
}
"""By the beginning of the path, the first that fits; a route outside of them needs some scope."""
CHANGING = {"/api/v1/budgets": "tenant:manage"}
"""Where reading and changing need different scopes: what changing needs."""
ANYBODY = {
    "POST /api/v1/auth/logout": "ends the caller's own session",
    "GET /api/v1/tenants/me": "where one is",
    "POST /api/v1/tenants/me/leave": "a member's own",
    "GET /v1/models": "what there is to choose from",
    "GET /v1/models/{name:path}": "what there is to choose from",
    "GET /api/v1/models/allowed": "what there is to choose from",
    "GET /api/v1/models/aliases": "what there is to choose from",
    "GET /v1/audio/voices": "what there is to choose from",
    "GET /api/v1/services/providers": "what there is to choose from",
}
"""Routes outside of the groups that every caller may use, and why."""
ADMITTED_BY_THEMSELVES = ("/v1/", "/api/v1/services/rag/")
"""Calls of the AI kind, whose lease needs the body: the scope is in their code (inference, documents:write)."""


def _routes() -> Iterator[tuple[str, str, str]]:
    for module in ROUTERS:
        for route in module.router.routes:
            if isinstance(route, APIRoute):
                needs = [getattr(one.call, "needs", "") for one in route.dependant.dependencies]
                yield min(route.methods or ()), route.path, next(filter(None, needs), "")


def test_every_route_needs_the_scope_of_its_group() -> None:
    wrong = []
    for method, path, needs in _routes():
        name = f"{method} {path}"
        if is_open(path) or path.startswith("/.well-known/") or name in ANYBODY:
            continue
        if not needs:
            if not path.startswith(ADMITTED_BY_THEMSELVES):
                wrong.append(f"{name} is admitted by nobody")
            continue
        group = next((begin for begin in GROUPS if path.startswith(begin)), "")
        allowed = GROUPS.get(group, SCOPES)
        if method != "GET" and group in CHANGING:
            allowed = {CHANGING[group]}
        if needs not in allowed:
            wrong.append(f"{name} needs {needs}, its group {sorted(allowed)}")
    assert wrong == []


def test_the_table_has_nothing_that_is_gone() -> None:
    found = {f"{method} {path}": needs for method, path, needs in _routes()}
    assert {name: found.get(name) for name in ANYBODY} == dict.fromkeys(ANYBODY, "anybody")
