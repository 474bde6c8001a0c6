"""The LanguageModel port over Anthropic's wire: what is sent, what is counted, how streams end; over real HTTP."""

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from chassis.errors import PlatformError
from chassis.http import Http
from llm_service.adapters.http import Clients, HttpLimits, ProviderHttp, Upstream
from llm_service.adapters.messages import Messages, api_key
from llm_service.adapters.wire import WireModel
from llm_service.domain.calls import Call, Dialect, Ending, Format, Tokens
from llm_service.domain.errors import ProviderBadAnswer
from llm_service.domain.models import Deployment
from tests.standins.anthropic_provider import answers, events, message, stream
from tests.standins.openai_provider import OpenAIProvider, fails, running, sends
from tests.standins.streams import read

DEPLOYMENT = Deployment("anthropic", "upstream-name")
DOCUMENT = {"model": "claude-x", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], "new_field": [1]}
BODY = orjson.dumps(DOCUMENT)
COUNTED = Tokens(input=15, cached=2, output=3, cache_written=4)


def call(**fields: Any) -> Call:
    return Call("claude-x", BODY, Format.MESSAGES, **fields)


@pytest.fixture
async def provider() -> AsyncIterator[OpenAIProvider]:
    async with running() as provider:
        provider.behaviour = answers()
        yield provider


@pytest.fixture
async def model(provider: OpenAIProvider) -> AsyncIterator[WireModel]:
    async with Http(connect_seconds=2) as http:
        address = provider.address.removesuffix("/v1")
        upstream = Upstream("anthropic", lambda: address, "sk-canary", configured=True, authorization=api_key)
        yield WireModel(
            ProviderHttp(Clients(http, http), upstream, HttpLimits(1.5, 1.5, 30, 1_000_000)),
            {Format.MESSAGES: Messages()},
        )


async def collect(model: WireModel, asked: Call) -> tuple[bytes, Ending]:
    parts: list[bytes] = []
    async for event in read(model, DEPLOYMENT, asked):
        if isinstance(event, Ending):
            return b"".join(parts), event
        parts.append(event)
    raise AssertionError("a stream without an ending")


async def test_the_document_passes_untouched_but_for_the_models_name(
    provider: OpenAIProvider, model: WireModel
) -> None:
    answer = await model.complete(DEPLOYMENT, call())
    assert orjson.loads(answer.body) == message()
    assert answer.ending == Ending(COUNTED, "end_turn")
    assert provider.received[0] == DOCUMENT | {"model": "upstream-name"}
    headers = provider.headers[0]
    assert (headers["x-api-key"], headers["anthropic-version"]) == ("sk-canary", "2023-06-01")
    assert "Authorization" not in headers
    assert "anthropic-beta" not in headers


async def test_what_the_client_says_of_the_format_is_passed(provider: OpenAIProvider, model: WireModel) -> None:
    await model.complete(DEPLOYMENT, call(dialect=Dialect("2026-10-21", ("a-2026", "b-2026"))))
    headers = provider.headers[0]
    assert (headers["anthropic-version"], headers["anthropic-beta"]) == ("2026-10-21", "a-2026,b-2026")


async def test_a_stream_comes_as_it_was_sent_and_is_counted(provider: OpenAIProvider, model: WireModel) -> None:
    sent = events(stream({"type": "thinking", "thinking": "so", "signature": "s"}, {"type": "text", "text": "Hello!"}))
    for pieces in ([sent], [sent[at : at + 7] for at in range(0, len(sent), 7)]):
        provider.behaviour = sends(*pieces)
        data, ending = await collect(model, call())
        assert data == sent
        assert ending == Ending(COUNTED, "end_turn")
    assert provider.received[0]["stream"] is True


async def test_what_is_counted_at_the_start_stands_unless_the_end_says_otherwise(
    provider: OpenAIProvider, model: WireModel
) -> None:
    documents = stream()
    documents[-2]["usage"] = {"output_tokens": 7, "cache_read_input_tokens": None}
    provider.behaviour = sends(events(documents))
    _, ending = await collect(model, call())
    assert ending.tokens == Tokens(input=15, cached=2, output=7, cache_written=4)


