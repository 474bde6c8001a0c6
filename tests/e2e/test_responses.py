"""Responses through the official SDK: asked, streamed, stored, gone on with; translated, and passed untouched."""

from collections.abc import Callable
from typing import Any

import openai
import orjson
import pytest
from aiohttp import web
from pydantic import BaseModel

from tests.e2e.conftest import Tenant
from tests.standins.openai_provider import Behaviour, OpenAIProvider, chunks, fails, sends
from tests.standins.openai_provider import events as chat_events

LOCAL = "local/smollm2-135m-instruct"
NATIVE: dict[str, Any] = {
    "id": "resp_native", "object": "response", "created_at": 1, "status": "completed", "model": "up", "error": None,
    "output": [{"id": "msg_1", "type": "message", "role": "assistant", "status": "completed",
                "content": [{"type": "output_text", "text": "Hello!", "annotations": []}]}],
    "store": False, "previous_response_id": None, "temperature": 1.0, "new_field": {"kept": 1e-7},
    "usage": {"input_tokens": 9, "input_tokens_details": {"cached_tokens": 4}, "output_tokens": 3,
              "output_tokens_details": {"reasoning_tokens": 1}, "total_tokens": 12},
}  # fmt: skip


class Answer(BaseModel):
    number: int


@pytest.fixture(params=["/v1", "/api/v1"])
def sdk(tenant: Tenant, request: pytest.FixtureRequest) -> openai.OpenAI:
    return openai.OpenAI(base_url=tenant.base_url + request.param, api_key=tenant.key, max_retries=0)


def native(**changed: Any) -> Behaviour:
    return fails(200, orjson.dumps(NATIVE | changed))


