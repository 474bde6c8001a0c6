"""Answers and streams between chat completions and messages: a stream says what the whole answer says, however its
events come.
"""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_service.domain.calls import Ending, Tokens
from llm_service.domain.errors import ProviderBadAnswer
from llm_service.policy.translation.answer_to_chat import answer_to_chat
from llm_service.policy.translation.answer_to_messages import answer_to_messages
from llm_service.policy.translation.stream_to_chat import StreamToChat
from llm_service.policy.translation.stream_to_messages import StreamToMessages
from tests.standins import anthropic_provider
from tests.standins.openai_provider import events as chat_events
from tests.unit.translation_words import C_CALL, M_CALL, SAID, WORDS, constant, optional

NOW = 7
COUNTS = st.integers(0, 10**6)
TOKENS = st.builds(
    lambda plain, hit, put, said, thought: Tokens(plain + hit + put, hit, said + thought, put, thought),
    COUNTS, COUNTS, COUNTS, COUNTS, COUNTS,
)  # fmt: skip


def block_lists(
    thinking: st.SearchStrategy[dict[str, Any]], most_texts: int
) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.tuples(
        st.lists(thinking, max_size=1),
        st.lists(SAID, max_size=most_texts),
        st.lists(M_CALL, max_size=3),
    ).map(lambda parts: [*parts[0], *parts[1], *parts[2]])


UNSIGNED = constant(type="thinking", thinking=WORDS, signature="")
SIGNED = constant(type="thinking", thinking=WORDS, signature=WORDS) | constant(type="redacted_thinking", data=WORDS)


def reason(blocks: list[dict[str, Any]]) -> st.SearchStrategy[str]:
    calls = any(block["type"] == "tool_use" for block in blocks)
    return st.just("tool_use") if calls else st.sampled_from(["end_turn", "max_tokens", "refusal"])


def with_reason(blocks: st.SearchStrategy[list[dict[str, Any]]]) -> st.SearchStrategy[tuple[list[dict[str, Any]], str]]:
    return blocks.flatmap(lambda found: st.tuples(st.just(found), reason(found)))


@given(with_reason(block_lists(UNSIGNED, 1)), TOKENS)
@settings(max_examples=200, deadline=None)
def test_answers_come_back_equal(told: tuple[list[dict[str, Any]], str], tokens: Tokens) -> None:
    blocks, stop = told
    ending = Ending(tokens, stop)
    answer = answer_to_messages(
        answer_to_chat({"id": "msg_m", "model": "x", "content": blocks, "stop_reason": stop}, ending, NOW), ending
    )
    assert (answer["content"], answer["stop_reason"], answer["id"], answer["model"]) == (blocks, stop, "msg_m", "x")
    usage = answer["usage"]
    assert sum(usage[key] for key in usage if key.endswith("input_tokens")) == tokens.input
    assert (usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]) == (
        tokens.cached,
        tokens.cache_written,
    )
    assert usage["output_tokens"] == tokens.output


def split(data: bytes, sizes: list[int]) -> list[bytes]:
    """Whole events, joined so many at a time: as a provider's relay gives them."""
    events = [event + b"\n\n" for event in data.split(b"\n\n") if event]
    pieces, turn = [], 0
    while events:
        size = sizes[turn % len(sizes)]
        pieces.append(b"".join(events[:size]))
        events, turn = events[size:], turn + 1
    return pieces


def read(data: bytes) -> list[dict[str, Any]]:
    return [orjson.loads(line[6:]) for line in data.splitlines() if line.startswith(b"data: ")]


SIZES = st.lists(st.integers(1, 5), min_size=1, max_size=4)


def collapse_chat(chunks: list[dict[str, Any]]) -> tuple[dict[str, Any], str | None]:
    """The message and the reason that chunks come to: as the official SDK adds them up."""
    message: dict[str, Any] = {"content": "", "calls": {}}
    finish = None
    for chunk in chunks:
        for choice in chunk["choices"]:
            delta = choice["delta"]
            message["content"] += delta.get("content") or ""
            finish = choice["finish_reason"] or finish
            for key in ("reasoning_content", "thinking_blocks"):
                if key in delta:
                    message[key] = message.get(key, type(delta[key])()) + delta[key]
            for call in delta.get("tool_calls", []):
                known = message["calls"].setdefault(call["index"], call | {"function": dict(call["function"])})
                if known is not call and "id" not in call:
                    known["function"]["arguments"] += call["function"]["arguments"]
    return message, finish


@given(with_reason(block_lists(SIGNED, 3)), SIZES, st.booleans())
@settings(max_examples=200, deadline=None)
def test_a_stream_of_messages_says_what_the_whole_answer_says(
    told: tuple[list[dict[str, Any]], str], sizes: list[int], counted: bool
) -> None:
    blocks, stop = told
    ending = Ending(Tokens(9, 2, 3, 4), stop)
    whole = answer_to_chat(anthropic_provider.message(*blocks, stop_reason=stop) | {"content": blocks}, ending, NOW)
    documents = anthropic_provider.stream(*blocks, stop_reason=stop, content=blocks)
    translator = StreamToChat(NOW, include_usage=counted)
    said = b"".join(translator.take(piece) for piece in split(anthropic_provider.events(documents), sizes))
    chunks = read(said + translator.end(ending))
    message, finish = collapse_chat(chunks)
    expected = whole["choices"][0]
    assert finish == expected["finish_reason"]
    assert message["content"] == (expected["message"]["content"] or "")
    for key in ("reasoning_content", "thinking_blocks"):
        assert message.get(key, "") == expected["message"].get(key, "") or not message.get(key)
        if key == "thinking_blocks":
            assert message.get(key) == expected["message"].get(key)
    calls = [message["calls"][index] for index in sorted(message["calls"])]
    assert [(call["id"], call["function"]["name"], orjson.loads(call["function"]["arguments"])) for call in calls] == [
        (call["id"], call["function"]["name"], orjson.loads(call["function"]["arguments"]))
        for call in expected["message"].get("tool_calls", [])
    ]
    assert [chunk["usage"] for chunk in chunks if chunk.get("usage")] == ([whole["usage"]] if counted else [])
    assert all(chunk["id"] == whole["id"] and chunk["created"] == NOW for chunk in chunks)


