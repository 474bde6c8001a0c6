"""The catalogue, tenants' own keys, aliases and allow lists over HTTP, as an operator and a tenant's admin use them."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.e2e.conftest import Platform, Tenant, join
from tests.promptness import PATIENCE, PROMPT
from tests.standins.openai_provider import OpenAIProvider, answers

CHAT = "/v1/chat/completions"
HELLO = [{"role": "user", "content": "Say hello."}]
OWN_KEY = "sk-own-canary-" + uuid4().hex


@pytest.fixture
def model(operator: httpx.Client, provider: OpenAIProvider) -> Iterator[str]:
    """A model of the stand-in's, with a deployment that nobody answers before it."""
    provider.behaviour = answers("Hello!")
    name = f"house/{uuid4().hex[:8]}"
    nobody = {"provider": "vllm", "upstream_model": "x", "base_url": "http://127.0.0.1:9/v1"}
    there = {"provider": "openai", "upstream_model": "served", "priority": 1}
    body = {"name": name, "deployments": [nobody, there], "context_length": 8000, "price_key": "gpt-4o-mini"}
    made = operator.post("/api/v1/admin/models", json=body)
    assert made.status_code == 201, made.text
    yield name
    assert operator.delete(f"/api/v1/admin/models/{name}").status_code == 204


def eventually(found: Callable[[], bool], seconds: float = PROMPT) -> None:
    """In force within a second."""
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end
        time.sleep(0.02)


def refused_with(tenant: Tenant, status: int, path: str, body: dict[str, Any]) -> bool:
    return tenant.client.post(path, json=body).status_code == status


def ask(tenant: Tenant, model: str) -> httpx.Response:
    with tenant.with_key() as client:
        return client.post(CHAT, json={"model": model, "messages": HELLO})


@contextmanager
def own_key(tenant: Tenant) -> Iterator[dict[str, Any]]:
    made = tenant.client.post(
        "/api/v1/provider-keys", json={"provider": "openai", "key": OWN_KEY, "name": "ours", "base_url": None}
    )
    assert made.status_code == 201, made.text
    yield made.json()
    assert tenant.client.delete(f"/api/v1/provider-keys/{made.json()['id']}").status_code == 204


def lines_of(tenant: Tenant, request_id: str) -> list[dict[str, Any]]:
    """Of the request, once it is in the ledger."""
    end = time.monotonic() + PATIENCE
    while True:
        for event in tenant.client.get("/api/v1/usage/events", params={"limit": 50}).json()["data"]:
            if event["request_id"] == request_id:
                lines: list[dict[str, Any]] = event["lines"]
                return lines
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_model_is_served_by_the_deployment_that_answers_and_says_so(tenant: Tenant, model: str) -> None:
    eventually(lambda: ask(tenant, model).status_code == 200)
    answer = ask(tenant, model)
    assert (answer.headers["x-aisp-provider"], answer.headers["x-aisp-model"]) == ("openai", "served")
    assert int(answer.headers["x-aisp-attempts"]) >= 1
    lines = lines_of(tenant, answer.headers["x-request-id"])
    assert {(line["model"], line["provider"]) for line in lines} == {("gpt-4o-mini", "openai")}
    assert all(line["cost_nano_usd"] > 0 for line in lines)
    told = tenant.client.get(f"/v1/models/{model}").json()
    assert (told["context_length"], told["providers"]) == (8000, ["vllm", "openai"])
    providers = tenant.client.get("/api/v1/services/providers").json()["data"]
    assert any(row["name"] == model for entry in providers for row in entry["models"])


