"""A request of Anthropic's messages as one of OpenAI's chat completions."""

from collections.abc import Iterator
from typing import Any

import orjson

from llm_service.policy.translation.fields import (
    at,
    bad,
    compact,
    given,
    member,
    objects,
    one_of,
    text,
    texts,
    unsupported,
)
from llm_service.policy.translation.media import document_to_chat, image_to_chat
from llm_service.policy.translation.words import EFFORTS, ERROR_MARK, TIERS_TO_CHAT, effort_of_budget

FIELDS = frozenset(
    (
        "model", "messages", "max_tokens", "system", "stop_sequences", "temperature", "top_p", "top_k", "metadata",
        "tools", "tool_choice", "thinking", "output_config", "service_tier", "speed", "stream", "cache_control",
        "context_management",
    )
)  # fmt: skip
SAME = ("model", "temperature", "top_p", "top_k", "stream")
PRIVATE = ("thinking", "redacted_thinking")
"""What a model thought in an earlier turn is no part of the conversation, and means nothing to another model."""
ANSWER = "answer"
"""OpenAI wants a schema to have a name."""


def request_to_chat(document: dict[str, Any]) -> dict[str, Any]:
    """The same request. Unsupported, BadDocument."""
    asked = given(document, FIELDS)
    chat: dict[str, Any] = {key: asked[key] for key in SAME if key in asked}
    chat["messages"] = [*_system(asked), *_conversation(asked.get("messages"))]
    if not asked.get("max_tokens"):
        # Nothing is to be written, only a prompt cache warmed.
        unsupported("max_tokens")
    chat["max_completion_tokens"] = asked["max_tokens"]
    if "stop_sequences" in asked:
        chat["stop"] = texts(asked["stop_sequences"], "stop_sequences")
    if user := given(member(asked, "metadata"), ("user_id",), "metadata").get("user_id"):
        chat["user"] = user
    if "service_tier" in asked:
        chat["service_tier"] = one_of(asked["service_tier"], TIERS_TO_CHAT, "service_tier")
    if asked.get("speed", "standard") != "standard":
        unsupported("speed")
    _check_edits(asked)
    return chat | _tools(asked) | _thinking(asked) | _output(asked)


def _check_edits(asked: dict[str, Any]) -> None:
    """Of what is to be cleared from the context, thinking is never in it; results of tools would be missed."""
    edits = given(member(asked, "context_management"), ("edits",), "context_management").get("edits", [])
    for where, edit in objects(edits, "context_management.edits"):
        if not str(edit.get("type")).startswith("clear_thinking_"):
            unsupported(where)


