"""The official SDK's journeys on both base paths: against the local model, and a provider that does what it is told."""

import asyncio
import io
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx
import openai
import orjson
import pytest
from aiohttp import web
from pydantic import BaseModel

from tests.e2e.conftest import Tenant
from tests.standins.openai_provider import Behaviour, OpenAIProvider, answers, chunks, completion, events, fails, sends

LOCAL = "local/smollm2-135m-instruct"
HELLO: list[Any] = [{"role": "user", "content": "Say hello."}]
TOOLS: list[Any] = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}}
    for name in ("weather", "time")
]
CALLS = [
    {"id": f"call_{name}", "type": "function", "function": {"name": name, "arguments": '{"city":"Köln"}'}}
    for name in ("weather", "time")
]


class Answer(BaseModel):
    number: int


@pytest.fixture(params=["/v1", "/api/v1"])
def base(tenant: Tenant, request: pytest.FixtureRequest) -> str:
    return tenant.base_url + str(request.param)


@pytest.fixture
def sdk(tenant: Tenant, base: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=base, api_key=tenant.key, max_retries=0)


@pytest.fixture
def told(provider: OpenAIProvider) -> Callable[[Behaviour], str]:
    """Makes the provider do something; gives the name of a model that does it."""

    def tell(behaviour: Behaviour) -> str:
        name = f"journey-{uuid4().hex[:8]}"
        provider.behaviours[name] = behaviour
        return f"openai/{name}"

    return tell


def says(message: dict[str, Any], finish: str = "stop") -> Behaviour:
    document = completion("") | {"choices": [{"index": 0, "message": message, "finish_reason": finish}]}
    return fails(200, orjson.dumps(document))


def test_tools_in_parallel_plain_and_streamed(
    sdk: openai.OpenAI, provider: OpenAIProvider, told: Callable[[Behaviour], str]
) -> None:
    model = told(says({"role": "assistant", "content": None, "tool_calls": CALLS}, "tool_calls"))
    wanted: dict[str, Any] = {"tools": TOOLS, "tool_choice": "required", "parallel_tool_calls": True}
    answer = sdk.chat.completions.create(model=model, messages=HELLO, **wanted)
    assert [call.to_dict() for call in answer.choices[0].message.tool_calls or ()] == CALLS
    assert {key: provider.received[-1][key] for key in wanted} == wanted
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "18"} for call in CALLS]
    turn: list[Any] = [*HELLO, answer.choices[0].message.to_dict(), *results]
    sdk.chat.completions.create(model=told(answers("18 degrees")), messages=turn, **wanted)
    assert provider.received[-1]["messages"] == turn
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": None}]
    for index, name in enumerate(("weather", "time")):
        begun = {"index": index, "id": f"call_{name}", "type": "function", "function": {"name": name, "arguments": ""}}
        said = [{"index": index, "function": {"arguments": part}} for part in ('{"city":', '"Köln"}')]
        deltas += [{"tool_calls": [part]} for part in (begun, *said)]
    base = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "up"}
    parts = [base | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    parts.append(base | {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})
    with sdk.chat.completions.stream(model=told(sends(events(parts))), messages=HELLO, tools=TOOLS) as stream:
        final = stream.get_final_completion()
    made = final.choices[0].message.tool_calls or ()
    assert [(call.id, call.function.arguments) for call in made] == [(call["id"], '{"city":"Köln"}') for call in CALLS]


def test_an_answer_is_parsed(sdk: openai.OpenAI) -> None:
    parsed = sdk.chat.completions.parse(
        model=LOCAL, messages=HELLO, response_format=Answer, max_tokens=60, temperature=0
    )
    assert isinstance(parsed.choices[0].message.parsed, Answer)


def test_images_and_files_pass_or_are_refused(
    sdk: openai.OpenAI, provider: OpenAIProvider, told: Callable[[Behaviour], str]
) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk=", "detail": "low"}}
    file = {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,aGk="}}
    seen: list[Any] = [{"role": "user", "content": [{"type": "text", "text": "What?"}, image, file]}]
    sdk.chat.completions.create(model=told(answers("A cat.")), messages=seen)
    assert provider.received[-1]["messages"] == seen
    with pytest.raises(openai.BadRequestError) as caught:
        sdk.chat.completions.create(model=LOCAL, messages=seen)
    assert caught.value.code == "unsupported"


def test_probabilities_choices_and_seeds(sdk: openai.OpenAI) -> None:
    asked: dict[str, Any] = {"model": LOCAL, "messages": HELLO, "max_tokens": 6, "seed": 7, "temperature": 1.5}
    first = sdk.chat.completions.create(**asked, n=2, logprobs=True, top_logprobs=2)
    assert [choice.index for choice in first.choices] == [0, 1]
    told = first.choices[0].logprobs
    assert told
    assert told.content
    assert len(told.content[0].top_logprobs) == 2
    texts = {sdk.chat.completions.create(**asked).choices[0].message.content for _ in range(2)}
    assert len(texts) == 1


def test_completions_of_the_local_model(sdk: openai.OpenAI) -> None:
    asked: dict[str, Any] = {"model": LOCAL, "max_tokens": 4, "temperature": 0}
    one = sdk.completions.create(**asked, prompt="The capital of France is", logprobs=2)
    told = one.choices[0].logprobs
    assert told
    assert told.tokens
    assert "".join(told.tokens) == one.choices[0].text
    assert len(told.token_logprobs or ()) == len(told.top_logprobs or ()) == len(told.tokens)
    many = sdk.completions.create(**asked, prompt=["The capital of France is", "One, two,"])
    assert [choice.index for choice in many.choices] == [0, 1]
    assert many.choices[0].text == one.choices[0].text
    assert sdk.completions.create(**asked, prompt=[504, 3575, 282, 4649, 314]).choices[0].text
    streamed = list(sdk.completions.create(**asked, prompt=[[504, 3575], [282, 4649]], stream=True))
    assert {choice.index for part in streamed for choice in part.choices} == {0, 1}
    assert all(part.usage is None for part in streamed)
    bounded = sdk.completions.create(model=LOCAL, prompt="Once upon a time")
    assert bounded.usage
    assert bounded.usage.completion_tokens <= 16
    refused: list[dict[str, Any]] = [{"echo": True}, {"suffix": "end"}, {"best_of": 2}]
    for more in refused:
        with pytest.raises(openai.BadRequestError) as caught:
            sdk.completions.create(**asked, prompt="x", **more)
        assert caught.value.code == "unsupported"


def test_completions_of_a_provider_pass(
    sdk: openai.OpenAI, provider: OpenAIProvider, told: Callable[[Behaviour], str]
) -> None:
    document = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "up", "choices": [
        {"index": 0, "text": "ab", "logprobs": None, "finish_reason": "stop"}]}  # fmt: skip
    model = told(fails(200, orjson.dumps(document)))
    answer = sdk.completions.create(model=model, prompt="a", echo=True, suffix="c", best_of=3, n=1)
    assert answer.to_dict() == document
    assert {"prompt": "a", "echo": True, "suffix": "c", "best_of": 3, "n": 1}.items() <= provider.received[-1].items()


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, openai.BadRequestError),
        (404, openai.NotFoundError),
        (409, openai.ConflictError),
        (422, openai.UnprocessableEntityError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
    ],
)
def test_errors_are_the_sdks_typed_exceptions(
    sdk: openai.OpenAI, told: Callable[[Behaviour], str], status: int, kind: type[openai.APIStatusError]
) -> None:
    error = {"error": {"message": "It says no.", "type": "some_type", "param": "model", "code": "some_code"}}
    model = told(fails(status, orjson.dumps(error), {"Content-Type": "application/json"}))
    for stream in (False, True):
        with pytest.raises(kind) as caught:
            sdk.chat.completions.create(model=model, messages=HELLO, stream=stream)
        if status in (400, 404, 409, 422):
            assert (caught.value.param, caught.value.code) == ("model", "some_code")
            assert "It says no." in caught.value.message


