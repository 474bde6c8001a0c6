"""Responses asked of a model that speaks chat completions: requests, answers, streams, and what is refused."""

from typing import Any

import orjson
import pytest

from chassis.errors import PlatformError
from llm_service.domain.calls import Answer, Call, Ending, Format, Tokens
from llm_service.policy.responses.document import read_responses
from llm_service.policy.responses.request import chat_request
from llm_service.policy.responses.translation import ResponsesByChat
from llm_service.policy.sse import EventSplitter, data_of

IMAGE = {"type": "input_image", "image_url": "data:x"}
FILE = {"type": "input_file", "file_id": "f"}
ENDING = Ending(Tokens(input=9, cached=4, output=3, reasoning=1), "stop")


def call(**document: Any) -> Call:
    return Call("m", orjson.dumps({"model": "m", "input": "hi"} | document), Format.RESPONSES)


def test_a_conversation_with_tools_is_the_same_conversation() -> None:
    items = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "input_text", "text": "Weather?"}, IMAGE]},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Let me see."}]},
        {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
        {"type": "function_call", "call_id": "b", "name": "g", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "a", "output": "1"},
        {"type": "function_call_output", "call_id": "b", "output": [{"type": "input_text", "text": "2"}]},
    ]  # fmt: skip
    made = chat_request({"model": "m", "input": items, "instructions": "Obey.", "top_k": 3, "store": True})
    assert [message["role"] for message in made["messages"]] == [
        "system",
        "system",
        "user",
        "assistant",
        "tool",
        "tool",
    ]
    assert made["messages"][2]["content"][1] == {"type": "image_url", "image_url": {"url": "data:x"}}
    assert made["messages"][3]["content"] == "Let me see."
    assert [one["id"] for one in made["messages"][3]["tool_calls"]] == ["a", "b"]
    assert made["messages"][5] == {"role": "tool", "tool_call_id": "b", "content": "2"}
    assert made["top_k"] == 3
    assert "store" not in made


def test_parameters_have_other_names() -> None:
    made = chat_request(
        {
            "model": "m",
            "input": "hi",
            "max_output_tokens": 5,
            "reasoning": {"effort": "low"},
            "text": {"format": {"type": "json_schema", "name": "n", "schema": {}, "strict": True}},
            "tools": [{"type": "function", "name": "f", "parameters": {}, "strict": True}],
            "tool_choice": {"type": "function", "name": "f"},
            "include": ["message.output_text.logprobs"],
            "top_logprobs": 2,
        }
    )
    assert made == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "max_tokens": 5,
        "reasoning_effort": "low",
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}, "strict": True}},
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {}, "strict": True}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "logprobs": True,
        "top_logprobs": 2,
    }


@pytest.mark.parametrize(
    ("document", "reason", "param"),
    [
        ({"background": True}, "UNSUPPORTED", "background"),
        ({"conversation": "c"}, "UNSUPPORTED", "conversation"),
        ({"tools": [{"type": "web_search"}]}, "UNSUPPORTED", "tools[0]"),
        ({"tools": [{"type": "file_search", "vector_store_ids": ["x"]}]}, "UNSUPPORTED", "tools[0]"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "UNSUPPORTED", "input[0]"),
        ({"input": [{"role": "user", "content": [FILE]}]}, "UNSUPPORTED", "input[0].content[0].file_id"),
        ({"input": []}, "BAD_DOCUMENT", "input"),
        ({"input": None}, "BAD_DOCUMENT", "input"),
        ({"store": 1}, "BAD_DOCUMENT", "store"),
        ({"previous_response_id": 1}, "BAD_DOCUMENT", "previous_response_id"),
    ],
)  # fmt: skip
def test_what_runs_or_is_kept_at_a_provider_is_refused(document: dict[str, Any], reason: str, param: str) -> None:
    with pytest.raises(PlatformError) as caught:
        read_responses(call(**document).body)
    assert (caught.value.reason, caught.value.metadata["param"]) == (reason, param)


