"""The official anthropic SDK's journeys, on both base paths: against a provider of its own format, and against one of
OpenAI's through translation.
"""

import time
from collections.abc import Callable
from typing import Any

import anthropic
import httpx
import pytest
from aiohttp import web

from tests.e2e.conftest import Tenant
from tests.e2e.journeys import (
    CALLS,
    HELLO,
    LOCAL,
    PIXEL,
    ROME,
    TEXT,
    TOOL,
    City,
    both,
    calling,
    headers,
    received,
    told,
)
from tests.promptness import PATIENCE
from tests.standins import anthropic_provider as wire
from tests.standins.openai_provider import Behaviour, OpenAIProvider, completion, fails


@pytest.fixture(params=["", "/api"])
def base(request: pytest.FixtureRequest) -> str:
    path: str = request.param
    return path


@pytest.fixture
def sdk(tenant: Tenant, base: str) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=tenant.base_url + base, api_key=tenant.key, max_retries=0)


def test_plain_and_streamed_as_the_provider_says_it(
    sdk: anthropic.Anthropic, provider: OpenAIProvider, served: Callable[[Behaviour], str]
) -> None:
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "sig"}
    name = served(wire.answers(thought, TEXT))
    raw = sdk.messages.with_raw_response.create(
        model=f"anthropic/{name}", max_tokens=50, messages=HELLO, extra_headers={"anthropic-beta": "a-2026, b-2026"}
    )
    answer = raw.parse()
    assert [block.to_dict() for block in answer.content] == [thought, TEXT]
    assert (answer.stop_reason, answer.usage.cache_read_input_tokens, answer.usage.output_tokens) == ("end_turn", 2, 3)
    assert raw.headers["x-aisp-provider"] == "anthropic"
    assert answer._request_id == raw.headers["x-request-id"]
    said = headers(provider, name)
    assert (said["anthropic-version"], said["anthropic-beta"]) == ("2026-10-21", "a-2026,b-2026")
    assert said["x-api-key"] == "sk-upstream-canary"
    with sdk.messages.stream(model=f"anthropic/{name}", max_tokens=50, messages=HELLO) as stream:
        assert "".join(stream.text_stream) == TEXT["text"]
        final = stream.get_final_message()
    assert [block.to_dict(exclude_none=True) for block in final.content] == [thought, TEXT]
    assert final.usage.cache_creation_input_tokens == 4
    names = [
        event.type
        for event in sdk.messages.create(model=f"anthropic/{name}", max_tokens=5, messages=HELLO, stream=True)
    ]
    assert (names[0], names[-2:]) == ("message_start", ["message_delta", "message_stop"])


def test_models_are_listed_for_this_sdk_too(sdk: anthropic.Anthropic) -> None:
    listed = {model.id: model for model in sdk.models.list()}
    assert listed["claude-sonnet-4-5"].type == "model"
    assert listed[LOCAL].display_name == LOCAL
    found = sdk.models.retrieve("claude-sonnet-4-5")
    assert (found.id, found.created_at.year >= 2025) == ("claude-sonnet-4-5", True)


@pytest.mark.parametrize("maker", ["anthropic", "openai"])
def test_tools_parallel_calls_and_their_results(
    sdk: anthropic.Anthropic, provider: OpenAIProvider, served: Callable[[Behaviour], str], maker: str
) -> None:
    name = served(wire.answers(*CALLS, stop_reason="tool_use") if maker == "anthropic" else calling())
    asked: Any = {"model": f"{maker}/{name}", "max_tokens": 50, "tools": [TOOL], "tool_choice": {"type": "any"}}
    answer = sdk.messages.create(messages=HELLO, **asked)
    with sdk.messages.stream(messages=HELLO, **asked) as stream:
        final = stream.get_final_message()
    whole_and_streamed: Any = (answer, final)
    for found in whole_and_streamed:
        assert found.stop_reason == "tool_use"
        told = [(block.id, block.name, block.input) for block in found.content if block.type == "tool_use"]
        assert told == [(call["id"], call["name"], call["input"]) for call in CALLS]
    results: Any = [
        {"type": "tool_result", "tool_use_id": "toolu_1", "content": "rain"},
        {"type": "tool_result", "tool_use_id": "toolu_2", "content": "no such city", "is_error": True},
    ]
    provider.behaviours[name] = wire.answers(TEXT) if maker == "anthropic" else both(completion(str(TEXT["text"])), [])
    turn: Any = {"role": "assistant", "content": [block.to_dict() for block in answer.content]}
    last = sdk.messages.create(messages=[*HELLO, turn, {"role": "user", "content": results}], **asked)
    assert last.content[0].to_dict() == TEXT
    sent = received(provider, name)[-1]
    if maker == "anthropic":
        assert sent["messages"][-1]["content"] == results
        return
    assert sent["tool_choice"] == "required"
    assert sent["messages"][-2:] == [
        {"role": "tool", "tool_call_id": "toolu_1", "content": "rain"},
        {"role": "tool", "tool_call_id": "toolu_2", "content": "[tool error] no such city"},
    ]
    assert [call["id"] for call in sent["messages"][1]["tool_calls"]] == ["toolu_1", "toolu_2"]


