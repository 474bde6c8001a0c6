"""Streams that are asked for again under their Idempotency-Key: told once more, word for word, and charged once."""

import time
from typing import Any
from uuid import uuid4

import pytest

from tests.e2e.conftest import Tenant
from tests.e2e.test_models import CHAT, has
from tests.promptness import PATIENCE

TEXT = "The harbour crane Gottwald 7 lifts 140 tonnes. It was built in Rostock in 1998."
ASKED = {"messages": [{"role": "user", "content": "What does the crane lift?"}]}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": ("/v1/chat/completions", ASKED | {"model": CHAT, "max_tokens": 8}),
    "answer": ("/api/v1/services/rag/chat", ASKED),
    "speech": ("/v1/audio/speech", {"model": "local/piper", "voice": "joe", "input": "Good morning."}),
}


def upload(tenant: Tenant) -> None:
    made = tenant.client.post("/api/v1/services/rag/documents", json={"text": TEXT, "title": "Cranes"}).json()
    found = tenant.client.get(f"/api/v1/services/rag/documents/{made['id']}?wait=60").json()
    assert found["status"] == "ready", found


def booked(tenant: Tenant, request_ids: list[str]) -> list[dict[str, Any]]:
    """The ledger's rows of the requests, in their order."""
    deadline = time.monotonic() + PATIENCE
    while True:
        rows = {row["request_id"]: row for row in tenant.client.get("/api/v1/usage/events").json()["data"]}
        if rows.keys() >= {*request_ids}:
            return [rows[request_id] for request_id in request_ids]
        assert time.monotonic() < deadline, f"{request_ids} are not all in the books"
        time.sleep(0.2)


@pytest.mark.parametrize("case", CASES)
def test_a_stream_that_is_asked_for_again_is_the_same_and_charged_once(tenant: Tenant, case: str) -> None:
    path, body = CASES[case]
    if case == "speech" and not has(tenant, "local/piper"):
        pytest.skip("no local voice here: Piper is in no image")
    if case == "answer":
        upload(tenant)
    key, ids = str(uuid4()), [uuid4().hex for _ in range(3)]
    answers = [
        tenant.client.post(
            path, json=body if case == "speech" else body | {"stream": True},
            headers={"Idempotency-Key": key, "X-Request-Id": request_id},
        )
        for request_id in ids
    ]  # fmt: skip
    assert [answer.status_code for answer in answers] == [200] * 3, answers[0].text
    assert len({answer.content for answer in answers}) == 1
    assert [answer.headers.get("idempotency-replayed") for answer in answers] == [None, "true", "true"]
    first, *others = booked(tenant, ids)
    assert first["lines"]
    # They are in the books, and come to nothing.
    assert [(row["lines"], row["cost_nano_usd"]) for row in others] == [([], 0)] * 2
    requests = tenant.client.get("/api/v1/usage/summary").json()["totals"]["requests"]
    assert requests == 1 + (case == "answer")  # the upload