@pytest.mark.parametrize(
    ("document", "param"),
    [
        ({"input": [{"type": "computer_call"}]}, "input[0]"),
        ({"input": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "input[0].content[0]"),
        ({"tools": [{"type": "custom", "name": "c"}]}, "tools[0]"),
        ({"truncation": "auto"}, "truncation"),
        ({"include": ["web_search_call.results"]}, "include"),
        ({"text": {"format": {"type": "grammar"}}}, "text.format"),
        ({"tool_choice": {"type": "allowed_tools"}}, "tool_choice"),
    ],
)
def test_what_chat_completions_cannot_say_is_refused(document: dict[str, Any], param: str) -> None:
    with pytest.raises(PlatformError) as caught:
        ResponsesByChat().request(call(**document))
    assert (caught.value.reason, caught.value.metadata["param"]) == ("UNSUPPORTED", param)


def test_an_answer_with_thoughts_text_and_calls() -> None:
    tool = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    message = {"role": "assistant", "content": "Hi", "reasoning_content": "Hm", "tool_calls": [tool]}
    chat = {"model": "up", "created": 7, "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
    made = ResponsesByChat().answer(call(instructions="Obey.", metadata={"a": "b"}), Answer(orjson.dumps(chat), ENDING))
    response = orjson.loads(made.body)
    assert [item["type"] for item in response["output"]] == ["reasoning", "message", "function_call"]
    assert response["output"][2]["call_id"] == "c1"
    assert (response["status"], response["created_at"], response["model"]) == ("completed", 7, "up")
    assert (response["instructions"], response["metadata"]) == ("Obey.", {"a": "b"})
    assert response["usage"] == {
        "input_tokens": 9,
        "input_tokens_details": {"cached_tokens": 4},
        "output_tokens": 3,
        "output_tokens_details": {"reasoning_tokens": 1},
        "total_tokens": 12,
    }


def streamed(deltas: list[dict[str, Any]], finish: str = "stop") -> list[dict[str, Any]]:
    stream = ResponsesByChat().stream(call())
    chunks = [{"model": "up", "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    sent = b"".join(stream.take(b"data: " + orjson.dumps(chunk) + b"\n\n") for chunk in chunks)
    sent += stream.end(Ending(ENDING.tokens, finish))
    events = list(EventSplitter().feed(sent))
    told: list[dict[str, Any]] = [orjson.loads(data_of(event)) for event in events]
    assert [event.split(b"\n")[0] for event in events] == [b"event: " + one["type"].encode() for one in told]
    assert [one["sequence_number"] for one in told] == list(range(len(told)))
    return told


def test_a_streamed_text_has_the_whole_sequence_of_events() -> None:
    told = streamed([{"role": "assistant", "content": ""}, {"content": "Hel"}, {"content": "lo"}])
    assert [one["type"].removeprefix("response.") for one in told] == [
        "created", "in_progress", "output_item.added", "content_part.added", "output_text.delta", "output_text.delta",
        "output_text.done", "content_part.done", "output_item.done", "completed",
    ]  # fmt: skip
    assert told[-1]["response"]["output"][0]["content"][0]["text"] == told[6]["text"] == "Hello"
    assert told[-1]["response"]["id"] == told[0]["response"]["id"]
    assert told[-1]["response"]["usage"]["total_tokens"] == 12


def test_streamed_thoughts_text_and_mixed_calls() -> None:
    told = streamed(
        [
            {"reasoning_content": "Hm"},
            {"content": "Hi"},
            {"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": ""}}]},
            {"tool_calls": [{"index": 0, "function": {"arguments": '{"x"'}}]},
            {"tool_calls": [{"index": 1, "id": "b", "function": {"name": "g", "arguments": "{}"}}]},
            {"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]},
        ],
        "tool_calls",
    )
    output = told[-1]["response"]["output"]
    assert [item["type"] for item in output] == ["reasoning", "message", "function_call", "function_call"]
    assert [item["arguments"] for item in output[2:]] == ['{"x":1}', "{}"]
    done = [one for one in told if one["type"] == "response.output_item.done"]
    assert [one["output_index"] for one in done] == [0, 1, 2, 3]
    assert [one["item"] for one in done] == output


def test_a_cut_text_is_incomplete() -> None:
    told = streamed([{"content": "x"}], "length")
    assert told[-1]["type"] == "response.incomplete"
    assert told[-1]["response"]["incomplete_details"] == {"reason": "max_output_tokens"}


def test_silence_is_an_empty_message() -> None:
    told = streamed([])
    assert told[0]["type"] == "response.created"
    assert told[-1]["response"]["output"][0]["content"][0]["text"] == ""