@pytest.mark.parametrize("maker", ["anthropic", "openai"])
def test_images_and_files(
    sdk: anthropic.Anthropic, provider: OpenAIProvider, served: Callable[[Behaviour], str], maker: str
) -> None:
    name = served(wire.answers(TEXT) if maker == "anthropic" else both(completion("A pixel."), []))
    blocks: Any = [
        {"type": "image", "source": {"type": "base64", "media_type": "image/gif", "data": PIXEL}},
        {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PIXEL}},
        {"type": "text", "text": "What is it?"},
    ]
    sdk.messages.create(model=f"{maker}/{name}", max_tokens=9, messages=[{"role": "user", "content": blocks}])
    sent = received(provider, name)[0]["messages"][0]["content"]
    if maker == "anthropic":
        assert sent == blocks
    else:
        assert [part["type"] for part in sent] == ["image_url", "image_url", "file", "text"]
        assert sent[0]["image_url"]["url"] == f"data:image/gif;base64,{PIXEL}"


@pytest.mark.parametrize("maker", ["anthropic", "openai"])
def test_structured_parse(
    sdk: anthropic.Anthropic, provider: OpenAIProvider, served: Callable[[Behaviour], str], maker: str
) -> None:
    name = served(wire.answers(ROME) if maker == "anthropic" else both(completion(str(ROME["text"])), []))
    answer = sdk.messages.parse(model=f"{maker}/{name}", max_tokens=50, messages=HELLO, output_format=City)
    assert answer.parsed_output == City(name="Rome", people=3)
    sent = received(provider, name)[0]
    wanted = sent["output_config"]["format"] if maker == "anthropic" else sent["response_format"]["json_schema"]
    assert set(wanted["schema"]["properties"]) == {"name", "people"}


def test_tokens_are_counted_or_estimated_and_nothing_is_used(
    sdk: anthropic.Anthropic, tenant: Tenant, provider: OpenAIProvider, served: Callable[[Behaviour], str]
) -> None:
    asked: Any = {"messages": HELLO, "system": "You are polite.", "tools": [TOOL]}
    name = served(fails(200, b'{"input_tokens": 42}'))
    counted = sdk.messages.with_raw_response.count_tokens(model=f"anthropic/{name}", **asked)
    assert (counted.parse().input_tokens, counted.headers["x-aisp-tokens"]) == (42, "counted")
    assert provider.paths[-1] == "/v1/messages/count_tokens"
    assert headers(provider, name)["anthropic-version"] == "2026-10-21"
    provider.behaviours[name] = fails(529, told("overloaded_error"))
    for model in (f"anthropic/{name}", "openai/gpt-4o"):
        estimated = sdk.messages.with_raw_response.count_tokens(model=model, **asked)
        assert 20 < estimated.parse().input_tokens < 600
        assert estimated.headers["x-aisp-tokens"] == "estimated"
    with pytest.raises(anthropic.NotFoundError):
        sdk.messages.count_tokens(model="no-such-model", **asked)
    with pytest.raises(anthropic.BadRequestError, match="messages"):
        sdk.messages.count_tokens(model="openai/gpt-4o", messages=[])
    assert tenant.client.get("/api/v1/usage/events").json()["data"] == []


def test_the_local_models_count_is_what_it_reads(tenant: Tenant) -> None:
    rows = tenant.client.get("/v1/models").json()["data"]
    if not any(row["id"] == LOCAL and row["health"] == "ok" for row in rows):
        pytest.skip("no local model here")
    sdk = anthropic.Anthropic(base_url=tenant.base_url, api_key=tenant.key, max_retries=0)
    asked: Any = {"model": LOCAL, "messages": HELLO, "system": "You are polite and brief."}
    counted = sdk.messages.with_raw_response.count_tokens(**asked)
    assert counted.headers["x-aisp-tokens"] == "counted"
    usage = sdk.messages.create(**asked, max_tokens=1).usage
    assert counted.parse().input_tokens == usage.input_tokens + (usage.cache_read_input_tokens or 0)


def test_what_was_used_is_booked_by_its_kinds(tenant: Tenant, served: Callable[[Behaviour], str]) -> None:
    searched = {"web_search_requests": 3, "web_fetch_requests": 1}
    thought = {"output_tokens": 5, "output_tokens_details": {"thinking_tokens": 2}}
    usage = wire.USAGE | thought | {"server_tool_use": searched}

    async def thinks(_request: web.Request, _document: dict[str, Any]) -> web.StreamResponse:
        return web.json_response(wire.message(TEXT, usage=usage))

    with tenant.with_key() as client:
        body = {"model": f"anthropic/{served(thinks)}", "max_tokens": 9, "messages": HELLO}
        assert client.post("/v1/messages", json=body).status_code == 200
    row = _event(tenant.client, body["model"])
    amounts = {line["unit"]: line["amount"] for line in row["lines"]}
    assert amounts == {
        "input_tokens": 9, "cache_write_tokens": 4, "cached_input_tokens": 2, "output_tokens": 3, "reasoning_tokens": 2,
        "web_searches": 3,
    }  # fmt: skip
    assert (row["input_tokens"], row["output_tokens"]) == (15, 5)


def _event(client: httpx.Client, model: Any) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        for row in client.get("/api/v1/usage/events").json()["data"]:
            if row["model"] == model:
                return dict(row)
        time.sleep(0.2)
    raise AssertionError("not booked")
