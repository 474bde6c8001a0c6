"""A client of one format and a provider of the other, over real HTTP: the wrapper, with the adapters behind it."""

import time
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from chassis.errors import PlatformError
from chassis.http import Http
from llm_service.adapters.chat_completions import ChatCompletions
from llm_service.adapters.http import Clients, HttpLimits, ProviderHttp, Upstream
from llm_service.adapters.messages import Messages, api_key
from llm_service.adapters.wire import Wire, WireModel
from llm_service.app.providers import translating
from llm_service.domain.calls import Call, Dialect, Ending, Format, LanguageModel, Tokens
from llm_service.domain.errors import Unsupported
from llm_service.domain.models import Deployment
from llm_service.service.learned import Learned
from tests.standins import anthropic_provider as anthropic
from tests.standins.openai_provider import OpenAIProvider, answers, chunks, events, fails, running, sends
from tests.standins.streams import read

DEPLOYMENT = Deployment("any", "upstream-name")
HELLO = [{"role": "user", "content": "hi"}]
MESSAGES = {"model": "m", "max_tokens": 9, "messages": HELLO, "system": "Be kind.", "stop_sequences": ["END"]}
CHAT = {"model": "m", "messages": [{"role": "system", "content": "Be kind."}, *HELLO], "stop": ["END"]}


def call(document: dict[str, Any], form: Format, **fields: Any) -> Call:
    return Call("m", orjson.dumps(document), form, **fields)


@pytest.fixture
async def provider() -> AsyncIterator[OpenAIProvider]:
    async with running() as provider:
        yield provider


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    async with Http(connect_seconds=2) as http:
        yield http


def model(provider: OpenAIProvider, http: Http, form: Format) -> LanguageModel:
    chat = form is Format.CHAT_COMPLETIONS
    wire: Wire = ChatCompletions() if chat else Messages()
    address = provider.address if chat else provider.address.removesuffix("/v1")
    upstream = Upstream("any", lambda: address, "sk", configured=True, authorization=api_key)
    over = ProviderHttp(Clients(http, http), upstream, HttpLimits(20, 20, 60, 1_000_000))
    return translating(WireModel(over, {form: wire}), 1000, Learned(time.monotonic))


async def collect(found: LanguageModel, asked: Call) -> tuple[list[dict[str, Any]], Ending]:
    data = b""
    async for event in read(found, DEPLOYMENT, asked):
        if isinstance(event, Ending):
            lines = (line[6:] for line in data.splitlines() if line.startswith(b"data: "))
            return [orjson.loads(line) for line in lines], event
        data += event
    raise AssertionError("a stream without an ending")


async def test_messages_over_a_provider_of_chat(provider: OpenAIProvider, http: Http) -> None:
    found = model(provider, http, Format.CHAT_COMPLETIONS)
    provider.behaviour = answers("Hello!")
    answer = await found.complete(DEPLOYMENT, call(MESSAGES, Format.MESSAGES, dialect=Dialect("2026-10-21", ("x",))))
    assert provider.received[0] == CHAT | {"model": "upstream-name", "max_completion_tokens": 9}
    assert not any(name.lower().startswith("anthropic") for name in provider.headers[0])
    told = orjson.loads(answer.body)
    assert told["content"] == [{"type": "text", "text": "Hello!"}]
    assert (told["stop_reason"], told["usage"]["input_tokens"], told["usage"]["output_tokens"]) == ("end_turn", 9, 3)
    assert answer.ending.tokens == Tokens(9, 0, 3)
    provider.behaviour = sends(events(chunks("Hel", "lo!")))
    told_events, ending = await collect(found, call(MESSAGES | {"stream": True}, Format.MESSAGES))
    assert [event["type"] for event in told_events] == [
        "message_start", "content_block_start", "content_block_delta", "content_block_delta", "content_block_stop",
        "message_delta", "message_stop",
    ]  # fmt: skip
    assert told_events[-2]["usage"]["input_tokens"] == 9
    assert ending.tokens == Tokens(9, 0, 2)


