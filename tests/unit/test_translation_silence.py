"""Nothing that a client asks is dropped without a word: each field that an official SDK knows is told to the model of
another format, or refused by its name, or stands here as one that asks for nothing.
"""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import orjson
import pytest
from anthropic.types.beta.message_create_params import MessageCreateParamsBase as Beta
from anthropic.types.message_create_params import MessageCreateParamsBase as Messages
from openai.types.chat.completion_create_params import CompletionCreateParamsBase as Chat
from openai.types.responses.response_create_params import ResponseCreateParamsBase as Responses

from chassis.errors import PlatformError
from llm_service.policy.responses.document import read_responses
from llm_service.policy.responses.request import chat_request
from llm_service.policy.translation.request_to_chat import request_to_chat
from llm_service.policy.translation.request_to_messages import request_to_messages
from tests.standins.variations import Variation, variations

HIDING = {"include_obfuscation": True}
HELLO = [{"role": "user", "content": "hi"}]
IDLE = {
    "messages": r"""
        .*cache_control(\.ttl|\.type)? | context_management(\.edits\[0\](\.keep)?)? | metadata | output_config | speed
        | .*citations | thinking(\.display)? | tools\[0\]\.(eager_input_streaming|type)
        | .*content\[0\]   # of a text, its only part
    """,
    "chat": r"""
        metadata | store | prompt_cache_(key|retention) | stream_options(\.include_usage)? | n
        | modalities\[0\] | parallel_tool_calls | response_format | .*image_url\.detail
        | messages\[0\](\.content\[0\])?
    """,
    "responses": r"""
        metadata | store | prompt_cache_key | max_tool_calls | previous_response_id | stream_options | truncation
        | text(\.format|\.verbosity)? | tool_choice   # there is no tool to choose
        | reasoning(\.(summary|generate_summary|context|mode))?   # thoughts are told in full
        | include\[0\] | tools\[0\]\.allowed_callers\[0\]
        | input\[0\]\.(id|status|phase|type|caller|encrypted_content)   # of what was said before
        | input\[0\]\.content\[0\](\.(annotations|logprobs)\[0\]|\.prompt_cache_breakpoint(\.ttl|\.mode)?)?
    """,
}
"""Hints to caches, defaults said aloud, and what is told of the past; patterns of places."""


def _to_chat(document: dict[str, Any]) -> Any:
    return request_to_chat({"model": "m", "max_tokens": 9, "messages": HELLO} | document)


def _to_messages(document: dict[str, Any]) -> Any:
    return request_to_messages({"model": "m", "messages": HELLO} | document, 9)


def _to_chat_from_responses(document: dict[str, Any]) -> Any:
    return chat_request(read_responses(orjson.dumps({"model": "m", "input": "hi"} | document)))


def _only(field: str, document: Any) -> dict[str, Any]:
    """Of what a request must have, its own model and messages would hide what is looked for."""
    return {key: value for key, value in document.items() if key == field}


def _outcome(translate: Callable[[dict[str, Any]], Any], document: dict[str, Any]) -> Any:
    try:
        return translate(document)
    except PlatformError as error:
        return error


def _silent(translate: Callable[[dict[str, Any]], Any], found: Variation) -> bool:
    field = re.split(r"[.\[]", found.place)[0]
    told = _outcome(translate, _only(field, found.value))
    if isinstance(told, PlatformError):
        # Who is refused is told what for.
        return not told.metadata.get("param")
    return bool(told == _outcome(translate, _only(field, found.without or {})))


@pytest.mark.parametrize(
    ("kind", "name", "translate"),
    [
        (Messages, "messages", _to_chat),
        (Beta, "messages", _to_chat),
        (Chat, "chat", _to_messages),
        (Responses, "responses", _to_chat_from_responses),
    ],
    ids=["messages", "beta messages", "chat", "responses"],
)
def test_each_field_is_told_or_refused(kind: Any, name: str, translate: Callable[[dict[str, Any]], Any]) -> None:
    idle = re.compile(IDLE[name], re.VERBOSE)
    found = [one for one in variations(kind) if one.place]
    assert len(found) > 100
    dropped = filter(partial(_silent, translate), found)
    assert not [one for one in dropped if not idle.fullmatch(one.place)]


@pytest.mark.parametrize(
    ("translate", "document", "field"),
    [
        (_to_messages, {"stream_options": HIDING}, "stream_options.include_obfuscation"),
        (
            _to_chat_from_responses,
            {"stream_options": HIDING},
            "stream_options.include_obfuscation",
        ),
        (_to_chat_from_responses, {"reasoning": {"mode": "pro"}}, "reasoning.mode"),
        (_to_chat_from_responses, {"reasoning": {"context": "all_turns"}}, "reasoning.context"),
        (_to_chat_from_responses, {"tools": [{"type": "function", "defer_loading": True}]}, "tools[0].defer_loading"),
        (_to_chat_from_responses, {"context_management": [{"type": "compaction"}]}, "context_management"),
    ],
)
def test_a_value_that_asks_for_something_is_refused(
    translate: Callable[[dict[str, Any]], Any], document: dict[str, Any], field: str
) -> None:
    refused = _outcome(translate, document)
    assert isinstance(refused, PlatformError)
    assert refused.metadata["param"] == field