def test_the_clients_own_timeout(sdk: openai.OpenAI, told: Callable[[Behaviour], str]) -> None:
    with pytest.raises(openai.APITimeoutError):
        sdk.with_options(timeout=0.5).chat.completions.create(model=told(sends(hang=True)), messages=HELLO)


def test_a_retry_is_answered_and_charged_once(sdk: openai.OpenAI, told: Callable[[Behaviour], str]) -> None:
    calls = 0

    async def fails_at_first(_request: web.Request, _document: dict[str, Any]) -> web.StreamResponse:
        nonlocal calls
        calls += 1
        # More often than the platform itself tries.
        return web.json_response({}, status=500) if calls <= 3 else web.json_response(completion("Hi"))

    sdk = sdk.with_options(max_retries=4)
    headers = {"Idempotency-Key": f"journey-{uuid4().hex}"}
    model = told(fails_at_first)
    first = sdk.chat.completions.create(model=model, messages=HELLO, extra_headers=headers)
    again = sdk.chat.completions.with_raw_response.create(model=model, messages=HELLO, extra_headers=headers)
    assert again.parse().to_dict() == first.to_dict()
    assert again.headers["idempotency-replayed"] == "true"
    assert calls == 4


def test_the_async_client(tenant: Tenant, base: str, told: Callable[[Behaviour], str]) -> None:
    model = told(sends(events(chunks("Hel", "lo"))))

    async def journey() -> tuple[list[str], int]:
        async with openai.AsyncOpenAI(base_url=base, api_key=tenant.key) as sdk:
            stream = await sdk.chat.completions.create(
                model=model, messages=HELLO, stream=True, stream_options={"include_usage": True}
            )
            parts = [part async for part in stream]
            models = [one async for one in sdk.models.list()]
        assert parts[-1].usage
        return [part.choices[0].delta.content or "" for part in parts if part.choices], len(models)

    texts, models = asyncio.run(journey())
    assert "".join(texts) == "Hello"
    assert models > 3


def test_transcripts_and_embeddings_are_there_too(sdk: openai.OpenAI) -> None:
    assert sdk.embeddings.create(model="local/all-minilm-l6-v2", input="one").data[0].embedding
    with pytest.raises(openai.BadRequestError):
        sdk.audio.transcriptions.create(model="local/whisper-tiny.en", file=("a.wav", io.BytesIO(b"no audio")))


def test_a_request_id_is_told(tenant: Tenant, base: str) -> None:
    answer = httpx.get(base + "/models", headers={"Authorization": f"Bearer {tenant.key}"})
    assert answer.headers["x-request-id"]
