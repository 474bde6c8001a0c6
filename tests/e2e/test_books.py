"""Budgets, prices, plans, webhooks, previews and exports, as tenants and operators meet them over HTTP."""

import csv
import io
import json
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx
import openai
import pytest

from tests.e2e.conftest import Tenant
from tests.e2e.test_usage import CHAT, EMBED, summary
from tests.promptness import PATIENCE


def test_the_official_sdk_sees_an_exhausted_budget_as_its_rate_limit_error(tenant: Tenant) -> None:
    assert tenant.client.post("/v1/embeddings", json=EMBED).status_code == 200
    summary(tenant, 1)
    body = {"name": "small", "measure": "tokens", "period": "day", "amount": 1, "thresholds": [1]}
    made = tenant.client.post("/api/v1/budgets", json=body)
    assert made.status_code == 201, made.text
    assert made.json()["used"] >= 1
    client = openai.OpenAI(api_key=tenant.key, base_url=f"{tenant.base_url}/v1", max_retries=0)
    chat: Any = CHAT
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(**chat)
    response = caught.value.response
    assert 1 <= int(response.headers["retry-after"]) <= 86_400
    assert caught.value.code == "rate_limit_exceeded"
    assert "tokens_per_day" in str(caught.value)
    assert '"tokens_per_day";s="tenant";threshold=1;used=' in response.headers["x-aisp-budget"]
    problem = tenant.client.post("/api/v1/services/rag/search", json={"query": "anything"}).json()
    assert (problem["code"], problem["limit"], problem["remaining"]) == ("RATE_LIMITED", "tokens_per_day", "0")
    assert tenant.client.delete(f"/api/v1/budgets/{made.json()['id']}").status_code == 204
    assert tenant.client.post("/v1/embeddings", json=EMBED).status_code == 200
    actions = [row["action"] for row in tenant.client.get("/api/v1/audit").json()["data"]]
    assert {"budget.create", "budget.delete"} <= set(actions)


def test_a_preview_says_what_would_be_and_consumes_nothing(tenant: Tenant) -> None:
    asked = {"path": "/api/v1/chat/completions", "body": CHAT}
    before = tenant.client.get("/api/v1/usage/limits").json()["data"]
    found = tenant.client.post("/api/v1/usage/preview", json=asked).json()
    assert (found["allowed"], found["binding"], found["retry_after"]) == (True, None, None)
    assert found["cost_nano_usd"] > 0
    huge = {"path": "/v1/chat/completions", "body": CHAT | {"max_tokens": 200_000}}
    found = tenant.client.post("/api/v1/usage/preview", json=huge).json()
    # Larger than the limit itself: no waiting helps.
    assert (found["allowed"], found["binding"], found["retry_after"]) == (False, "tokens_per_minute", None)
    ranked = {"path": "/v1/rerank", "body": {"query": "a", "documents": ["b", "c"]}}
    assert tenant.client.post("/api/v1/usage/preview", json=ranked).json()["estimate"]["input_tokens"] > 0
    text = {"path": "/api/v1/services/rag/documents", "body": {"text": "é" * 1000}}
    assert tenant.client.post("/api/v1/usage/preview", json=text).json()["estimate"]["storage_bytes"] == 2000
    after = tenant.client.get("/api/v1/usage/limits").json()["data"]
    spent = {row["name"]: row["used"] for row in after if row["name"].startswith(("requests", "tokens"))}
    assert spent == {row["name"]: row["used"] for row in before if row["name"] in spent}
    # Without a model the one that answers by default has its price.
    unnamed = {"path": "/api/v1/services/rag/generate", "body": {"query": "x" * 4000}}
    named = unnamed | {"body": {"query": "x" * 4000, "model": "local/smollm2-135m-instruct"}}
    costs = [tenant.client.post("/api/v1/usage/preview", json=one).json()["cost_nano_usd"] for one in (unnamed, named)]
    assert costs[0] == costs[1] > 0
    # A body is read as its route reads it, with its wishes and its errors.
    plain: Any = {"path": "/api/v1/services/rag/search", "body": {"query": "x" * 400}}
    wished = plain | {"body": plain["body"] | {"rerank": True, "rewrite": True}}
    stores = {"path": "/v1/vector_stores/vs_1/search", "body": {"query": ["x" * 400, "y"], "rewrite_query": True}}
    response: Any = {"model": CHAT["model"], "input": "Hi", "max_output_tokens": 9}
    shown = {
        "path": "/v1/responses",
        "body": response | {"tools": [{"type": "file_search", "vector_store_ids": ["vs_1"]}]},
    }
    told = [
        tuple(tenant.client.post("/api/v1/usage/preview", json=one).json()["estimate"].values())[:2]
        for one in (plain, wished, stores, shown)
    ]
    assert told[:3] == [(101, 0), (10_101, 64), (102, 128)]
    assert told[3][0] > 400
    assert told[3][1] == 9
    wrong = tenant.client.post("/api/v1/usage/preview", json=plain | {"body": {"query": " "}})
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "query")
    unknown = tenant.client.post("/api/v1/usage/preview", json={"path": "/v1/models", "body": {}})
    assert (unknown.status_code, unknown.json()["code"]) == (422, "NOT_PREVIEWED")
    assert "/api/v1/services/rag/chat" in unknown.json()["detail"]


