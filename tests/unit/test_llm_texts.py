"""What guardrails see of what models say: each text, in whatever way a server tells it."""

from copy import deepcopy
from typing import Any

import pytest

from llm_service.domain.calls import Format
from llm_service.policy.texts.formats import TEXTS

CHAT, RESPONSES = TEXTS[Format.CHAT_COMPLETIONS], TEXTS[Format.RESPONSES]
THOUGHT = {"type": "thinking", "thinking": [{"type": "text", "text": "one"}]}
PARTS = {"content": [THOUGHT, {"type": "text", "text": "two"}]}
CALL = {"type": "function", "function": {"name": "f", "arguments": "one"}}
CUSTOM = {"index": 1, "type": "custom", "custom": {"name": "sql", "input": "two"}}


@pytest.mark.parametrize(
    ("message", "texts"),
    [
        (PARTS, ["one", "two"]),
        ({"tool_calls": [CALL, CUSTOM]}, ["one", "two"]),
        ({"tool_calls": CALL}, ["one"]),
        ({"function_call": {"name": "f", "arguments": "one"}}, ["one"]),
    ],
    ids=["parts", "tools", "one call and no list", "the older form"],
)
def test_texts_of_chat(message: dict[str, Any], texts: list[str]) -> None:
    message = deepcopy(message)
    whole = {"choices": [{"index": 0, "message": message}]}
    assert [found.text for found in CHAT.answered(whole)] == texts
    event = {"choices": [{"index": 0, "delta": message}]}
    assert [found.text for _, found in CHAT.streamed(event)] == texts
    for _, found in CHAT.streamed(event):
        found.put("other")
    assert [found.text for _, found in CHAT.streamed(event)] == ["other"] * len(texts)
    CHAT.strip(event)
    assert [found.text for _, found in CHAT.streamed(event)] == ["other"] * len(texts)


def test_what_a_model_gives_to_a_custom_tool_as_a_response() -> None:
    kind = "response.custom_tool_call_input"
    item = {"type": "custom_tool_call", "name": "sql", "input": "select 1"}
    assert [found.text for _, found in RESPONSES.streamed({"type": f"{kind}.delta", "delta": "sel"})] == ["sel"]
    assert [found.text for found in RESPONSES.retold({"type": f"{kind}.done", "input": "select 1"})] == ["select 1"]
    assert [found.text for found in RESPONSES.retold({"type": "response.output_item.done", "item": item})] == [
        "select 1"
    ]
    assert [found.text for found in RESPONSES.answered({"output": [item]})] == ["select 1"]