def test_an_own_key_pays_and_the_ledger_says_so(platform: Platform, tenant: Tenant, provider: OpenAIProvider) -> None:
    provider.behaviour = answers("Hello!")
    platform.canaries.add(OWN_KEY)
    with own_key(tenant) as key:
        assert key["hint"] == OWN_KEY[-4:]
        assert OWN_KEY not in tenant.client.get("/api/v1/provider-keys").text
        eventually(lambda: ask(tenant, "gpt-4o-mini").headers.get("x-aisp-provider") == "own:openai")
        answer = ask(tenant, "gpt-4o-mini")
        assert provider.headers[-1]["Authorization"] == f"Bearer {OWN_KEY}"
        lines = lines_of(tenant, answer.headers["x-request-id"])
        assert {(line["provider"], line["cost_nano_usd"]) for line in lines} == {("own:openai", 0)}
        assert sum(line["amount"] for line in lines) == 12
        twice = tenant.client.post("/api/v1/provider-keys", json={"provider": "openai", "key": "other"})
        assert (twice.status_code, twice.json()["code"]) == (409, "PROVIDER_KEY_EXISTS")
    eventually(lambda: ask(tenant, "gpt-4o-mini").headers.get("x-aisp-provider") == "openai")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"provider": "vllm", "key": "x", "base_url": "https://127.0.0.1/v1"}, "base_url"),
        ({"provider": "vllm", "key": "x", "base_url": "https://169.254.169.254/"}, "base_url"),
        ({"provider": "vllm", "key": "x", "base_url": "https://metadata.internal/v1"}, "base_url"),
        ({"provider": "vllm", "key": "x"}, "base_url"),
        ({"provider": "openai", "key": "with space"}, "key"),
        ({"provider": "openai", "key": ""}, "key"),
        ({"provider": "local", "key": "x"}, "provider"),
    ],
)
def test_what_cannot_be_a_key_is_refused_with_its_field(tenant: Tenant, body: dict[str, str], field: str) -> None:
    answer = tenant.client.post("/api/v1/provider-keys", json=body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"] == field


def test_aliases_and_allow_lists_are_a_tenants_own(
    tenant: Tenant, new_tenant: Callable[..., Tenant], model: str
) -> None:
    assert tenant.client.put("/api/v1/models/aliases/team/fast", json={"model": model}).status_code == 200
    eventually(lambda: ask(tenant, "team/fast").status_code == 200)
    listed = {row["id"]: row for row in tenant.client.get("/v1/models").json()["data"]}
    assert listed["team/fast"]["alias_of"] == model
    assert ask(new_tenant(), "team/fast").status_code == 404
    allowed = tenant.client.put("/api/v1/models/allowed", json={"models": ["team/*"]})
    assert allowed.json()["allowed"] == ["team/*"]
    eventually(lambda: ask(tenant, model).status_code == 403)
    refused = ask(tenant, model).json()["error"]
    assert (refused["code"], refused["type"], refused["param"]) == ("model_not_allowed", "permission_error", "model")
    assert ask(tenant, "team/fast").status_code == 200
    # Every model, of whichever service: the list binds what a tenant can call, and is all that it is shown.
    assert {row["id"] for row in tenant.client.get("/v1/models").json()["data"]} == {"team/fast"}
    embed = {"model": "local/all-minilm-l6-v2", "input": "x"}
    for path, body in (
        ("/v1/embeddings", embed),
        ("/v1/rerank", {"query": "x", "documents": ["y"]}),
        ("/v1/audio/speech", {"model": "local/piper", "input": "x"}),
        ("/api/v1/services/rag/generate", {"query": "x", "model": model}),
        # The one that the platform would choose.
        ("/api/v1/services/rag/generate", {"query": "x"}),
    ):
        eventually(partial(refused_with, tenant, 403, path, body))
    unknown = tenant.client.post("/api/v1/services/rag/generate", json={"query": "x", "model": "no-such-model"})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "MODEL_NOT_FOUND")
    assert tenant.client.put("/api/v1/models/allowed", json={"models": ["local/*", "team/*"]}).status_code == 200
    eventually(lambda: tenant.client.post("/v1/embeddings", json=embed).status_code == 200)
    assert tenant.client.delete("/api/v1/models/aliases/team/fast").status_code == 204
    assert tenant.client.delete("/api/v1/models/aliases/team/fast").status_code == 404


def test_under_a_budget_of_money_every_name_has_its_price(tenant: Tenant, model: str) -> None:
    budget = {"name": "small", "measure": "cost_nano_usd", "period": "day", "amount": 10**9}
    assert tenant.client.post("/api/v1/budgets", json=budget).status_code == 201
    assert tenant.client.put("/api/v1/models/aliases/team/fast", json={"model": model}).status_code == 200
    # The row's price_key and the alias: neither name is in the price book.
    eventually(lambda: ask(tenant, "team/fast").status_code == 200)
    assert ask(tenant, model).status_code == 200
    unknown = ask(tenant, "no-such-model")
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "model_not_found")
    asked = {"path": CHAT, "body": {"model": "team/fast", "messages": HELLO}}
    assert tenant.client.post("/api/v1/usage/preview", json=asked).json()["cost_nano_usd"] > 0


def test_an_operator_grants_models_to_a_tenant(operator: httpx.Client, tenant: Tenant) -> None:
    path = f"/api/v1/admin/tenants/{tenant.id}/models"
    assert operator.put(path, json={"models": ["local/*"]}).json()["granted"] == ["local/*"]
    eventually(lambda: ask(tenant, "gpt-4o-mini").status_code == 403)
    assert tenant.client.put("/api/v1/models/allowed", json={"models": None}).json()["granted"] == ["local/*"]
    assert operator.get(path).json()["granted"] == ["local/*"]
    assert operator.put(f"/api/v1/admin/tenants/{uuid4()}/models", json={"models": None}).status_code == 404


def test_who_may_not_does_not(tenant: Tenant, operator: httpx.Client) -> None:
    viewer = join(tenant, "viewer")
    for method, path, body in (
        ("POST", "/api/v1/provider-keys", {"provider": "openai", "key": "x"}),
        ("PUT", "/api/v1/models/allowed", {"models": None}),
        ("PUT", "/api/v1/models/aliases/x", {"model": "gpt-4o"}),
        ("POST", "/api/v1/admin/models", {"name": "x", "deployments": [{"provider": "openai", "upstream_model": "x"}]}),
        ("DELETE", "/api/v1/admin/models/gpt-4o", None),
        ("GET", "/api/v1/admin/provider-keys", None),
    ):
        assert viewer.client.request(method, path, json=body).status_code == 403, path


def test_a_row_that_cannot_be_names_its_fields_and_a_change_is_recorded(operator: httpx.Client, model: str) -> None:
    bad = {"name": "x", "deployments": [{"provider": "nobody", "upstream_model": "x"}]}
    refused = operator.post("/api/v1/admin/models", json=bad)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "deployments.0.provider"
    assert operator.put("/api/v1/admin/models/no-such", json={"deployments": bad["deployments"]}).status_code == 422
    body = {"deployments": [{"provider": "openai", "upstream_model": "other"}]}
    changed = operator.put(f"/api/v1/admin/models/{model}", json=body)
    assert changed.json()["deployments"][0]["upstream_model"] == "other"
    assert operator.put("/api/v1/admin/models/no-such", json=body).status_code == 404
    assert model in {row["name"] for row in operator.get("/api/v1/admin/models").json()["data"]}