def test_the_ledger_can_be_taken_away_as_a_file(tenant: Tenant) -> None:
    tenant.client.post("/v1/embeddings", json=EMBED, headers={"X-Request-Id": "one"})
    tenant.client.post("/v1/chat/completions", json=CHAT, headers={"X-Request-Id": "two"})
    summary(tenant, 2)
    told = tenant.client.get("/api/v1/usage/export")
    assert told.headers["content-disposition"] == 'attachment; filename="usage.csv"'
    rows = list(csv.DictReader(io.StringIO(told.text)))
    events = [json.loads(line) for line in tenant.client.get("/api/v1/usage/export?format=jsonl").text.splitlines()]
    assert [event["request_id"] for event in events] == ["one", "two"]
    total = tenant.client.get("/api/v1/usage/summary").json()["totals"]["cost_nano_usd"]
    assert sum(int(row["cost_nano_usd"]) for row in rows) == sum(event["cost_nano_usd"] for event in events) == total
    only = tenant.client.get("/api/v1/usage/events?request_id=one").json()["data"]
    assert [event["service"] for event in only] == ["embedding"]
    assert tenant.client.get("/api/v1/usage/export?from=never").status_code == 400


def test_an_operator_edits_plans_and_adds_prices(new_tenant: Callable[..., Tenant], operator: httpx.Client) -> None:
    name = f"team-{uuid4().hex[:8]}"
    plan = {"limits": {"requests_per_minute": 5, "management_requests_per_minute": 600}, "sla_percent": 99.5}
    assert operator.put(f"/api/v1/admin/plans/{name}", json=plan).json()["version"] == 1
    tenant = new_tenant(name)
    assert tenant.client.post("/v1/embeddings", json=EMBED).headers["x-ratelimit-limit-requests"] == "5"
    plan["limits"] = {"requests_per_minute": 7}
    changed = operator.put(f"/api/v1/admin/plans/{name}", json=plan).json()
    assert (changed["version"], changed["tenants"]) == (2, 1)
    assert tenant.client.post("/v1/embeddings", json=EMBED).headers["x-ratelimit-limit-requests"] == "7"
    model = f"m-{uuid4().hex}"
    price = {"provider": "openai", "model": model, "unit": "input_tokens", "nano_usd_per_million": 5}
    price["tiers"] = [{"from_input_tokens": 200_001, "nano_usd_per_million": 9}]
    added = operator.post("/api/v1/admin/prices", json={"prices": [price]})
    assert added.status_code == 201, added.text
    past = operator.post("/api/v1/admin/prices", json={"prices": [price | {"effective_at": "2026-01-02T00:00:00Z"}]})
    assert (past.status_code, past.json()["code"]) == (422, "PAST_PRICE")
    listed = operator.get(f"/api/v1/admin/prices?model={model}").json()["data"]
    assert [(row["version"], row["tiers"]) for row in listed] == [(added.json()["data"][0]["version"], price["tiers"])]
    nobody = operator.post("/api/v1/admin/prices", json={"prices": [price | {"tenant_id": str(uuid4())}]})
    assert (nobody.status_code, nobody.json()["code"]) == (404, "TENANT_NOT_FOUND")
    unknown = operator.post("/api/v1/admin/prices", json={"prices": [price | {"unit": "words"}]})
    assert (unknown.status_code, unknown.json()["errors"][0]["field"]) == (422, "prices.0.unit")
    none = operator.post(f"/api/v1/admin/tenants/{uuid4()}/markups", json={"basis_points": 1000})
    assert (none.status_code, none.json()["code"]) == (404, "TENANT_NOT_FOUND")
    markup = operator.post(f"/api/v1/admin/tenants/{tenant.id}/markups", json={"basis_points": 1000})
    assert markup.status_code == 201, markup.text
    for path in ("plans", "prices"):
        assert tenant.client.get(f"/api/v1/admin/{path}").status_code == 403


def test_a_tenants_limits_are_its_plans_until_an_operator_says_other(
    new_tenant: Callable[..., Tenant], operator: httpx.Client
) -> None:
    tenant = new_tenant("free")
    path = f"/api/v1/admin/tenants/{tenant.id}"
    plan = operator.get(path).json()["limits"]
    assert plan["requests_per_minute"] == 100
    changed = operator.patch(path, json={"limits": {"requests_per_minute": 7, "tokens_per_day": 0}}).json()
    assert changed["limits"] == plan | {"requests_per_minute": 7, "tokens_per_day": 0}
    assert operator.patch(path, json={"limits": {}}).json()["limits"] == changed["limits"]
    back = operator.patch(path, json={"limits": {"tokens_per_day": None}}).json()
    assert (back["limits"], back["own_limits"]) == (plan | {"requests_per_minute": 7}, {"requests_per_minute": 7})
    assert operator.get(path).json() == back
    for wrong in (True, "7", 1.5, -2):
        answer = operator.patch(path, json={"limits": {"requests_per_minute": wrong}})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "limits.requests_per_minute")


