"""Two tenants, every route, each other's ids: what is another's cannot be told from what does not exist.

The routes are those that the platform itself publishes, so a new one is covered, or fails here until it can be.
"""

import json
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.e2e.conftest import Platform, Tenant, join

METHODS = ("get", "post", "put", "patch", "delete")
PUBLIC = {
    "/api/v1/auth/register",
    "/api/v1/auth/register/confirm",
    "/api/v1/auth/token",
    "/api/v1/auth/password-reset",
    "/api/v1/auth/password-reset/confirm",
    "/api/v1/invitations/accept",
    "/.well-known/jwks.json",
    "/api/v1/deletions/{deletion_id}",
}
"""What nobody need be known for."""
PAIRS = 25
SAME_TIME = (0.6, 1.67)
TRIES = 8
"""What a busy machine makes of few pairs goes with more of them; what a route tells stays."""
"""Medians of interleaved calls, on a machine that does other things too."""


def _document(tenant: Tenant) -> str:
    body = {"text": "The warranty lasts two years.", "title": "Warranty"}
    made = tenant.client.post("/api/v1/services/rag/documents", json=body).raise_for_status().json()
    tenant.client.get(f"/api/v1/services/rag/documents/{made['id']}?wait=30").raise_for_status()
    return str(made["id"])


def _key(tenant: Tenant) -> str:
    return str(tenant.client.post("/api/v1/api-keys", json={"name": "a"}).raise_for_status().json()["id"])


def _invitation(tenant: Tenant) -> str:
    body = {"email": f"{uuid4().hex}@example.com", "role": "viewer"}
    return str(tenant.client.post("/api/v1/invitations", json=body).raise_for_status().json()["id"])


def _member(tenant: Tenant) -> str:
    return str(join(tenant, "viewer").user_id)


def _session(tenant: Tenant) -> str:
    login = {"email": tenant.email, "password": tenant.password}
    tenant.client.post("/api/v1/auth/token", json=login).raise_for_status()
    found = tenant.client.get("/api/v1/users/me/sessions").raise_for_status().json()["data"]
    return str(next(session["id"] for session in found if not session["current"]))


def _provider(tenant: Tenant) -> str:
    body = {"issuer": "https://login.example.com", "audience": "aisp", "default_role": "viewer"}
    return str(tenant.client.post("/api/v1/identity-providers", json=body).raise_for_status().json()["id"])


def _budget(tenant: Tenant) -> str:
    body = {"name": uuid4().hex, "amount": 50_000_000_000, "measure": "cost_nano_usd", "period": "month"}
    return str(tenant.client.post("/api/v1/budgets", json=body).raise_for_status().json()["id"])


def _webhook(tenant: Tenant) -> str:
    body = {"url": "https://example.com/hooks", "event_types": ["budget.exhausted"]}
    return str(tenant.client.post("/api/v1/webhooks", json=body).raise_for_status().json()["id"])


def _guardrail(tenant: Tenant) -> str:
    rule = {"kind": "pii", "phases": ["input"], "action": "rewrite", "rules": {"entities": ["email"]}}
    made = tenant.client.post("/api/v1/guardrails", json={"name": uuid4().hex, **rule})
    return str(made.raise_for_status().json()["id"])


def _conversation(tenant: Tenant) -> str:
    made = tenant.client.post("/api/v1/services/rag/conversations", json={"title": "a"})
    return str(made.raise_for_status().json()["id"])


def _answer(tenant: Tenant) -> str:
    made = tenant.client.post("/api/v1/services/rag/generate", json={"query": "Hi"})
    return str(made.raise_for_status().json()["id"])


def _erasure(tenant: Tenant) -> str:
    gone = tenant.client.delete(f"/api/v1/services/rag/documents/{_document(tenant)}").raise_for_status()
    return str(gone.headers["location"]).rpartition("/")[2]


