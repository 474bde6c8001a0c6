"""A request of OpenAI's chat completions as one of Anthropic's messages."""

from typing import Any

import orjson

from llm_service.policy.translation.fields import at, bad, compact, given, objects, one_of, text, texts, unsupported
from llm_service.policy.translation.media import file_to_messages, image_to_messages
from llm_service.policy.translation.words import EFFORTS, ERROR_MARK, TIERS_TO_MESSAGES

FIELDS = frozenset(
    (
        "model", "messages", "max_tokens", "max_completion_tokens", "temperature", "top_p", "top_k", "stop", "stream",
        "stream_options", "tools", "tool_choice", "parallel_tool_calls", "response_format", "reasoning_effort",
        "thinking", "user", "safety_identifier", "service_tier",
    )
)  # fmt: skip
LEFT_OUT = frozenset(("metadata", "store", "prompt_cache_key", "prompt_cache_retention"))
"""What says nothing about the answer."""
SAME = ("model", "top_p", "top_k", "stream", "thinking")
AS_IF_ABSENT: dict[str, Any] = {
    "n": 1, "logprobs": False, "frequency_penalty": 0, "presence_penalty": 0, "logit_bias": {}, "modalities": ["text"],
    "functions": [],
}  # fmt: skip
"""What may be said as long as it asks for nothing."""
SYSTEM = ("system", "developer")
ANY_OBJECT = {"type": "object", "properties": {}}


def request_to_messages(document: dict[str, Any], most_tokens: int) -> dict[str, Any]:
    """The same request. `most_tokens`: what may be written where the client says nothing. Unsupported, BadDocument."""
    said = {key: value for key, value in document.items() if AS_IF_ABSENT.get(key, ...) != value}
    asked = given(said, FIELDS | LEFT_OUT)
    messages: dict[str, Any] = {key: asked[key] for key in SAME if key in asked}
    messages["max_tokens"] = asked.get("max_completion_tokens") or asked.get("max_tokens") or most_tokens
    messages |= _conversation(asked.get("messages"))
    if "temperature" in asked:
        if not isinstance(asked["temperature"], int | float) or asked["temperature"] > 1:
            unsupported("temperature")
        messages["temperature"] = asked["temperature"]
    if "stop" in asked:
        stop = asked["stop"]
        messages["stop_sequences"] = [stop] if isinstance(stop, str) else texts(stop, "stop")
    options = asked.get("stream_options")
    if isinstance(options, dict) and options.get("include_obfuscation"):
        unsupported("stream_options.include_obfuscation")
    if user := asked.get("user") or asked.get("safety_identifier"):
        messages["metadata"] = {"user_id": user}
    if "service_tier" in asked:
        messages["service_tier"] = one_of(asked["service_tier"], TIERS_TO_MESSAGES, "service_tier")
    return messages | _tools(asked) | _output(asked)


def _conversation(messages: Any) -> dict[str, Any]:
    system: list[dict[str, Any]] = []
    told: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    role = ""
    for where, message in objects(messages, "messages"):
        role = str(message.get("role"))
        if role == "tool":
            results.append(_tool_result(message, where))
            continue
        if results and role != "user":
            told.append({"role": "user", "content": results})
            results = []
        if role in SYSTEM:
            content = _parts(given(message, ("role", "content"), where).get("content"), at(where, "content"), _text)
            if told:
                told.append({"role": "system", "content": compact(content)})
            else:
                system += content
        elif role == "user":
            content = _parts(given(message, ("role", "content"), where).get("content"), at(where, "content"), _part)
            told.append({"role": "user", "content": [*results, *content] if results else compact(content)})
            results = []
        elif role == "assistant":
            told.append(_assistant(message, where))
        else:
            unsupported(at(where, "role"))
    if results:
        told.append({"role": "user", "content": results})
    if role == "assistant":
        # Here a last turn of the assistant is answered; there it would be gone on with.
        unsupported(where)
    return ({"system": compact(system)} if system else {}) | {"messages": told}


def _parts(content: Any, where: str, read: Any) -> list[dict[str, Any]]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return [read(part, place) for place, part in objects(content or [], where)]


def _text(part: dict[str, Any], where: str) -> dict[str, Any]:
    if part.get("type") == "refusal":
        return {"type": "text", "text": text(part, "refusal", where)}
    if part.get("type") != "text":
        unsupported(where)
    found = given(part, ("type", "text", "cache_control"), where)
    return {"type": "text", "text": text(found, "text", where)} | _marked(found)


def _part(part: dict[str, Any], where: str) -> dict[str, Any]:
    match part.get("type"):
        case "image_url":
            found = given(part, ("type", "image_url", "cache_control"), where)
            return image_to_messages(found, where) | _marked(found)
        case "file":
            found = given(part, ("type", "file", "cache_control"), where)
            return file_to_messages(found, where) | _marked(found)
    return _text(part, where)


