"""Requests between chat completions and messages, by example: what one cannot say is refused by name, and how they say
their own things.
"""

from typing import Any

import orjson
import pytest

from llm_service.domain.calls import Ending, Tokens
from llm_service.domain.errors import Unsupported
from llm_service.policy.translation.answer_to_chat import answer_to_chat
from llm_service.policy.translation.request_to_chat import request_to_chat
from llm_service.policy.translation.request_to_messages import request_to_messages
from tests.unit.translation_words import MOST

NOW = 7
HELLO = [{"role": "user", "content": "hi"}]
M_ASKED = {"model": "m", "max_tokens": 9, "messages": HELLO}
C_ASKED = {"model": "m", "messages": HELLO}


CALL = {"type": "tool_use", "id": "a", "name": "b", "input": {}}
BUDGET = {"type": "enabled", "budget_tokens": 2000}
MARK = {"cache_control": {"type": "ephemeral"}}


def m_said(*blocks: dict[str, Any], role: str = "user") -> dict[str, Any]:
    return M_ASKED | {"messages": [{"role": role, "content": list(blocks)}, *HELLO]}


def c_said(*parts: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return C_ASKED | {"messages": [{"role": "user", "content": list(parts)} | fields]}


def c_image(**fields: str) -> dict[str, Any]:
    return c_said({"type": "image_url", "image_url": fields})


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (M_ASKED | {"container": "c"}, "container"),
        (
            M_ASKED | {"context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}},
            "context_management.edits.0",
        ),
        (M_ASKED | {"mcp_servers": [{}]}, "mcp_servers"),
        (M_ASKED | {"tomorrows_field": 1}, "tomorrows_field"),
        (M_ASKED | {"max_tokens": 0}, "max_tokens"),
        (M_ASKED | {"speed": "fast"}, "speed"),
        (M_ASKED | {"service_tier": "priority"}, "service_tier"),
        (M_ASKED | {"tools": [{"type": "web_search_20260318", "name": "web_search"}]}, "tools.0.type"),
        (M_ASKED | {"tools": [{"name": "a", "input_schema": {}, "defer_loading": True}]}, "tools.0.defer_loading"),
        (M_ASKED | {"thinking": {"type": "between_tools"}}, "thinking.type"),
        (M_ASKED | {"thinking": {"type": "adaptive", "display": "omitted"}}, "thinking.display"),
        (M_ASKED | {"output_config": {"effort": "max"}}, "output_config.effort"),
        (M_ASKED | {"output_config": {"task_budget": 5}}, "output_config.task_budget"),
        (M_ASKED | {"messages": [*HELLO, {"role": "assistant", "content": "The"}]}, "messages.1"),
        (m_said({"type": "image", "source": {"type": "file", "file_id": "f"}}), "messages.0.content.0.source"),
        (m_said({"type": "document", "source": {"type": "url", "url": "https://x"}}), "messages.0.content.0.source"),
        (
            m_said({"type": "document", "source": {"type": "text", "data": "a"}, "citations": {"enabled": True}}),
            "messages.0.content.0.citations",
        ),
        (m_said({"type": "search_result", "content": []}), "messages.0.content.0"),
        (m_said({"type": "server_tool_use", "id": "a"}, role="assistant"), "messages.0.content.0"),
        (
            m_said(CALL, {"type": "text", "text": "c"}, role="assistant"),
            "messages.0.content.1",
        ),
        (
            m_said({"type": "tool_result", "tool_use_id": "a", "content": [{"type": "document"}]}),
            "messages.0.content.0.content.0",
        ),
    ],
)  # fmt: skip
def test_what_chat_completions_cannot_say_is_refused_by_name(asked: dict[str, Any], field: str) -> None:
    with pytest.raises(Unsupported) as caught:
        request_to_chat(asked)
    assert caught.value.violations[0].field == field
    assert caught.value.metadata["param"] == field
    assert field in caught.value.message


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (C_ASKED | {"n": 2}, "n"),
        (C_ASKED | {"seed": 1}, "seed"),
        (C_ASKED | {"logprobs": True}, "logprobs"),
        (C_ASKED | {"top_logprobs": 2}, "top_logprobs"),
        (C_ASKED | {"frequency_penalty": 0.5}, "frequency_penalty"),
        (C_ASKED | {"logit_bias": {"1": 5}}, "logit_bias"),
        (C_ASKED | {"modalities": ["text", "audio"]}, "modalities"),
        (C_ASKED | {"prediction": {}}, "prediction"),
        (C_ASKED | {"functions": [{"name": "a"}]}, "functions"),
        (C_ASKED | {"temperature": 1.5}, "temperature"),
        (C_ASKED | {"response_format": {"type": "json_object"}}, "response_format"),
        (C_ASKED | {"reasoning_effort": "minimal"}, "reasoning_effort"),
        (C_ASKED | {"service_tier": "flex"}, "service_tier"),
        (C_ASKED | {"tools": [{"type": "custom", "custom": {"name": "a"}}]}, "tools.0.custom"),
        (C_ASKED | {"tool_choice": {"type": "allowed_tools"}}, "tool_choice.type"),
        (C_ASKED | {"messages": [*HELLO, {"role": "assistant", "content": "The"}]}, "messages.1"),
        (C_ASKED | {"messages": [{"role": "function", "name": "f", "content": "x"}, *HELLO]}, "messages.0.role"),
        (c_said({"type": "text", "text": "a"}, name="Ada"), "messages.0.name"),
        (c_said({"type": "input_audio", "input_audio": {}}), "messages.0.content.0"),
        (c_said({"type": "file", "file": {"file_id": "f"}}), "messages.0.content.0.file.file_id"),
        (c_image(url="https://x", detail="low"), "messages.0.content.0.image_url.detail"),
        (c_image(url="data:image/tiff;base64,AA=="), "messages.0.content.0.image_url.url"),
    ],
)  # fmt: skip
def test_what_messages_cannot_say_is_refused_by_name(asked: dict[str, Any], field: str) -> None:
    with pytest.raises(Unsupported) as caught:
        request_to_messages(asked, MOST)
    assert caught.value.violations[0].field == field


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, {"max_tokens": MOST}),
        ({"max_tokens": 5}, {"max_tokens": 5}),
        ({"stop": "a"}, {"stop_sequences": ["a"]}),
        ({"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}),
        ({"n": 1, "logprobs": False, "store": True, "metadata": {"a": "b"}, "seed": None}, {}),
        ({"safety_identifier": "u"}, {"metadata": {"user_id": "u"}}),
        ({"parallel_tool_calls": False}, {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}),
        ({"parallel_tool_calls": True}, {}),
        ({"thinking": BUDGET}, {"thinking": BUDGET}),
        (
            {"tools": [{"type": "function", "function": {"name": "f"}} | MARK]},
            {"tools": [{"name": "f", "input_schema": {"type": "object", "properties": {}}} | MARK]},
        ),
    ],
)  # fmt: skip
def test_what_chat_completions_say_their_own_way(asked: dict[str, Any], expected: dict[str, Any]) -> None:
    assert (
        request_to_messages(C_ASKED | asked, MOST) == {"model": "m", "messages": HELLO, "max_tokens": MOST} | expected
    )


