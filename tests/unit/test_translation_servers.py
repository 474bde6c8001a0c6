"""Servers of OpenAI's format differ in how they tell calls of tools; whoever asks in another format sees them alike."""

from typing import Any

import orjson
import pytest

from llm_service.domain.calls import Ending, Tokens
from llm_service.policy.responses.answer import response_of
from llm_service.policy.responses.events import Events
from llm_service.policy.translation.answer_to_messages import answer_to_messages
from llm_service.policy.translation.stream_to_messages import StreamToMessages
from tests.standins import deviations
from tests.standins.openai_provider import events as chat_events

BLOCKS = {"reasoning": "thinking", "message": "text", "function_call": "tool_use"}
"""Blocks of messages, by what items of responses are called."""
END = Ending(Tokens(1, 0, 1), "tool_calls")


def part(**call: Any) -> dict[str, Any]:
    """A piece of a call."""
    return {"index": 0, "type": "function"} | call


def named(name: str, arguments: Any, **call: Any) -> dict[str, Any]:
    """A piece with the function's name."""
    return part(function={"name": name, "arguments": arguments}, **call)


def arguing(arguments: str, **call: Any) -> dict[str, Any]:
    """A piece without."""
    return part(function={"arguments": arguments}, **call)


STREAMS: dict[str, list[Any]] = {
    "all numbered alike": [[named("f", '{"a":1}', id="x")], [named("g", "{}", id="y")]],
    "an id for every part": [
        [named("f", '{"a"', id="x")], [arguing(":1}", id="z")], [named("g", "{}", id="y", index=1)],
    ],
    "no list": [named("f", {"a": 1}, id="x"), named("g", {}, id="y", index=1)],
    "no ids": [[named("f", '{"a":1}')], [named("g", "{}", index=1)]],
}  # fmt: skip


def chunks(pieces: list[Any]) -> list[dict[str, Any]]:
    return [{"choices": [{"index": 0, "delta": {"tool_calls": piece}, "finish_reason": None}]} for piece in pieces]


@pytest.mark.parametrize("name", STREAMS)
def test_calls_of_a_stream(name: str) -> None:
    stream = StreamToMessages()
    told = stream.take(chat_events(chunks(STREAMS[name]), done=False)) + stream.end(END)
    documents = [orjson.loads(line[6:]) for line in told.splitlines() if line.startswith(b"data: ")]
    begun = [event["content_block"] for event in documents if event["type"] == "content_block_start"]
    assert [block["name"] for block in begun] == ["f", "g"]
    assert len({block["id"] for block in begun}) == 2
    written = ["", ""]
    for event in documents:
        if event["type"] == "content_block_delta":
            written[event["index"]] += event["delta"]["partial_json"]
    assert [orjson.loads(text or "{}") for text in written] == [{"a": 1}, {}]


@pytest.mark.parametrize("name", ["all numbered alike", "an id for every part", "no ids"])
def test_calls_of_a_stream_as_a_response(name: str) -> None:
    events = Events({"model": "m", "input": "hi"}, "m")
    told = b"".join(events.take(chunk) for chunk in chunks(STREAMS[name])) + events.end(END)
    last = orjson.loads(told.strip().splitlines()[-1][6:])["response"]
    assert [(item["name"], item["arguments"]) for item in last["output"]] == [("f", '{"a":1}'), ("g", "{}")]


def test_calls_of_an_answer() -> None:
    calls = [named("f", {"a": 1}), named("g", "", id="")]
    answer = {"choices": [{"message": {"content": None, "tool_calls": calls}, "finish_reason": "stop"}]}
    told = answer_to_messages(answer, END)
    assert [(block["name"], block["input"]) for block in told["content"]] == [("f", {"a": 1}), ("g", {})]
    assert len({block["id"] for block in told["content"]}) == 2
    assert told["stop_reason"] == "tool_use"


@pytest.mark.parametrize("name", deviations.ANSWERS)
def test_what_servers_say_beyond_the_format_is_understood(name: str) -> None:
    answer = orjson.loads(deviations.ANSWERS[name])
    blocks = answer_to_messages(answer, END)["content"]
    items = response_of({"model": "m", "input": "hi"}, answer, END.tokens)["output"]
    assert [block["type"] for block in blocks] == [BLOCKS[item["type"]] for item in items]
    for block, item in zip(blocks, items, strict=True):
        if block["type"] == "tool_use":
            assert block["input"] == orjson.loads(item["arguments"])
        else:
            (part,) = item["content"]
            assert block.get("text", block.get("thinking")) == part["text"]


@pytest.mark.parametrize("name", deviations.STREAMS)
def test_what_servers_stream_beyond_the_format_is_understood(name: str) -> None:
    messages, responses = StreamToMessages(), Events({"model": "m", "input": "hi"}, "m")
    told = messages.take(chat_events(deviations.STREAMS[name], done=False)) + messages.end(END)
    deltas = [orjson.loads(line[6:]).get("delta", {}) for line in told.splitlines() if line.startswith(b"data: ")]
    said = "".join(str(delta.get(key, "")) for delta in deltas for key in ("thinking", "text", "partial_json"))
    events = b"".join(responses.take(chunk) for chunk in deviations.STREAMS[name]) + responses.end(END)
    output = orjson.loads(events.strip().splitlines()[-1][6:])["response"]["output"]
    assert said == "".join(item.get("arguments") or item["content"][0]["text"] for item in output)
    assert said in ("Hm4", "Hm.4", "4", "a", "{}")


SOURCE = {"start_index": 0, "end_index": 3, "url": "https://a", "title": "A"}


def test_sources_of_a_model_that_searches_by_itself() -> None:
    told = {"content": "See", "annotations": [{"type": "url_citation", "url_citation": SOURCE}]}
    expected = [{"type": "url_citation", **SOURCE}]
    whole = response_of({"model": "m"}, {"choices": [{"message": told, "finish_reason": "stop"}]}, END.tokens)
    assert whole["output"][0]["content"][0]["annotations"] == expected
    events = Events({"model": "m", "input": "hi"}, "m")
    streamed = events.take({"choices": [{"index": 0, "delta": told}]}) + events.end(END)
    documents = [orjson.loads(line[6:]) for line in streamed.splitlines() if line.startswith(b"data: ")]
    (added,) = [one for one in documents if one["type"] == "response.output_text.annotation.added"]
    assert (added["annotation"], added["annotation_index"], added["content_index"]) == (expected[0], 0, 0)
    assert documents[-1]["response"]["output"][0]["content"][0]["annotations"] == expected
