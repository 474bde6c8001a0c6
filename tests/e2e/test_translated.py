"""Official SDKs against models of the other format, on both base paths: anthropic's to OpenAI's format and to the local
model, openai's to Anthropic's format.
"""

from collections.abc import Callable
from typing import Any

import anthropic
import openai
import orjson
import pytest

from tests.e2e.conftest import Tenant
from tests.e2e.journeys import CALLS, HELLO, LOCAL, PIXEL, ROME, SCHEMA, TEXT, City, both, received
from tests.standins import anthropic_provider as wire
from tests.standins.openai_provider import Behaviour, OpenAIProvider, chunks, completion


@pytest.fixture(params=["", "/api"])
def base(request: pytest.FixtureRequest) -> str:
    path: str = request.param
    return path


@pytest.fixture
def sdk(tenant: Tenant, base: str) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=tenant.base_url + base, api_key=tenant.key, max_retries=0)


@pytest.fixture
def theirs(tenant: Tenant, base: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{tenant.base_url}{base}/v1", api_key=tenant.key, max_retries=0)


def test_a_stream_of_openais_format_arrives_as_messages(
    sdk: anthropic.Anthropic, served: Callable[[Behaviour], str]
) -> None:
    name = served(both(completion("It rains."), chunks("It ", "rains.")))
    with sdk.messages.stream(model=f"openai/{name}", max_tokens=50, messages=HELLO, system="Be kind.") as stream:
        assert "".join(stream.text_stream) == "It rains."
        final = stream.get_final_message()
    assert (final.stop_reason, final.usage.input_tokens, final.usage.output_tokens) == ("end_turn", 9, 2)


def test_the_local_model_is_asked_in_anthropics_format(tenant: Tenant) -> None:
    rows = tenant.client.get("/v1/models").json()["data"]
    if not any(row["id"] == LOCAL and row["health"] == "ok" for row in rows):
        pytest.skip("no local model here")
    sdk = anthropic.Anthropic(base_url=tenant.base_url, api_key=tenant.key, max_retries=0)
    asked: Any = {"model": LOCAL, "max_tokens": 12, "messages": HELLO, "system": "You are polite."}
    asked["extra_body"] = {"temperature": 0}  # the SDK's newest form knows no temperature
    answer = sdk.messages.create(**asked, stop_sequences=["\n\n\n"])
    assert answer.content[0].type == "text"
    assert answer.model == LOCAL
    assert 0 < answer.usage.output_tokens <= 12
    assert answer.usage.input_tokens + (answer.usage.cache_read_input_tokens or 0) > 10
    with sdk.messages.stream(**asked) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text == "".join(block.text for block in final.content if block.type == "text")
    assert final.usage.output_tokens > 0
    schema: Any = {"format": {"type": "json_schema", "schema": {"enum": ["rain", "sun"]}}}
    bound = sdk.messages.create(model=LOCAL, max_tokens=12, messages=HELLO, output_config=schema).content[0]
    assert bound.type == "text"
    assert bound.text in ('"rain"', '"sun"')
    with pytest.raises(anthropic.BadRequestError, match="thinking"):
        sdk.messages.create(**(asked | {"max_tokens": 2000, "thinking": {"type": "enabled", "budget_tokens": 1024}}))


def test_the_openai_sdk_asks_a_model_of_anthropics(
    theirs: openai.OpenAI, provider: OpenAIProvider, served: Callable[[Behaviour], str]
) -> None:
    name = served(wire.answers(TEXT))
    model = f"anthropic/{name}"
    answer = theirs.chat.completions.create(model=model, messages=HELLO, stop=["END"], user="u")
    assert answer.choices[0].message.content == TEXT["text"]
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.total_tokens) == (15, 18)
    sent = received(provider, name)[0]
    assert (sent["max_tokens"], sent["stop_sequences"], sent["metadata"]) == (4096, ["END"], {"user_id": "u"})
    parts = list(
        theirs.chat.completions.create(model=model, messages=HELLO, stream=True, stream_options={"include_usage": True})
    )
    assert "".join(part.choices[0].delta.content or "" for part in parts if part.choices) == TEXT["text"]
    assert parts[-1].usage is not None
    assert parts[-1].usage.completion_tokens == 3
    assert [part.choices[0].finish_reason for part in parts if part.choices][-1] == "stop"
    provider.behaviours[name] = wire.answers(ROME)
    parsed = theirs.chat.completions.parse(model=model, messages=HELLO, response_format=City)
    assert parsed.choices[0].message.parsed == City(name="Rome", people=3)
    with pytest.raises(openai.BadRequestError, match="seed") as caught:
        theirs.chat.completions.create(model=model, messages=HELLO, seed=1)
    assert caught.value.param == "seed"


def test_bare_names_of_claude_reach_it_with_what_it_writes_at_most(
    theirs: openai.OpenAI, provider: OpenAIProvider
) -> None:
    for name, most in (("claude-opus-4-1", 32_000), ("claude-of-tomorrow", 4096)):
        provider.behaviours[name] = wire.answers(TEXT)
        answer = theirs.chat.completions.create(model=name, messages=HELLO)
        assert answer.choices[0].message.content == TEXT["text"]
        assert received(provider, name)[-1]["max_tokens"] == most


def test_the_openai_sdk_calls_tools_and_shows_images_there(
    theirs: openai.OpenAI, provider: OpenAIProvider, served: Callable[[Behaviour], str]
) -> None:
    name = served(wire.answers(*CALLS, stop_reason="tool_use"))
    tools: Any = [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}]
    picture: Any = [
        {"type": "image_url", "image_url": {"url": f"data:image/gif;base64,{PIXEL}"}},
        {"type": "text", "text": "Where is it?"},
    ]
    asked: Any = {"model": f"anthropic/{name}", "tools": tools, "tool_choice": "required", "parallel_tool_calls": False}
    messages: Any = [{"role": "user", "content": picture}]
    message = theirs.chat.completions.create(messages=messages, **asked).choices[0].message
    assert message.tool_calls is not None
    assert [orjson.loads(call.function.arguments) for call in message.tool_calls] == [
        {"city": "Paris"},
        {"city": "Rome"},
    ]
    with theirs.chat.completions.stream(messages=messages, **asked) as stream:
        streamed = stream.get_final_completion().choices[0]
    assert streamed.finish_reason == "tool_calls"
    assert streamed.message.tool_calls is not None
    assert [call.id for call in streamed.message.tool_calls] == ["toolu_1", "toolu_2"]
    turns = [
        message.model_dump(exclude_none=True),
        *({"role": "tool", "tool_call_id": call["id"], "content": "rain"} for call in CALLS),
    ]
    provider.behaviours[name] = wire.answers(TEXT)
    theirs.chat.completions.create(messages=[*messages, *turns], **asked)
    first, *_, last = received(provider, name)
    assert first["tool_choice"] == {"type": "any", "disable_parallel_tool_use": True}
    assert first["messages"][0]["content"][0]["source"] == {"type": "base64", "media_type": "image/gif", "data": PIXEL}
    assert last["messages"][1]["content"] == CALLS
    assert [block["tool_use_id"] for block in last["messages"][2]["content"]] == ["toolu_1", "toolu_2"]