async def test_chat_over_a_provider_of_messages(provider: OpenAIProvider, http: Http) -> None:
    found = model(provider, http, Format.MESSAGES)
    provider.behaviour = anthropic.answers({"type": "text", "text": "Hello!"})
    answer = await found.complete(DEPLOYMENT, call(CHAT, Format.CHAT_COMPLETIONS))
    assert provider.received[0] == MESSAGES | {"model": "upstream-name", "max_tokens": 1000}
    await found.complete(DEPLOYMENT, call(CHAT, Format.CHAT_COMPLETIONS, max_output_tokens=77))
    assert provider.received[1]["max_tokens"] == 77
    told = orjson.loads(answer.body)
    assert told["choices"][0]["message"]["content"] == "Hello!"
    assert (told["usage"]["prompt_tokens"], told["usage"]["prompt_tokens_details"]["cached_tokens"]) == (15, 2)
    for counted in (True, False):
        asked = call(CHAT | {"stream": True}, Format.CHAT_COMPLETIONS, include_usage=counted)
        told_chunks, ending = await collect(found, asked)
        said = "".join(choice["delta"].get("content") or "" for chunk in told_chunks for choice in chunk["choices"])
        assert said == "Hello!"
        assert [chunk["usage"]["total_tokens"] for chunk in told_chunks if chunk.get("usage")] == [18] * counted
        assert ending.tokens == Tokens(15, 2, 3, 4)


async def test_responses_over_a_provider_of_messages(provider: OpenAIProvider, http: Http) -> None:
    found = model(provider, http, Format.MESSAGES)
    provider.behaviour = anthropic.answers({"type": "text", "text": "Hello!"})
    asked = {"model": "m", "input": "hi", "instructions": "Be kind.", "max_output_tokens": 9}
    answer = await found.complete(DEPLOYMENT, call(asked, Format.RESPONSES))
    received = {key: value for key, value in MESSAGES.items() if key != "stop_sequences"}
    assert provider.received[0] == received | {"model": "upstream-name"}
    told = orjson.loads(answer.body)
    assert told["output"][0]["content"][0]["text"] == "Hello!"
    assert told["usage"]["input_tokens"] == 15
    events_told, ending = await collect(found, call(asked | {"stream": True}, Format.RESPONSES))
    assert events_told[-1]["type"] == "response.completed"
    assert ending.tokens.output == 3


async def test_what_is_spoken_passes_as_it_is(provider: OpenAIProvider, http: Http) -> None:
    found = model(provider, http, Format.MESSAGES)
    provider.behaviour = anthropic.answers()
    await found.complete(DEPLOYMENT, call(MESSAGES | {"container": "c"}, Format.MESSAGES))
    assert provider.received[0] == MESSAGES | {"model": "upstream-name", "container": "c"}
    assert [form for form in Format if not found.speaks(form)] == [Format.COMPLETIONS]
    with pytest.raises(Unsupported):
        await found.complete(DEPLOYMENT, call({"model": "m", "prompt": "hi"}, Format.COMPLETIONS))


async def test_what_the_target_cannot_is_refused_before_it_is_asked(provider: OpenAIProvider, http: Http) -> None:
    found = model(provider, http, Format.MESSAGES)
    with pytest.raises(Unsupported, match="seed"):
        await found.complete(DEPLOYMENT, call(CHAT | {"seed": 1}, Format.CHAT_COMPLETIONS))
    with pytest.raises(Unsupported, match="seed"):
        await collect(found, call(CHAT | {"seed": 1}, Format.CHAT_COMPLETIONS))
    assert not provider.received


async def test_the_local_engines_refusals_are_in_the_clients_words(provider: OpenAIProvider, http: Http) -> None:
    upstream = Upstream("local", lambda: provider.address, "", configured=True, local=True)
    over = ProviderHttp(Clients(http, http), upstream, HttpLimits(20, 20, 60, 1_000_000))
    found = translating(
        WireModel(over, {Format.CHAT_COMPLETIONS: ChatCompletions(local=True)}), 1000, Learned(time.monotonic)
    )
    asked = call(MESSAGES | {"thinking": {"type": "enabled", "budget_tokens": 5000}}, Format.MESSAGES)
    for attempt in (found.complete(DEPLOYMENT, asked), collect(found, asked)):
        with pytest.raises(Unsupported, match="thinking") as caught:
            await attempt
        assert caught.value.metadata["param"] == "thinking"


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (sends(events(chunks("a")[:1], done=False)), "PROVIDER_BAD_ANSWER"),
        (sends(events(chunks("a")[:1], done=False), b'data: {"error":{"message":"x"}}\n\n'), "PROVIDER_UNAVAILABLE"),
        (fails(429, b"{}"), "PROVIDER_RATE_LIMITED"),
        (fails(400, b'{"error":{"message":"bad temperature","param":"temperature"}}'), "PROVIDER_REFUSED"),
    ],
    ids=["cut", "error event", "429", "400"],
)
async def test_failures_pass_through(provider: OpenAIProvider, http: Http, behaviour: Any, reason: str) -> None:
    provider.behaviour = behaviour
    with pytest.raises(PlatformError) as caught:
        await collect(model(provider, http, Format.CHAT_COMPLETIONS), call(MESSAGES, Format.MESSAGES))
    assert caught.value.reason == reason