async def test_missing_usage_is_estimated(provider: OpenAIProvider, model: WireModel) -> None:
    documents = stream({"type": "text", "text": "word " * 20})
    del documents[0]["message"]["usage"], documents[-2]["usage"]
    provider.behaviour = sends(events(documents))
    _, ending = await collect(model, call())
    assert ending.tokens.input > 0
    assert 10 <= ending.tokens.output <= 100


async def test_tokens_are_counted_by_the_provider(provider: OpenAIProvider, model: WireModel) -> None:
    provider.behaviour = fails(200, b'{"input_tokens": 42}')
    assert await model.count(DEPLOYMENT, call()) == 42
    assert provider.paths[-1] == "/v1/messages/count_tokens"
    assert provider.received[-1] == DOCUMENT | {"model": "upstream-name"}
    for body in (b"{}", b"<html>", b'{"input_tokens": null}'):
        provider.behaviour = fails(200, body)
        with pytest.raises(ProviderBadAnswer):
            await model.count(DEPLOYMENT, call())


def told(kind: str, text: str = "boom") -> bytes:
    return b"event: error\ndata: " + orjson.dumps({"type": "error", "error": {"type": kind, "message": text}}) + b"\n\n"


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (sends(events(stream()[:3])), "PROVIDER_BAD_ANSWER"),
        (sends(events(stream()[:-1])), "PROVIDER_BAD_ANSWER"),
        (sends(events(stream()[:3]), hang=True), "PROVIDER_TIMEOUT"),
        (sends(events(stream()[:3]), reset=True), "PROVIDER_UNAVAILABLE"),
        (sends(events(stream()[:3]), told("overloaded_error")), "PROVIDER_UNAVAILABLE"),
        (sends(told("rate_limit_error")), "PROVIDER_RATE_LIMITED"),
        (sends(told("invalid_request_error")), "PROVIDER_REFUSED"),
        (sends(told("authentication_error")), "PROVIDER_NOT_CONFIGURED"),
        (sends(told("timeout_error")), "PROVIDER_TIMEOUT"),
        (sends(told("api_error")), "PROVIDER_UNAVAILABLE"),
        (sends(b"data: not json\n\n"), "PROVIDER_BAD_ANSWER"),
        (sends(b'data: {"type": "message_start"}\n\n'), "PROVIDER_BAD_ANSWER"),
    ],
    ids=["cut", "no stop", "hang", "reset", "overloaded", "limited", "refused", "key", "timeout", "api", "text", "odd"],
)
async def test_a_stream_that_fails_ends_truthfully(
    provider: OpenAIProvider, model: WireModel, behaviour: Any, reason: str
) -> None:
    provider.behaviour = behaviour
    with pytest.raises(PlatformError) as caught:
        await collect(model, call())
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("status", "kind", "reason"),
    [
        (400, "invalid_request_error", "PROVIDER_REFUSED"),
        (401, "authentication_error", "PROVIDER_NOT_CONFIGURED"),
        (403, "permission_error", "PROVIDER_NOT_CONFIGURED"),
        (404, "not_found_error", "PROVIDER_REFUSED"),
        (413, "request_too_large", "PROVIDER_REFUSED"),
        (429, "rate_limit_error", "PROVIDER_RATE_LIMITED"),
        (500, "api_error", "PROVIDER_UNAVAILABLE"),
        (529, "overloaded_error", "PROVIDER_UNAVAILABLE"),
        (200, "error", "PROVIDER_BAD_ANSWER"),
    ],
)
async def test_each_failure_has_a_typed_error(
    provider: OpenAIProvider, model: WireModel, status: int, kind: str, reason: str
) -> None:
    provider.behaviour = fails(status, told(kind).split(b"data: ")[1])
    with pytest.raises(PlatformError) as caught:
        await model.complete(DEPLOYMENT, call())
    assert caught.value.reason == reason
    if reason == "PROVIDER_REFUSED":
        assert caught.value.message == "boom"