def test_marks_for_a_prompt_cache_reach_those_who_know_them() -> None:
    part = {"type": "text", "text": "long"} | MARK
    system = [{"role": "system", "content": [part]}]
    asked = C_ASKED | {"messages": [*system, {"role": "user", "content": [part]}]}
    told = request_to_messages(asked, MOST)
    assert told["system"] == told["messages"][0]["content"] == [part]
    # OpenAI's servers keep a cache without being asked, and refuse the mark.
    assert b"cache_control" not in orjson.dumps(request_to_chat(told))


def test_reasoning_goes_back_to_the_model_that_signed_it_and_to_no_other() -> None:
    thought = {"type": "thinking", "thinking": "so", "signature": "s"}
    answer = {"id": "m", "model": "x", "content": [thought, {"type": "text", "text": "a"}], "stop_reason": "end_turn"}
    message = answer_to_chat(answer, Ending(Tokens(), "end_turn"), NOW)["choices"][0]["message"]
    assert (message["reasoning_content"], message["thinking_blocks"]) == ("so", [thought])
    told = request_to_messages(C_ASKED | {"messages": [*HELLO, message, *HELLO]}, MOST)["messages"][1]
    assert told["content"] == answer["content"]
    assert request_to_chat(M_ASKED | {"messages": [*HELLO, told, *HELLO]})["messages"][1] == {
        "role": "assistant", "content": "a",
    }  # fmt: skip


def test_what_an_agent_of_anthropics_sends_besides_is_understood() -> None:
    """A request as coding agents make them: marks, an owner, thinking as the model likes, thinking to be cleared."""
    mark = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    asked = M_ASKED | {
        "system": [{"type": "text", "text": "You write code."} | mark, {"type": "text", "text": "Be brief."} | mark],
        "tools": [{"name": "read", "description": "d", "input_schema": {"type": "object"}} | mark],
        "thinking": {"type": "adaptive"},
        "metadata": {"user_id": "user_1"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "stream": True,
        "temperature": 1,
    }
    told = request_to_chat(asked)
    assert told.keys() == {"model", "messages", "tools", "max_completion_tokens", "stream", "temperature", "user"}
    assert [part["text"] for part in told["messages"][0]["content"]] == ["You write code.", "Be brief."]


def test_images_in_a_tools_result_are_shown_by_the_user() -> None:
    image = {"type": "image", "source": {"type": "url", "url": "https://x"}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "seen"}, image]}
    told = request_to_chat(m_said(result, {"type": "text", "text": "What is it?"}))["messages"]
    assert told[0] == {"role": "tool", "tool_call_id": "t", "content": "seen"}
    assert told[1]["content"][0]["text"] == "Images of the tool result t:"
    assert [part["type"] for part in told[1]["content"]] == ["text", "image_url", "text"]