def collapse_messages(events: list[dict[str, Any]]) -> dict[str, Any]:
    """The message that events come to; fails where their order is not Anthropic's."""
    assert [events[0]["type"], events[-2]["type"], events[-1]["type"]] == [
        "message_start",
        "message_delta",
        "message_stop",
    ]
    message = events[0]["message"]
    texts: dict[int, str] = {}
    open_blocks: set[int] = set()
    for event in events[1:-2]:
        index = event["index"]
        match event["type"]:
            case "content_block_start":
                assert index == len(message["content"])
                message["content"].append(event["content_block"])
                open_blocks.add(index)
            case "content_block_delta":
                assert index in open_blocks
                delta = event["delta"]
                key = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json"}[
                    delta["type"]
                ]
                texts[index] = texts.get(index, "") + delta[key]
            case "content_block_stop":
                open_blocks.remove(index)
    assert not open_blocks
    for index, text in texts.items():
        block = message["content"][index]
        key = {"text": "text", "thinking": "thinking", "tool_use": "input"}[block["type"]]
        block[key] = orjson.loads(text) if key == "input" else text
    return dict(message | events[-2]["delta"] | {"usage": events[-2]["usage"]})


def chat_stream(message: dict[str, Any], finish: str, *, mingled: bool) -> list[dict[str, Any]]:
    """Chunks of an answer: a few characters each; calls of tools one after the other, or in turns."""
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    for key in ("reasoning_content", "content"):
        deltas += [{key: part} for part in parts(message.get(key) or "")]
    calls = message.get("tool_calls") or []
    begun = [
        {"tool_calls": [call | {"index": index, "function": call["function"] | {"arguments": ""}}]}
        for index, call in enumerate(calls)
    ]
    rest = [
        [
            {"tool_calls": [{"index": index, "function": {"arguments": part}}]}
            for part in parts(call["function"]["arguments"])
        ]
        for index, call in enumerate(calls)
    ]
    if mingled:
        deltas += begun
        while any(rest):
            deltas += [row.pop(0) for row in rest if row]
    else:
        for first, row in zip(begun, rest, strict=True):
            deltas += [first, *row]
    base = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "x"}
    chunks = [base | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    return [*chunks, base | {"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}]


def parts(text: str) -> list[str]:
    return [text[at : at + 4] for at in range(0, len(text), 4)]


@given(
    optional(reasoning_content=WORDS, content=WORDS, tool_calls=st.lists(C_CALL, max_size=3)),
    st.booleans(),
    SIZES,
    TOKENS,
)
@settings(max_examples=300, deadline=None)
def test_a_stream_of_chat_says_what_the_whole_answer_says(
    message: dict[str, Any], mingled: bool, sizes: list[int], tokens: Tokens
) -> None:
    finish = "tool_calls" if message.get("tool_calls") else "stop"
    ending = Ending(tokens, finish)
    whole = answer_to_messages(
        {"id": "c", "model": "x", "choices": [{"index": 0, "message": message, "finish_reason": finish}]}, ending
    )
    translator = StreamToMessages()
    data = chat_events(chat_stream(message, finish, mingled=mingled), done=False)
    said = b"".join(translator.take(piece) for piece in split(data, sizes)) + translator.end(ending)
    assert collapse_messages(read(said)) == whole
    names = [line[7:].decode() for line in said.splitlines() if line.startswith(b"event: ")]
    assert names == [event["type"] for event in read(said)]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"finish_reason": "stop"}, ("end_turn", None)),
        ({"finish_reason": "stop", "stop_reason": "END"}, ("stop_sequence", "END")),
        ({"finish_reason": "length"}, ("max_tokens", None)),
        ({"finish_reason": "content_filter"}, ("refusal", None)),
        ({"finish_reason": None}, ("end_turn", None)),
    ],
)
def test_reasons_to_stop(choice: dict[str, Any], expected: tuple[str, str | None]) -> None:
    answer = {"id": "c", "model": "x", "choices": [choice | {"message": {"content": "a"}}]}
    told = answer_to_messages(answer, Ending(Tokens(), ""))
    assert (told["stop_reason"], told["stop_sequence"]) == expected


@pytest.mark.parametrize(
    "message",
    [
        {"tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "{"}}]},
        {"tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "[1]"}}]},
        {"tool_calls": [{"id": "a", "function": {"arguments": "{}"}}]},
        None,
    ],
)
def test_an_answer_that_cannot_be_read_is_the_providers_fault(message: Any) -> None:
    with pytest.raises(ProviderBadAnswer):
        answer_to_messages({"choices": [{"message": message, "finish_reason": "stop"}]}, Ending(Tokens(), ""))
    with pytest.raises(ProviderBadAnswer):
        answer_to_chat({"content": [{"type": "server_tool_use"}]}, Ending(Tokens(), ""), NOW)