def native_stream(**changed: Any) -> Behaviour:
    response, text = NATIVE | changed, {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    told: list[dict[str, Any]] = [
        {"type": "response.created", "response": response | {"status": "in_progress", "output": []}},
        {"type": "response.output_text.delta", **text, "delta": "Hello!", "logprobs": [], "obfuscation": "xx"},
        {"type": "response.completed", "response": response},
    ]
    return sends(
        b"".join(
            b"event: %b\ndata: %b\n\n" % (one["type"].encode(), orjson.dumps(one | {"sequence_number": number}))
            for number, one in enumerate(told)
        )
    )


def test_a_local_model_answers_streams_and_is_gone_on_with(sdk: openai.OpenAI) -> None:
    first = sdk.responses.create(
        model=LOCAL, input="My name is Ada.", max_output_tokens=8, instructions="Be brief.", temperature=0
    )
    assert first.output_text
    assert (first.to_dict()["store"], first.model) == (True, LOCAL)
    # What it says is its own; sometimes it is done by itself.
    assert first.usage
    assert first.status == "completed" or (first.status == "incomplete" and first.usage.output_tokens == 8)
    assert 0 < first.usage.output_tokens <= 8
    events: list[Any] = list(
        sdk.responses.create(
            model=LOCAL,
            input="What is my name?",
            max_output_tokens=8,
            previous_response_id=first.id,
            stream=True,
            temperature=0,
        )
    )
    kinds, final = [event.type for event in events], events[-1].response
    assert kinds[:4] == [
        "response.created", "response.in_progress", "response.output_item.added", "response.content_part.added",
    ]  # fmt: skip
    assert kinds[-1] in ("response.completed", "response.incomplete")
    assert final.previous_response_id == first.id
    assert final.instructions is None
    # The whole conversation was read, and is on the bill.
    assert final.usage
    assert final.usage.input_tokens > first.usage.input_tokens
    assert sdk.responses.retrieve(final.id).output_text == final.output_text
    (item,) = sdk.responses.input_items.list(final.id).data
    assert item.to_dict()["content"][0]["text"] == "What is my name?"  # type: ignore[index]
    sdk.responses.delete(final.id)
    with pytest.raises(openai.NotFoundError):
        sdk.responses.retrieve(final.id)


def test_an_answer_is_parsed(sdk: openai.OpenAI) -> None:
    parsed = sdk.responses.parse(
        model=LOCAL, input="Two and two?", text_format=Answer, max_output_tokens=60, temperature=0
    )
    assert isinstance(parsed.output_parsed, Answer)


def test_what_is_not_stored_is_not_there(sdk: openai.OpenAI) -> None:
    made = sdk.responses.create(model=LOCAL, input="Hi", max_output_tokens=4, store=False)
    with pytest.raises(openai.NotFoundError) as caught:
        sdk.responses.create(model=LOCAL, input="Hi", previous_response_id=made.id)
    assert (caught.value.code, caught.value.param) == ("previous_response_not_found", "previous_response_id")


def test_another_tenants_response_is_not_there(new_tenant: Callable[..., Tenant], provider: OpenAIProvider) -> None:
    mine, other = (
        openai.OpenAI(base_url=one.base_url + "/v1", api_key=one.key, max_retries=0)
        for one in (new_tenant(), new_tenant())
    )
    provider.behaviours["isolated"] = native(id="resp_isolated")
    made = mine.responses.create(model="openai/isolated", input="A secret.")
    asked: list[Callable[[], Any]] = [
        lambda: other.responses.retrieve(made.id),
        lambda: other.responses.input_items.list(made.id),
        lambda: other.responses.delete(made.id),
        lambda: other.responses.cancel(made.id),
        lambda: other.responses.create(model="openai/isolated", input="Hi", previous_response_id=made.id),
    ]
    for call in asked:
        with pytest.raises(openai.NotFoundError):
            call()
    assert mine.responses.retrieve(made.id).id == made.id
    with pytest.raises(openai.BadRequestError):
        mine.responses.cancel(made.id)


def test_a_provider_that_speaks_responses_is_asked_as_it_was_said(sdk: openai.OpenAI, provider: OpenAIProvider) -> None:
    provider.behaviours["native"] = native(id=f"resp_{id(sdk)}")
    made = sdk.responses.with_raw_response.create(
        model="openai/native", input="Hi", store=False, extra_body={"new_wish": {"x": 1.50}}
    )
    assert made.http_response.content == orjson.dumps(NATIVE | {"id": f"resp_{id(sdk)}"})
    assert provider.received[-1] == {"model": "native", "input": "Hi", "store": False, "new_wish": {"x": 1.5}}


def test_a_provider_keeps_nothing_and_hears_the_whole_conversation(
    sdk: openai.OpenAI, provider: OpenAIProvider
) -> None:
    ids = [f"resp_{number}_{id(sdk)}" for number in (1, 2)]
    provider.behaviours["chained"] = native(id=ids[0])
    first = sdk.responses.create(model="openai/chained", input="Hi", instructions="Be brief.")
    assert (first.id, first.to_dict()["store"]) == (ids[0], True)
    provider.behaviours["chained"] = native_stream(id=ids[1])
    events: list[Any] = list(
        sdk.responses.create(model="openai/chained", input="More", previous_response_id=ids[0], stream=True)
    )
    asked = provider.received[-1]
    assert asked["store"] is False
    assert "previous_response_id" not in asked
    assert "instructions" not in asked
    assert [item["role"] for item in asked["input"]] == ["user", "assistant", "user"]
    assert all("id" not in item for item in asked["input"])
    assert events[1].to_dict()["obfuscation"] == "xx"
    final = events[-1].response
    assert (final.store, final.previous_response_id) == (True, ids[0])
    assert sdk.responses.retrieve(ids[1]).previous_response_id == ids[0]


@pytest.mark.parametrize(
    "document",
    [
        {"tools": [{"type": "web_search"}]},
        {"background": True},
        {"conversation": "conv_1"},
        {"input": [{"type": "item_reference", "id": "msg_1"}]},
    ],
)
def test_what_would_run_or_be_kept_at_a_provider_is_refused(tenant: Tenant, document: dict[str, Any]) -> None:
    answer = tenant.client.post("/v1/responses", json={"model": "openai/native", "input": "Hi"} | document)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "unsupported"


def test_a_stream_of_a_model_that_speaks_chat_only_is_whole(sdk: openai.OpenAI, provider: OpenAIProvider) -> None:
    provider.behaviours["org/chat"] = sends(chat_events(chunks("Hel", "lo!")))
    with sdk.responses.stream(model="hf/org/chat", input="Hi", store=False) as stream:
        kinds = [event.type for event in stream]
        assert stream.get_final_response().output_text == "Hello!"
    assert kinds.count("response.output_text.delta") == 2
    assert provider.received[-1]["messages"] == [{"role": "user", "content": "Hi"}]


def test_a_stream_that_breaks_off_says_so(sdk: openai.OpenAI, provider: OpenAIProvider) -> None:
    told = {"type": "response.created", "sequence_number": 0, "response": NATIVE}

    async def breaks(request: web.Request, _document: dict[str, Any]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"event: response.created\ndata: " + orjson.dumps(told) + b"\n\n")
        return response

    provider.behaviours["broken"] = breaks
    events: list[Any] = list(sdk.responses.create(model="openai/broken", input="Hi", stream=True))
    assert [event.type for event in events] == ["response.created", "error"]
    assert (events[-1].code, events[-1].sequence_number) == ("provider_bad_answer", 1)