def _marked(part: dict[str, Any]) -> dict[str, Any]:
    """A mark for the prompt cache, as clients of OpenAI's format send it to those who know it."""
    return {"cache_control": part["cache_control"]} if "cache_control" in part else {}


def _tool_result(message: dict[str, Any], where: str) -> dict[str, Any]:
    found = given(message, ("role", "tool_call_id", "content"), where)
    parts = _parts(found.get("content"), at(where, "content"), _text)
    block: dict[str, Any] = {"type": "tool_result", "tool_use_id": text(found, "tool_call_id", where)}
    if parts and parts[0]["text"].startswith(ERROR_MARK):
        parts[0]["text"] = parts[0]["text"].removeprefix(ERROR_MARK)
        block["is_error"] = True
    return block | {"content": compact(parts)}


def _assistant(message: dict[str, Any], where: str) -> dict[str, Any]:
    known = ("role", "content", "tool_calls", "refusal", "reasoning_content", "thinking_blocks")
    empty = {key: value for key, value in message.items() if key not in ("annotations", "reasoning") or value}
    found = given(empty, known, where)
    # Only what its own model signed can be given back to it; reasoning of others is no part of the conversation.
    blocks = [block for _, block in objects(found.get("thinking_blocks", []), at(where, "thinking_blocks"))]
    blocks += _parts(found.get("content"), at(where, "content"), _text)
    if found.get("refusal"):
        blocks.append({"type": "text", "text": text(found, "refusal", where)})
    calls = objects(found.get("tool_calls", []), at(where, "tool_calls"))
    blocks += [_tool_use(call, place) for place, call in calls]
    return {"role": "assistant", "content": compact(blocks)}


def _tool_use(call: dict[str, Any], where: str) -> dict[str, Any]:
    function = call.get("function")
    if call.get("type", "function") != "function" or not isinstance(function, dict):
        unsupported(at(where, "type"))
    given(function, ("name", "arguments"), at(where, "function"))
    place = at(where, "function")
    try:
        arguments = orjson.loads(text(function, "arguments", place) or "{}")
    except orjson.JSONDecodeError:
        arguments = None
    if not isinstance(arguments, dict):
        bad(at(place, "arguments"), "must be an object in JSON")
    name, call_id = text(function, "name", place), text(call, "id", where)
    return {"type": "tool_use", "id": call_id, "name": name, "input": arguments}


def _tools(asked: dict[str, Any]) -> dict[str, Any]:
    messages: dict[str, Any] = {}
    if asked.get("tools"):
        messages["tools"] = [_tool(tool, where) for where, tool in objects(asked["tools"], "tools")]
    choice: dict[str, Any] = {}
    told = asked.get("tool_choice")
    if isinstance(told, dict):
        function = told.get("function")
        if told.get("type") != "function" or not isinstance(function, dict):
            unsupported("tool_choice.type")
        choice = {"type": "tool", "name": text(function, "name", "tool_choice.function")}
    elif told is not None:
        choice = {"type": one_of(told, {"auto": "auto", "required": "any", "none": "none"}, "tool_choice")}
    if asked.get("parallel_tool_calls") is False and choice.get("type") != "none":
        choice = {"type": "auto"} | choice | {"disable_parallel_tool_use": True}
    return messages | ({"tool_choice": choice} if choice else {})


def _tool(tool: dict[str, Any], where: str) -> dict[str, Any]:
    told = given(tool, ("type", "function", "cache_control"), where)
    if told.get("type") != "function" or not isinstance(told.get("function"), dict):
        unsupported(at(where, "type"))
    place = at(where, "function")
    found = given(told["function"], ("name", "description", "parameters", "strict"), place)
    made = {"name": text(found, "name", place)}
    made |= {key: found[key] for key in ("description", "strict") if key in found}
    return made | {"input_schema": found.get("parameters") or ANY_OBJECT} | _marked(told)


def _output(asked: dict[str, Any]) -> dict[str, Any]:
    config: dict[str, Any] = {}
    thinking: dict[str, Any] = {}
    effort = asked.get("reasoning_effort")
    if effort == "none":
        thinking = {"thinking": {"type": "disabled"}}
    elif effort is not None:
        config["effort"] = one_of(effort, EFFORTS, "reasoning_effort")
        thinking = {"thinking": asked.get("thinking") or {"type": "adaptive"}}
    form = asked.get("response_format") or {"type": "text"}
    told = form.get("json_schema") if isinstance(form, dict) else None
    if isinstance(told, dict) and form.get("type") == "json_schema":
        found = given(told, ("name", "schema", "strict", "description"), "response_format.json_schema")
        schema = found.get("schema")
        if not isinstance(schema, dict):
            bad("response_format.json_schema.schema", "must be an object")
        if "description" in found:
            schema = {"description": found["description"]} | schema
        config["format"] = {"type": "json_schema", "schema": schema}
    elif form != {"type": "text"}:
        unsupported("response_format")
    return thinking | ({"output_config": config} if config else {})