def _response(tenant: Tenant) -> str:
    body = {"model": "local/smollm2-135m-instruct", "input": "Hi", "max_output_tokens": 16}
    return str(tenant.client.post("/v1/responses", json=body).raise_for_status().json()["id"])


def _provider_key(tenant: Tenant) -> str:
    rows = tenant.client.get("/api/v1/provider-keys").raise_for_status().json()["data"]
    if rows:
        return str(rows[0]["id"])
    made = tenant.client.post("/api/v1/provider-keys", json={"provider": "openai", "key": uuid4().hex})
    return str(made.raise_for_status().json()["id"])


def _alias(tenant: Tenant) -> str:
    name = uuid4().hex
    body = {"model": "local/smollm2-135m-instruct"}
    tenant.client.put(f"/api/v1/models/aliases/{name}", json=body).raise_for_status()
    return name


def _file(tenant: Tenant) -> str:
    file = {"file": ("a.txt", b"The warranty lasts two years.")}
    made = tenant.client.post("/v1/files", files=file, data={"purpose": "user_data"})
    return str(made.raise_for_status().json()["id"])


def _store(tenant: Tenant) -> dict[str, str]:
    """A vector store, a file in it, and the batch with which that came."""
    post, file = tenant.client.post, _file(tenant)
    store = str(post("/v1/vector_stores", json={}).raise_for_status().json()["id"])
    batch = post(f"/v1/vector_stores/{store}/file_batches", json={"file_ids": [file]}).raise_for_status().json()
    return {"vector_store_id": store, "file_id": file, "batch_id": str(batch["id"])}


CREATORS: dict[str, Callable[[Tenant], str]] = {
    "document_id": _document,
    "key_id": _key,
    "invitation_id": _invitation,
    "user_id": _member,
    "session_id": _session,
    "budget_id": _budget,
    "webhook_id": _webhook,
    "provider_id": _provider,
    "guardrail_id": _guardrail,
    "conversation_id": _conversation,
    "answer_id": _answer,
    "erasure_id": _erasure,
    "response_id": _response,
    "alias": _alias,
    "file_id": _file,
}
"""How a tenant comes to a thing that a parameter of a path names."""
KEYLESS = ("SCOPE_MISSING", "SESSION_NEEDED")
"""What a key without the route's scope is told, or any key where a person must have logged in."""
NOT_A_TENANTS = {"name", "deletion_id"}
"""Parameters that name what is the same for all, or what whoever knows it may see."""

SOME_FILE = f"file-{'0' * 32}"
"""In the examples."""
NAMES_ITSELF = ("PUT", "alias")
"""Makes what its path names, in the caller's own tenant."""


def made(operation: "Operation", tenant: Tenant) -> dict[str, str]:
    """What the parameters of a path name, of a tenant."""
    if "vector_store_id" in operation.parameters:
        return {name: value for name, value in _store(tenant).items() if name in operation.parameters}
    creators = CREATORS | ({"key_id": _provider_key} if "/provider-keys/" in operation.path else {})
    return {name: creators[name](tenant) for name in operation.parameters}


@dataclass(frozen=True)
class Operation:
    method: str
    path: str
    parameters: tuple[str, ...]
    body: Any

    def at(self, ids: dict[str, str]) -> str:
        return self.path.format(**ids)


def _with(body: Any, file_id: str) -> Any:
    """An example with a file that there is."""
    return json.loads(json.dumps(body).replace(SOME_FILE, file_id))


def operations(platform: Platform) -> Iterator[Operation]:
    document = httpx.get(f"{platform.base_url}/openapi.json").raise_for_status().json()
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            if method in METHODS:
                names = [row["name"] for row in told.get("parameters", ()) if row["in"] == "path"]
                yield Operation(method.upper(), path, tuple(names), _example(document, told))


def _example(document: dict[str, Any], told: dict[str, Any]) -> Any:
    content = told.get("requestBody", {}).get("content", {}).get("application/json", {})
    schema = content.get("schema", {})
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return next(iter(schema.get("examples", ())), None)


