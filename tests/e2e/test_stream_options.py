"""A server that imitates OpenAI and refuses `stream_options`: its streams work as directly, and usage is estimated."""

import json
import time
from collections.abc import Callable
from typing import Any

import anthropic
import openai
import pytest
from aiohttp import web

from tests.e2e.conftest import Tenant
from tests.e2e.test_streams import booked
from tests.standins.openai_provider import Behaviour, OpenAIProvider, chunks, completion, events

HELLO: Any = [{"role": "user", "content": "Tell me something about the harbour of Bergen, please."}]
WORDS = [f"word {number}, " for number in range(40)]
UNKNOWN = {"message": "Unrecognized request argument supplied: stream_options", "type": "invalid_request_error"}
EXTRA = {"type": "extra_forbidden", "loc": ["body", "stream_options"], "msg": "Extra inputs are not permitted"}
REFUSALS: list[tuple[int, dict[str, Any]]] = [(400, {"error": UNKNOWN}), (422, {"detail": [EXTRA]})]


def strict(status: int, refusal: dict[str, Any]) -> Behaviour:
    async def behave(request: web.Request, document: dict[str, Any]) -> web.StreamResponse:
        if request.path.endswith("/responses"):
            return web.json_response({"error": {"message": "Not Found"}}, status=404)
        if "stream_options" in document:
            return web.json_response(refusal, status=status)
        if not document.get("stream"):
            return web.json_response(completion("Hello!"))
        return web.Response(body=events(chunks(*WORDS)[:-1]), content_type="text/event-stream")

    return behave


@pytest.mark.parametrize(("status", "refusal"), REFUSALS, ids=["openai", "fastapi"])
def test_its_streams_come_through_and_are_estimated(
    tenant: Tenant, provider: OpenAIProvider, served: Callable[[Behaviour], str], status: int, refusal: dict[str, Any]
) -> None:
    name = served(strict(status, refusal))
    with tenant.with_key() as client:
        for attempt in (2, 1):
            before, request_id = len(provider.received), f"{name}-{attempt}"
            body = {"model": f"openai/{name}", "messages": HELLO, "stream": True}
            answer = client.post("/v1/chat/completions", json=body, headers={"X-Request-Id": request_id})
            assert answer.status_code == 200, answer.text
            told = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
            assert told == chunks(*WORDS)[:-1]
            asked = [document for document in provider.received[before:] if document["model"] == name]
            assert ["stream_options" in document for document in asked] == [True, False][-attempt:]
            row = booked(tenant, request_id)
            # 40 times "word", a number, a comma: some 160 tokens; the prompt is about ten words.
            assert (row["status"], row["estimated"]) == ("settled", True)
            assert {line["estimated"] for line in row["lines"]} == {True}
            assert 100 < row["output_tokens"] < 240
            assert 8 < row["input_tokens"] < 30
        # Who asks for the usage is told what the server says of it.
        body["stream_options"] = {"include_usage": True}
        refused = client.post("/v1/chat/completions", json=body)
        assert (refused.status_code, refused.json()["error"]["param"]) == (
            status, "stream_options" if "detail" in refusal else None)  # fmt: skip


def test_through_the_sdks_of_both_makers(tenant: Tenant, served: Callable[[Behaviour], str]) -> None:
    name = f"openai/{served(strict(*REFUSALS[0]))}"
    sdk = openai.OpenAI(base_url=f"{tenant.base_url}/v1", api_key=tenant.key, max_retries=0)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in sdk.chat.completions.create(
        model=name, messages=HELLO, stream=True) if chunk.choices)  # fmt: skip
    assert text == "".join(WORDS)
    other = anthropic.Anthropic(base_url=tenant.base_url, api_key=tenant.key, max_retries=0)
    with other.messages.stream(model=name, max_tokens=500, messages=HELLO) as stream:
        message = stream.get_final_message()
    assert message.content[0].text == "".join(WORDS)  # type: ignore[union-attr]
    assert 100 < message.usage.output_tokens < 240
    with sdk.responses.stream(model=name, input="Hello", store=False) as told:
        assert told.get_final_response().output_text == "".join(WORDS)


def test_a_row_may_say_it(
    tenant: Tenant, operator: Any, provider: OpenAIProvider, served: Callable[[Behaviour], str]
) -> None:
    upstream = served(strict(*REFUSALS[0]))
    deployment = {"provider": "openai", "upstream_model": upstream, "without_stream_options": True}
    row = {"name": f"strict/{upstream}", "deployments": [deployment]}
    assert operator.post("/api/v1/admin/models", json=row).json()["deployments"][0]["without_stream_options"] is True
    try:
        with tenant.with_key() as client:
            for _ in range(100):
                answer = client.post(
                    "/v1/chat/completions", json={"model": row["name"], "messages": HELLO, "stream": True}
                )
                if answer.status_code != 404:
                    break
                time.sleep(0.1)
        assert answer.status_code == 200, answer.text
        assert all("stream_options" not in document for document in provider.received if document["model"] == upstream)
    finally:
        operator.delete(f"/api/v1/admin/models/{row['name']}")