def _system(asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if asked.get("system"):
        yield {"role": "system", "content": _texts_only(asked["system"], "system")}


def _conversation(messages: Any) -> Iterator[dict[str, Any]]:
    role = ""
    for where, message in objects(messages, "messages"):
        said = given(message, ("role", "content"), where)
        role, content = said.get("role", ""), said.get("content", "")
        place = at(where, "content")
        if role == "system":
            yield {"role": "system", "content": _texts_only(content, place)}
        elif role in ("user", "assistant"):
            if isinstance(content, str):
                yield {"role": role, "content": content}
            elif role == "user":
                yield from _user(content, place)
            else:
                yield _assistant(content, place)
        else:
            bad(at(where, "role"), "must be user, assistant or system")
    if role == "assistant":
        # There a last turn of the assistant is gone on with; here it would be answered.
        unsupported(where)


def _texts_only(content: Any, where: str) -> str | list[dict[str, Any]]:
    if isinstance(content, str):
        return content
    return compact([_text(block, place) for place, block in objects(content, where)])


def _text(block: dict[str, Any], where: str) -> dict[str, Any]:
    if block.get("type") != "text":
        unsupported(where)
    found = given(block, ("type", "text", "cache_control", "citations"), where)
    if found.get("citations"):
        unsupported(at(where, "citations"))
    return {"type": "text", "text": text(found, "text", where)}


def _user(content: Any, where: str) -> Iterator[dict[str, Any]]:
    """Results of tools first, each a message of its own; then the rest. Their images are said by the user."""
    parts: list[dict[str, Any]] = []
    rest: list[dict[str, Any]] = []
    for place, block in objects(content, where):
        match block.get("type"):
            case "tool_result":
                if rest:
                    bad(place, "must come before other blocks")
                result, images = _tool_result(block, place)
                yield result
                parts += images
            case "image":
                rest.append(image_to_chat(block, place))
            case "document":
                rest += document_to_chat(block, place)
            case _:
                rest.append(_text(block, place))
    parts += rest
    if parts:
        yield {"role": "user", "content": compact(parts)}


def _tool_result(block: dict[str, Any], where: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    found = given(block, ("type", "tool_use_id", "content", "is_error", "cache_control"), where)
    call_id = text(found, "tool_use_id", where)
    said: list[dict[str, Any]] = []
    images: list[dict[str, Any]] = []
    content = found.get("content", "")
    if isinstance(content, str):
        said.append({"type": "text", "text": content})
    else:
        for place, inner in objects(content, at(where, "content")):
            if inner.get("type") == "image":
                images.append(image_to_chat(inner, place))
            else:
                said.append(_text(inner, place))
    if images:
        images.insert(0, {"type": "text", "text": f"Images of the tool result {call_id}:"})
    if found.get("is_error"):
        said = [{"type": "text", "text": ERROR_MARK + said[0]["text"]}, *said[1:]] if said else [_ERROR]
    return {"role": "tool", "tool_call_id": call_id, "content": compact(said)}, images


_ERROR = {"type": "text", "text": ERROR_MARK}


def _assistant(content: Any, where: str) -> dict[str, Any]:
    parts: list[dict[str, Any]] = []
    calls: list[dict[str, Any]] = []
    thoughts = ""
    for place, block in objects(content, where):
        kind = block.get("type")
        if kind == "tool_use":
            calls.append(_tool_call(block, place))
        elif kind in PRIVATE:
            # Unsigned, it is what a model of the other format told of its reasoning, in its own field.
            thoughts += "" if block.get("signature") else str(block.get("thinking") or "")
        elif calls:
            # There a text may come after a call; here it cannot.
            unsupported(place)
        else:
            parts.append(_text(block, place))
    message: dict[str, Any] = {"role": "assistant", "content": compact(parts) if parts or not calls else None}
    if thoughts:
        message["reasoning_content"] = thoughts
    return message | ({"tool_calls": calls} if calls else {})


def _tool_call(block: dict[str, Any], where: str) -> dict[str, Any]:
    found = given(block, ("type", "id", "name", "input", "cache_control", "caller"), where)
    if member(found, "caller", where).get("type", "direct") != "direct":
        unsupported(at(where, "caller"))
    arguments = orjson.dumps(member(found, "input", where)).decode()
    function = {"name": text(found, "name", where), "arguments": arguments}
    return {"id": text(found, "id", where), "type": "function", "function": function}


def _tools(asked: dict[str, Any]) -> dict[str, Any]:
    chat: dict[str, Any] = {}
    if asked.get("tools"):
        chat["tools"] = [_tool(tool, where) for where, tool in objects(asked["tools"], "tools")]
    choice = member(asked, "tool_choice")
    if not choice:
        return chat
    found = given(choice, ("type", "name", "disable_parallel_tool_use"), "tool_choice")
    if found.get("disable_parallel_tool_use"):
        chat["parallel_tool_calls"] = False
    if found.get("type") == "tool":
        chat["tool_choice"] = {"type": "function", "function": {"name": text(found, "name", "tool_choice")}}
    else:
        words = {"auto": "auto", "any": "required", "none": "none"}
        chat["tool_choice"] = one_of(found.get("type"), words, "tool_choice.type")
    return chat


def _tool(tool: dict[str, Any], where: str) -> dict[str, Any]:
    if tool.get("type", "custom") not in ("custom", None):
        # A tool that Anthropic's own servers run, or that its models were taught.
        unsupported(at(where, "type"))
    known = ("type", "name", "description", "input_schema", "strict", "cache_control", "eager_input_streaming")
    found = given(tool, known, where)
    function = {"name": text(found, "name", where)}
    function |= {key: found[key] for key in ("description", "strict") if key in found}
    return {"type": "function", "function": function | {"parameters": found.get("input_schema", {})}}


def _thinking(asked: dict[str, Any]) -> dict[str, Any]:
    """Not to think is what a request means that asks for nothing; and a stated effort says more than a budget."""
    found = given(member(asked, "thinking") or {"type": "disabled"}, ("type", "budget_tokens", "display"), "thinking")
    if found.get("display", "summarized") != "summarized":
        unsupported("thinking.display")
    if found.get("type") not in ("enabled", "adaptive", "disabled"):
        unsupported("thinking.type")
    effort = member(asked, "output_config").get("effort")
    if effort:
        return {"reasoning_effort": one_of(effort, EFFORTS, "output_config.effort")}
    if found.get("type") == "enabled":
        budget = found.get("budget_tokens")
        if not isinstance(budget, int):
            bad("thinking.budget_tokens", "must be a whole number")
        return {"reasoning_effort": effort_of_budget(budget)}
    return {}


def _output(asked: dict[str, Any]) -> dict[str, Any]:
    wanted = given(member(asked, "output_config"), ("effort", "format"), "output_config").get("format")
    if not wanted:
        return {}
    found = given(wanted, ("type", "schema"), "output_config.format")
    if found.get("type") != "json_schema" or not isinstance(found.get("schema"), dict):
        unsupported("output_config.format")
    schema = {"name": ANSWER, "schema": found["schema"], "strict": True}
    return {"response_format": {"type": "json_schema", "json_schema": schema}}
