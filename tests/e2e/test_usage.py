"""What was used is on the books, with its price; limits bind exactly; the books balance."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import Tenant
from tests.promptness import PATIENCE, PROMPT

EMBED = {"model": "local/all-minilm-l6-v2", "input": "hello"}
CHAT = {"model": "local/smollm2-135m-instruct", "messages": [{"role": "user", "content": "Hi."}], "max_tokens": 4}


def summary(tenant: Tenant, requests: int) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE
    while True:
        document: dict[str, Any] = tenant.client.get("/api/v1/usage/summary").json()
        if document["totals"]["requests"] >= requests or time.monotonic() > deadline:
            return document
        time.sleep(0.1)


def test_the_usage_page_shows_what_it_cost(tenant: Tenant) -> None:
    answer = tenant.client.post("/v1/chat/completions", json=CHAT, headers={"X-Request-Id": "find-me"}).json()
    tenant.client.post("/v1/embeddings", json=EMBED)
    found = summary(tenant, 2)
    assert found["plan"] == "pro"
    assert found["totals"]["requests"] == 2
    assert found["totals"]["output_tokens"] == answer["usage"]["completion_tokens"]
    assert found["totals"]["cost_nano_usd"] > 0
    assert {row["service"] for row in found["by_service"]} == {"llm", "embedding"}
    assert sum(row["cost_nano_usd"] for row in found["by_model"]) == found["totals"]["cost_nano_usd"]
    daily = tenant.client.get("/api/v1/usage/daily").json()["data"]
    assert sum(row["requests"] for row in daily) == 2
    events = tenant.client.get("/api/v1/usage/events").json()["data"]
    chat = next(event for event in events if event["request_id"] == "find-me")
    assert (chat["service"], chat["model"], chat["provider"], chat["status"]) == (
        "llm", CHAT["model"], "local", "settled",
    )  # fmt: skip
    assert chat["price_version"]
    assert tenant.client.get("/api/v1/usage/summary?from=2026-02-30").status_code == 400


def test_exactly_the_limit_is_admitted(new_tenant: Callable[..., Tenant], operator: httpx.Client) -> None:
    tenant = new_tenant()
    limits = {"requests_per_minute": 20}
    assert operator.patch(f"/api/v1/admin/tenants/{tenant.id}", json={"limits": limits}).status_code == 200
    with tenant.with_key() as client, ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: client.post("/v1/embeddings", json=EMBED), range(60)))
    statuses = [answer.status_code for answer in answers]
    assert (statuses.count(200), statuses.count(429)) == (20, 40)
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.json()["error"]["code"] == "rate_limit_exceeded"
    assert 1 <= int(refused.headers["retry-after"]) <= 61
    assert refused.headers["x-ratelimit-remaining-requests"] == "0"


def test_an_answers_headers_say_what_is_left_after_it(tenant: Tenant) -> None:
    def remaining() -> dict[str, int]:
        found = tenant.client.get("/api/v1/usage/limits").json()["data"]
        return {row["name"]: row["remaining"] for row in found}

    chat = tenant.client.post("/v1/chat/completions", json=CHAT | {"max_tokens": 40})
    used = chat.json()["usage"]["total_tokens"]
    assert chat.headers["x-ratelimit-remaining-tokens"] == str(100_000 - used)
    assert remaining()["tokens_per_minute"] == 100_000 - used
    embedded = tenant.client.post("/v1/embeddings", json=EMBED)
    used += embedded.json()["usage"]["total_tokens"]
    assert embedded.headers["x-ratelimit-remaining-tokens"] == str(100_000 - used)
    failed = tenant.client.post("/v1/embeddings", json=EMBED | {"model": "local/no-such-model"})
    assert failed.status_code == 404
    assert failed.headers["x-ratelimit-remaining-tokens"] == str(100_000 - used)
    assert failed.headers["x-ratelimit-remaining-requests"] == str(remaining()["requests_per_day"])
    # A stream's come before its first word: they tell of what it has reserved.
    with tenant.client.stream("POST", "/v1/chat/completions", json=CHAT | {"stream": True}) as stream:
        assert int(stream.headers["x-ratelimit-remaining-tokens"]) < 100_000 - used


def test_a_plans_change_is_in_force_at_once(new_tenant: Callable[..., Tenant], operator: httpx.Client) -> None:
    tenant = new_tenant("free")
    first = tenant.client.post("/v1/embeddings", json=EMBED)
    assert first.headers["x-ratelimit-limit-requests"] == "100"
    operator.patch(f"/api/v1/admin/tenants/{tenant.id}", json={"plan": "pro"})
    second = tenant.client.post("/v1/embeddings", json=EMBED)
    assert second.headers["x-ratelimit-limit-requests"] == "1000"


def test_a_suspended_tenant_is_out_within_a_second(new_tenant: Callable[..., Tenant], operator: httpx.Client) -> None:
    tenant = new_tenant()
    operator.patch(f"/api/v1/admin/tenants/{tenant.id}", json={"status": "suspended"})
    deadline = time.monotonic() + PROMPT
    while tenant.client.get("/v1/models").status_code != 403:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert httpx.get(f"{tenant.base_url}/v1/models", headers={"x-api-key": tenant.key}).status_code == 403


def test_a_client_that_goes_away_is_charged_for_what_was_made(tenant: Tenant) -> None:
    body = CHAT | {"stream": True, "max_tokens": 200, "messages": [{"role": "user", "content": "Tell a long story."}]}
    with tenant.client.stream("POST", "/v1/chat/completions", json=body) as response:
        for _ in zip(response.iter_lines(), range(4), strict=False):
            pass
    found = summary(tenant, 1)
    assert found["totals"]["requests"] == 1
    events = tenant.client.get("/api/v1/usage/events").json()["data"]
    assert events[0]["status"] == "partial"
    assert events[0]["input_tokens"] > 0


def test_the_books_balance(operator: httpx.Client) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        books = operator.get("/api/v1/usage/invariants").json()
        assert books["admitted"] == books["settled"] + books["abandoned"] + books["live"]
        assert books["balanced"]
        if books["live"] == 0 or time.monotonic() > deadline:
            break
        time.sleep(0.1)


PAID_FOR = 315
"""Tokens, at most, of prompt and answer."""
LATE_SECONDS = 8
"""Uses are told to the meter once a second, by a process that may have to wait for its turn. Without a limit it would
go on for longer than this: to the end of the model's context.
"""


@pytest.mark.parametrize("measure", ["tokens", "cost"])
def test_a_stream_that_reaches_a_limit_ends_truthfully(
    new_tenant: Callable[..., Tenant], operator: httpx.Client, measure: str
) -> None:
    """A limit of the plan, and a budget of money (20 nano-dollars a token that is written) with a hard stop."""
    tenant = new_tenant()
    if measure == "tokens":
        limits = {"tokens_per_day": 300}
        assert operator.patch(f"/api/v1/admin/tenants/{tenant.id}", json={"limits": limits}).status_code == 200
    else:
        budget = {"name": "most", "measure": "cost_nano_usd", "period": "month", "amount": 6000, "hard_stop": True}
        made = tenant.client.post("/api/v1/budgets", json=budget)
        assert made.status_code == 201, made.text
    # No max_tokens, and without its token for "end" the model goes on until something stops it.
    body = CHAT | {"stream": True, "stream_options": {"include_usage": True}, "logit_bias": {"2": -100}}
    del body["max_tokens"]
    chunks, times, last = [], list[float](), ""
    with tenant.client.stream("POST", "/v1/chat/completions", json=body) as answer:
        assert answer.status_code == 200
        for line in answer.iter_lines():
            last = line or last
            if line.startswith("data: {"):
                chunks.append(json.loads(line.removeprefix("data: ")))
                times.append(time.monotonic())
    assert last == "data: [DONE]"
    assert chunks[-2]["choices"][0]["finish_reason"] == "length"
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["total_tokens"] > PAID_FOR - 50
    assert chunks[-1]["id"] == chunks[0]["id"]
    found = summary(tenant, 1)["totals"]
    used = found["input_tokens"] + found["output_tokens"]
    assert used > PAID_FOR - 50
    late = (used - PAID_FOR) / found["output_tokens"] * (times[-1] - times[0])
    assert late < LATE_SECONDS, f"it went on for {late:.1f} s"
    event = tenant.client.get("/api/v1/usage/events").json()["data"][0]
    assert event["status"] == "partial"
    refused = tenant.client.post("/v1/chat/completions", json=CHAT)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limit_exceeded")