def test_lists_that_come_whole_are_paged_too(operator: httpx.Client) -> None:
    whole = operator.get("/api/v1/admin/prices").json()
    assert whole["next_cursor"] is None
    first = operator.get("/api/v1/admin/prices?limit=2").json()
    rest = operator.get("/api/v1/admin/prices", params={"limit": 200, "cursor": first["next_cursor"]}).json()
    assert first["data"] + rest["data"] == whole["data"][: len(rest["data"]) + 2]
    for query in ("limit=0", "limit=201", "cursor=bad"):
        assert operator.get(f"/api/v1/admin/plans?{query}").status_code == 400, query


def test_a_budget_of_nobody_is_refused(tenant: Tenant, new_tenant: Callable[..., Tenant]) -> None:
    body = {"name": "of one", "amount": 100, "measure": "tokens", "period": "day"}
    key = new_tenant().client.post("/api/v1/api-keys", json={"name": "theirs"}).json()["id"]
    for scope, nobody in (("key", "nope"), ("key", key), ("user", str(uuid4()))):
        answer = tenant.client.post("/api/v1/budgets", json=body | {"scope": scope, "subject_id": nobody})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "subject_id"), scope
    user = tenant.client.get("/api/v1/users/me").json()["id"]
    assert tenant.client.post("/api/v1/budgets", json=body | {"scope": "user", "subject_id": user}).status_code == 201
    assert tenant.client.post("/api/v1/budgets", json=body | {"amount": True}).status_code == 422


def test_a_key_is_limited_in_characters(tenant: Tenant) -> None:
    made = tenant.client.post("/api/v1/api-keys", json={"name": "k", "limits": {"characters_per_day": 10}})
    speech = {"model": "local/piper", "input": "Hello there.", "voice": "alloy"}
    headers = {"authorization": f"Bearer {made.json()['key']}"}
    refused = httpx.post(f"{tenant.base_url}/v1/audio/speech", json=speech, headers=headers)
    assert (refused.status_code, refused.json()["error"]["param"]) == (429, "characters_per_day")


def test_a_webhook_is_made_and_its_secret_told_once(tenant: Tenant, new_tenant: Callable[..., Tenant]) -> None:
    body = {"url": "https://example.com/hooks", "event_types": ["budget.threshold"]}
    made = tenant.client.post("/api/v1/webhooks", json=body)
    assert made.status_code == 201, made.text
    webhook = made.json()
    assert webhook["secret"].startswith("whsec_")
    path = f"/api/v1/webhooks/{webhook['id']}"
    assert "secret" not in tenant.client.get(path).json()
    assert tenant.client.get("/api/v1/webhooks").json()["data"][0]["url"] == body["url"]
    rotated = tenant.client.post(f"{path}/rotate-secret", json={"overlap_seconds": 60}).json()["secret"]
    assert rotated != webhook["secret"]
    assert tenant.client.get(f"{path}/deliveries").json() == {"data": [], "next_cursor": None}
    assert tenant.client.patch(path, json={"enabled": False}).json()["enabled"] is False
    inside = tenant.client.post("/api/v1/webhooks", json={"url": "https://127.0.0.1/"})
    assert (inside.status_code, inside.json()["code"]) == (422, "ADDRESS_REFUSED")
    assert new_tenant().client.get(path).status_code == 404
    assert tenant.client.delete(path).status_code == 204
    assert tenant.client.get(path).status_code == 404


def test_a_limit_that_refuses_is_told_to_webhooks_once(
    new_tenant: Callable[..., Tenant], operator: httpx.Client
) -> None:
    tenant = new_tenant()
    operator.patch(f"/api/v1/admin/tenants/{tenant.id}", json={"limits": {"requests_per_day": 1}})
    body = {"url": "https://example.com/hooks", "event_types": ["limit.exhausted"]}
    webhook = tenant.client.post("/api/v1/webhooks", json=body).json()
    statuses = [tenant.client.post("/v1/embeddings", json=EMBED).status_code for _ in range(4)]
    assert statuses == [200, 429, 429, 429]
    deadline = time.monotonic() + PATIENCE
    rows: list[Any] = []
    while not rows and time.monotonic() < deadline:
        rows = tenant.client.get(f"/api/v1/webhooks/{webhook['id']}/deliveries").json()["data"]
        time.sleep(0.1)
    assert [(row["type"], row["payload"]["data"]["limit"]) for row in rows] == [("limit.exhausted", "requests_per_day")]