def call(client: httpx.Client, operation: Operation, ids: dict[str, str]) -> httpx.Response:
    return client.request(operation.method, operation.at(ids), json=operation.body)


def told(answer: httpx.Response, ids: dict[str, str]) -> tuple[int, str]:
    """Status and body, without what differs from request to request."""
    text = answer.text
    for value in ids.values():
        text = text.replace(value, "ID")
    if answer.headers["content-type"].startswith("application/problem+json"):
        text = text.replace(answer.json()["request_id"], "REQUEST")
    return answer.status_code, text


def unknown_like(known: str) -> str:
    """An id of the same form that nobody has."""
    fresh = uuid4().hex
    form = [(character if not character.isalnum() else None) for character in known]
    filling = iter(fresh * (len(known) // 32 + 1))
    filled = "".join(character or next(filling) for character in form)
    # A UUID keeps its version and variant, which are checked before it is looked up.
    return f"{filled[:14]}{known[14]}{filled[15:19]}{known[19]}{filled[20:]}" if len(known) == 36 else filled


@pytest.fixture(scope="module")
def every(platform: Platform) -> list[Operation]:
    return list(operations(platform))


def test_401_comes_first_on_every_route(every: list[Operation], platform: Platform) -> None:
    with httpx.Client(base_url=platform.base_url) as nobody:
        for operation in every:
            if operation.path in PUBLIC:
                continue
            ids = dict.fromkeys(operation.parameters, "x")
            answer = nobody.request(operation.method, operation.at(ids), content=b"{not json")
            assert answer.status_code == 401, (operation, answer.text)
            assert answer.headers["www-authenticate"] == "Bearer"


def test_operators_routes_are_for_operators(every: list[Operation], tenant: Tenant) -> None:
    found = [one for one in every if one.path.startswith("/api/v1/admin") or one.path.endswith("/invariants")]
    assert found
    for operation in found:
        ids = dict.fromkeys(operation.parameters, tenant.id)
        with tenant.with_key() as by_key:
            for client in (tenant.client, by_key):
                answer = call(client, operation, ids)
                assert answer.status_code == 403, (operation, answer.text)


def test_anothers_id_is_a_404_like_any_other(every: list[Operation], new_tenant: Callable[..., Tenant]) -> None:
    mine, other = new_tenant(), new_tenant()
    tried = 0
    for operation in every:
        if not operation.parameters or operation.path.startswith("/api/v1/admin"):
            continue
        if set(operation.parameters) <= NOT_A_TENANTS or (operation.method, *operation.parameters) == NAMES_ITSELF:
            continue
        theirs = made(operation, other)
        nobodys = {name: unknown_like(value) for name, value in theirs.items()}
        with mine.with_key() as by_key:
            for client in (mine.client, by_key):
                foreign, unknown = call(client, operation, theirs), call(client, operation, nobodys)
                # A key without the route's scope is told that first, whatever it asks for.
                expected = 403 if client is by_key and foreign.json().get("code") in KEYLESS else 404
                assert foreign.status_code == expected, (operation, foreign.text)
                assert told(foreign, theirs) == told(unknown, nobodys), operation
        body = _with(operation.body, _file(other)) if SOME_FILE in str(operation.body) else operation.body
        assert call(other.client, replace(operation, body=body), theirs).status_code != 404, operation
        tried += 1
    assert tried >= 6


def test_nor_does_the_time_tell(
    every: list[Operation], new_tenant: Callable[..., Tenant], operator: httpx.Client
) -> None:
    mine, other = new_tenant(), new_tenant()
    plenty = {"limits": {"management_requests_per_minute": 1_000_000}}
    operator.patch(f"/api/v1/admin/tenants/{mine.id}", json=plenty).raise_for_status()
    for operation in every:
        if operation.method != "GET" or not operation.parameters or set(operation.parameters) <= NOT_A_TENANTS:
            continue
        if operation.path.startswith("/api/v1/admin"):
            continue
        theirs = made(operation, other)
        nobodys = {name: unknown_like(value) for name, value in theirs.items()}
        spent: dict[str, list[float]] = {"theirs": [], "nobodys": []}
        ratio = 0.0
        for _ in range(TRIES):
            for _ in range(PAIRS):
                for name, ids in (("theirs", theirs), ("nobodys", nobodys)):
                    started = time.perf_counter()
                    assert call(mine.client, operation, ids).status_code == 404
                    spent[name].append(time.perf_counter() - started)
            ratio = statistics.median(spent["theirs"]) / statistics.median(spent["nobodys"])
            if SAME_TIME[0] < ratio < SAME_TIME[1]:
                break
        assert SAME_TIME[0] < ratio < SAME_TIME[1], (operation, ratio)


def test_a_cursor_of_anothers_list_shows_nothing_of_it(
    every: list[Operation], new_tenant: Callable[..., Tenant]
) -> None:
    mine, other = new_tenant(), new_tenant()
    for _ in range(2):
        _document(other)
        _key(other)
    tried = 0
    for operation in every:
        if operation.method != "GET" or operation.parameters or operation.path.startswith("/api/v1/admin"):
            continue
        page = other.client.get(operation.path, params={"limit": 1})
        listed = page.status_code == 200 and page.headers["content-type"] == "application/json"
        cursor = page.json().get("next_cursor") if listed else None
        if not cursor:
            continue
        shown = {str(row.get("id", row)) for row in other.client.get(operation.path).json()["data"]}
        answer = mine.client.get(operation.path, params={"cursor": cursor})
        assert answer.status_code in (200, 400), (operation, answer.text)
        if answer.status_code == 200:
            assert not shown & {str(row.get("id", row)) for row in answer.json()["data"]}, operation
        tried += 1
    assert tried >= 2


@pytest.mark.parametrize("field", ["plan", "role", "operator", "tenant_id", "status", "scopes"])
def test_nothing_is_assigned_by_the_way(tenant: Tenant, field: str) -> None:
    for path in ("/api/v1/tenants/me", "/api/v1/users/me"):
        answer = tenant.client.put(path, json={field: "enterprise"})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
    body = {"email": f"{uuid4().hex}@example.com", "password": uuid4().hex, field: "enterprise"}
    answer = httpx.post(f"{tenant.base_url}/api/v1/auth/register", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


@pytest.mark.parametrize(
    "headers",
    [
        {"x-aisp-context": "e30.e30"},
        {"x-tenant-id": "TENANT"},
        {"x-user-id": "1", "x-operator": "true"},
        {"x-forwarded-user": "root", "x-forwarded-for": "127.0.0.1"},
    ],
)
def test_no_header_of_a_client_is_identity(
    tenant: Tenant, new_tenant: Callable[..., Tenant], headers: dict[str, str]
) -> None:
    other = new_tenant()
    sent = {name: value.replace("TENANT", other.id) for name, value in headers.items()}
    assert tenant.client.get("/api/v1/tenants/me", headers=sent).json()["id"] == tenant.id
    assert tenant.client.get("/api/v1/admin/tenants", headers=sent).status_code == 403


@pytest.mark.parametrize("path", ["//api/v1/users/me", "/api/v1//users/me", "/api/v1/users/me/", "/api/v1/users/%6de",
                                  "/api/v1/users/../users/me", "/api/v1/users/me;x=1", "/API/v1/users/me"])  # fmt: skip
def test_no_spelling_of_a_path_goes_round_who_calls(platform: Platform, path: str) -> None:
    for route in (path, path.replace("users/me", "admin/tenants").replace("%6de", "%6de")):
        with httpx.Client(base_url=platform.base_url) as nobody:
            request = nobody.build_request("GET", "/")
            request.url = request.url.copy_with(raw_path=route.encode())
            assert nobody.send(request).status_code in (401, 404), route
