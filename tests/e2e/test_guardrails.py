"""Guardrails over HTTP: an admin makes them, the local model's callers meet them within a second."""

import time
from typing import Any

import openai
import pytest

from tests.e2e.conftest import Tenant, join
from tests.promptness import PATIENCE

CHAT = "local/smollm2-135m-instruct"
CARD = "4111 1111 1111 1111"


def make(tenant: Tenant, **body: Any) -> dict[str, Any]:
    made = tenant.client.post("/api/v1/guardrails", json={"name": "rule", **body})
    assert made.status_code == 201, made.text
    time.sleep(0.6)  # in force within a second: what was read of them holds for half of one
    document: dict[str, Any] = made.json()
    return document


def sdk(tenant: Tenant) -> openai.OpenAI:
    return openai.OpenAI(base_url=tenant.base_url + "/v1", api_key=tenant.key, max_retries=0)


def ask(text: str) -> Any:
    return {"model": CHAT, "messages": [{"role": "user", "content": text}], "max_tokens": 16, "temperature": 0}


def test_an_admin_makes_changes_tries_and_removes_them(tenant: Tenant) -> None:
    pii = make(tenant, kind="pii", action="rewrite", rules={"entities": ["email"]})
    assert (pii["phases"], pii["enabled"], pii["has_authorization"]) == (["input", "output"], True, False)
    trial = {"text": f"Write to ada@example.com about {CARD}."}
    tried = tenant.client.post("/api/v1/guardrails/test", json=trial).json()
    assert tried == {"action": "rewrite", "text": f"Write to [EMAIL] about {CARD}.", "found": {"rule": 1}}
    changed = {"name": "cards", "kind": "pii", "action": "refuse", "rules": {"entities": ["credit_card"]}}
    assert tenant.client.put(f"/api/v1/guardrails/{pii['id']}", json=changed).json()["action"] == "refuse"
    tried = tenant.client.post("/api/v1/guardrails/test", json=trial).json()
    assert tried == {"action": "refuse", "text": "", "found": {"cards": 1}}
    assert [row["id"] for row in tenant.client.get("/api/v1/guardrails").json()["data"]] == [pii["id"]]
    assert tenant.client.get(f"/api/v1/guardrails/{pii['id']}").json()["name"] == "cards"
    assert tenant.client.delete(f"/api/v1/guardrails/{pii['id']}").status_code == 204
    assert tenant.client.get(f"/api/v1/guardrails/{pii['id']}").status_code == 404
    actions = [row["action"] for row in tenant.client.get("/api/v1/audit").json()["data"]]
    assert {"guardrail.create", "guardrail.update", "guardrail.delete"} <= set(actions)
    developer = join(tenant, "developer")
    assert developer.client.get("/api/v1/guardrails").status_code == 403


def test_bad_rules_are_named(tenant: Tenant) -> None:
    body = {"name": "rule", "kind": "pattern", "action": "refuse", "rules": {"patterns": ["("]}}
    refused = tenant.client.post("/api/v1/guardrails", json=body)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "rules.patterns.0"
    body = {"name": "rule", "kind": "http", "action": "refuse", "rules": {"url": "https://169.254.169.254/"}}
    assert tenant.client.post("/api/v1/guardrails", json=body).status_code == 422


def test_what_is_asked_is_refused_before_a_model_reads_it(tenant: Tenant) -> None:
    make(tenant, kind="pii", phases=["input"], action="refuse", rules={"entities": ["credit_card"]})
    with pytest.raises(openai.BadRequestError) as caught:
        sdk(tenant).chat.completions.create(**ask(f"My card is {CARD}."))
    assert caught.value.code == "content_filter"
    assert CARD not in str(caught.value)
    with pytest.raises(openai.BadRequestError):
        sdk(tenant).chat.completions.create(**ask(f"My card is {CARD}."), stream=True)
    assert sdk(tenant).chat.completions.create(**ask("My card is blue.")).choices[0].message.content
    totals = tenant.client.get("/api/v1/usage/invariants")
    assert totals.status_code == 403


def test_what_is_said_is_rewritten_plain_and_streamed(tenant: Tenant) -> None:
    rules = {"patterns": ["[A-Za-z]+"], "replacement": "*"}
    make(tenant, kind="pattern", phases=["output"], action="rewrite", rules=rules)
    plain = sdk(tenant).chat.completions.create(**ask("Say hello."))
    assert plain.choices[0].message.content
    assert not any(letter.isascii() and letter.isalpha() for letter in plain.choices[0].message.content)
    chunks = list(sdk(tenant).chat.completions.create(**ask("Say hello."), stream=True))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert "*" in text
    assert not any(letter.isascii() and letter.isalpha() for letter in text)
    assert chunks[-1].choices[0].finish_reason in ("stop", "length")


def test_an_answer_that_is_held_back_says_so_and_is_metered(tenant: Tenant) -> None:
    make(tenant, kind="pattern", phases=["output"], action="refuse", rules={"patterns": ["[A-Za-z]"]})
    plain = sdk(tenant).chat.completions.create(**ask("Say hello."))
    assert (plain.choices[0].finish_reason, plain.choices[0].message.content) == ("content_filter", None)
    assert plain.usage
    chunks = list(sdk(tenant).chat.completions.create(**ask("Say hello."), stream=True))
    assert chunks[-1].choices[0].finish_reason == "content_filter"
    assert not any(chunk.choices[0].delta.content for chunk in chunks if chunk.choices)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        totals = tenant.client.get("/api/v1/usage/summary").json()["totals"]
        if totals["requests"] >= 2:
            break
        time.sleep(0.2)
    assert totals["output_tokens"] > 0
