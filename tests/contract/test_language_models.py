"""The LanguageModel port over OpenAI's wire: faults, streams split anywhere, and recorded traffic, over real HTTP."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.errors import PlatformError
from chassis.http import Http
from llm_service.adapters.chat_completions import ChatCompletions
from llm_service.adapters.http import Clients, HttpLimits, ProviderHttp, Upstream
from llm_service.adapters.wire import WireModel
from llm_service.domain.calls import Call, Ending, Format, Tokens
from llm_service.domain.errors import ProviderBadAnswer, ProviderUnavailable
from llm_service.domain.models import Deployment
from llm_service.policy.sse import EventSplitter, data_of
from tests.promptness import PROMPT
from tests.standins.openai_provider import OpenAIProvider, answers, chunks, completion, events, fails, running, sends
from tests.standins.streams import read

RECORDINGS = Path(os.environ.get("AISP_RECORDINGS", "../shared/recordings/provider-traffic.jsonl"))
DEPLOYMENT = Deployment("openai", "upstream-name")
BODY = orjson.dumps({"model": "gpt-x", "messages": [{"role": "user", "content": "hi"}], "new_field": {"kept": True}})


def over_http(http: Http, upstream: Upstream, limits: HttpLimits) -> WireModel:
    return WireModel(ProviderHttp(Clients(http, http), upstream, limits), {Format.CHAT_COMPLETIONS: ChatCompletions()})


@pytest.fixture
async def provider() -> AsyncIterator[OpenAIProvider]:
    async with running() as provider:
        yield provider


@pytest.fixture
async def model(provider: OpenAIProvider) -> AsyncIterator[WireModel]:
    async with Http(connect_seconds=2) as http:
        upstream = Upstream("openai", lambda: provider.address, "sk-canary", configured=True)
        yield over_http(http, upstream, HttpLimits(1.5, 1.5, 30, 1_000_000))


async def collect(model: WireModel, call: Call) -> tuple[bytes, Ending]:
    parts: list[bytes] = []
    async for event in read(model, DEPLOYMENT, call):
        if isinstance(event, Ending):
            return b"".join(parts), event
        parts.append(event)
    raise AssertionError("a stream without an ending")


async def test_the_document_passes_untouched_but_for_the_models_name(
    provider: OpenAIProvider, model: WireModel
) -> None:
    answer = await model.complete(DEPLOYMENT, Call("gpt-x", BODY))
    assert orjson.loads(answer.body) == completion("Hello!")
    assert answer.ending.tokens == Tokens(9, 0, 3)
    assert provider.received[0] == orjson.loads(BODY) | {"model": "upstream-name"}
    assert provider.headers[0]["Authorization"] == "Bearer sk-canary"


async def test_usage_is_always_asked_for_and_taken_out_unless_the_client_asked(
    provider: OpenAIProvider, model: WireModel
) -> None:
    provider.behaviour = sends(events(chunks("a", "b")))
    data, ending = await collect(model, Call("gpt-x", BODY))
    assert provider.received[0]["stream_options"] == {"include_usage": True}
    assert data == events(chunks("a", "b")[:-1], done=False)
    assert ending == Ending(Tokens(9, 0, 2), "stop")
    data, _ = await collect(model, Call("gpt-x", BODY, include_usage=True))
    assert data == events(chunks("a", "b"), done=False)


@pytest.mark.parametrize(
    ("status", "body", "headers", "reason"),
    [
        (400, b'{"error":{"message":"bad temperature","param":"temperature","code":"x"}}', {}, "PROVIDER_REFUSED"),
        (401, b'{"error":{"message":"bad key sk-canary"}}', {}, "PROVIDER_NOT_CONFIGURED"),
        (403, b"{}", {}, "PROVIDER_NOT_CONFIGURED"),
        (404, b'{"error":{"message":"no such model"}}', {}, "PROVIDER_REFUSED"),
        (408, b"", {}, "PROVIDER_TIMEOUT"),
        (413, b"<html>too large</html>", {}, "PROVIDER_REFUSED"),
        (422, b'{"detail":"x"}', {}, "PROVIDER_REFUSED"),
        (429, b"{}", {"Retry-After": "7"}, "PROVIDER_RATE_LIMITED"),
        (500, b"trace", {}, "PROVIDER_UNAVAILABLE"),
        (502, b"<html>", {}, "PROVIDER_UNAVAILABLE"),
        (529, b"{}", {}, "PROVIDER_UNAVAILABLE"),
        (200, b"<html>hello</html>", {}, "PROVIDER_BAD_ANSWER"),
        (200, b'{"choices":', {}, "PROVIDER_BAD_ANSWER"),
    ],
)
async def test_each_failure_has_a_typed_error_without_the_providers_key(
    provider: OpenAIProvider, model: WireModel, status: int, body: bytes, headers: dict[str, str], reason: str
) -> None:
    provider.behaviour = fails(status, body, headers)
    with pytest.raises(PlatformError) as caught:
        await model.complete(DEPLOYMENT, Call("gpt-x", BODY))
    assert caught.value.reason == reason
    assert "canary" not in caught.value.message
    if status == 429:
        assert caught.value.retry_after == 7
    if status == 400:
        assert caught.value.message == "bad temperature"
        assert caught.value.metadata["param"] == "temperature"


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (sends(events(chunks("a")[:1], done=False)), "PROVIDER_BAD_ANSWER"),
        (sends(events(chunks("a")[:1], done=False), hang=True), "PROVIDER_TIMEOUT"),
        (sends(events(chunks("a")[:1], done=False), reset=True), "PROVIDER_UNAVAILABLE"),
        (sends(events(chunks("a")[:1], done=False), b'data: {"error":{"message":"boom"}}\n\n'), "PROVIDER_UNAVAILABLE"),
        (sends(b"data: not json\n\n"), "PROVIDER_BAD_ANSWER"),
        (sends(b"data: " + b"x" * 5_000_000), "PROVIDER_BAD_ANSWER"),
    ],
    ids=["cut", "hang", "reset", "error event", "garbage", "endless event"],
)
async def test_a_stream_that_fails_ends_truthfully(
    provider: OpenAIProvider, model: WireModel, behaviour: Any, reason: str
) -> None:
    provider.behaviour = behaviour
    with pytest.raises(PlatformError) as caught:
        await collect(model, Call("gpt-x", BODY))
    assert caught.value.reason == reason


async def test_leaving_a_stream_cancels_the_provider_at_once(provider: OpenAIProvider, model: WireModel) -> None:
    provider.behaviour = sends(events(chunks("a")[:1], done=False), hang=True)
    stream = read(model, DEPLOYMENT, Call("gpt-x", BODY))
    await anext(stream)
    await stream.aclose()
    await asyncio.wait_for(provider.cancelled.wait(), PROMPT)


async def test_missing_usage_is_estimated(provider: OpenAIProvider, model: WireModel) -> None:
    provider.behaviour = sends(events(chunks("word " * 20)[:-1]))
    _, ending = await collect(model, Call("gpt-x", BODY))
    assert ending.tokens.input > 0
    assert ending.tokens.output > 0


async def test_a_refused_connection_is_unavailable() -> None:
    async with Http(connect_seconds=2) as http:
        upstream = Upstream("openai", lambda: "http://127.0.0.1:9/v1", "", configured=True)
        model = over_http(http, upstream, HttpLimits(20, 20, 60, 1000))
        with pytest.raises(ProviderUnavailable):
            await model.complete(DEPLOYMENT, Call("gpt-x", BODY))


async def test_an_answer_over_the_bound_is_refused(provider: OpenAIProvider, model: WireModel) -> None:
    provider.behaviour = answers("x" * 2_000_000)
    with pytest.raises(ProviderBadAnswer):
        await model.complete(DEPLOYMENT, Call("gpt-x", BODY))


@given(st.lists(st.text(min_size=1), min_size=1, max_size=8), st.lists(st.integers(1, 40), min_size=1), st.booleans())
@settings(max_examples=200, deadline=None)
def test_events_survive_splits_anywhere(texts: list[str], sizes: list[int], crlf: bool) -> None:
    documents = [{"t": text} for text in texts]
    wire = b": comment\n\n" + events(documents)
    wire = wire.replace(b"\n", b"\r\n") if crlf else wire
    splitter, found, position, turn = EventSplitter(), [], 0, 0
    while position < len(wire):
        size = sizes[turn % len(sizes)]
        found += list(splitter.feed(wire[position : position + size]))
        position, turn = position + size, turn + 1
    data = [data_of(event) for event in found]
    assert [orjson.loads(item) for item in data if item and item != b"[DONE]"] == documents
    assert splitter.rest == b""


def recorded(*, stream: bool) -> list[Any]:
    if not RECORDINGS.exists():
        return [pytest.param(None, marks=pytest.mark.skip(reason=f"no recordings at {RECORDINGS}"))]
    rows = (json.loads(line) for line in RECORDINGS.read_text().splitlines())
    # Some recordings are of refusals, without an answer.
    chosen = [row for row in rows if row["endpoint"].endswith("chat/completions") and row["stream"] is stream]
    chosen = [row for row in chosen if row["response"]]
    return [pytest.param(row, id=f"{row['provider']}-{row['id']}") for row in chosen]


@pytest.mark.parametrize("row", recorded(stream=False))
async def test_recorded_answers_come_back_equal(provider: OpenAIProvider, model: WireModel, row: Any) -> None:
    provider.behaviour = fails(200, orjson.dumps(row["response"]))
    answer = await model.complete(DEPLOYMENT, Call(row["request"]["model"], orjson.dumps(row["request"])))
    assert orjson.loads(answer.body) == row["response"]


@pytest.mark.parametrize("row", recorded(stream=True))
async def test_recorded_streams_come_back_chunk_by_chunk(provider: OpenAIProvider, model: WireModel, row: Any) -> None:
    provider.behaviour = sends(events(row["response"]))
    data, _ = await collect(model, Call(row["request"]["model"], orjson.dumps(row["request"]), include_usage=True))
    splitter = EventSplitter()
    assert [orjson.loads(data_of(event)) for event in splitter.feed(data)] == row["response"]
