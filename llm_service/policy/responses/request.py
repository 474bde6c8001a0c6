"""A request of responses as one of chat completions."""

from typing import Any

from llm_service.policy.refusals import bad, unsupported
from llm_service.policy.responses.document import items_of

SAME = ("model", "stream", "temperature", "top_p", "parallel_tool_calls", "user", "service_tier", "safety_identifier")
SAID_OTHERWISE = (
    "input", "instructions", "max_output_tokens", "tools", "tool_choice", "text", "reasoning", "include",
    "top_logprobs", "truncation", "stream_options", "max_tool_calls",
)  # fmt: skip
LEFT_OUT = ("store", "previous_response_id", "metadata", "background", "prompt_cache_key", "conversation", "prompt")
"""What says nothing about the answer, or was seen to before."""
ONLY_HERE = ("access_programs", "background_options", "context_management", "image")
"""What chat completions have no word for: a lenient server would overlook it."""
AS_IF_ABSENT: dict[str, tuple[Any, ...]] = {
    "async": (None, False), "allowed_callers": (None, ["direct"]), "defer_loading": (None, False),
    "output_schema": (None,), "namespace": (None,), "caller": (None, {"type": "direct"}),
    "context": (None, "auto"), "mode": (None, "standard"), "include_obfuscation": (None, False),
}  # fmt: skip
"""Of tools, their calls, thoughts and streams: what may be said as long as it asks for nothing."""
LOGPROBS = "message.output_text.logprobs"
ENCRYPTED = "reasoning.encrypted_content"


def chat_request(document: dict[str, Any]) -> dict[str, Any]:
    """The same request. What neither format knows passes: some servers' own parameters. Unsupported, BadDocument."""
    known = (*SAME, *SAID_OTHERWISE, *LEFT_OUT)
    chat: dict[str, Any] = {key: document[key] for key in SAME if document.get(key) is not None}
    chat |= {key: value for key, value in document.items() if key not in known}
    chat["messages"] = messages_of(document)
    if document.get("max_output_tokens") is not None:
        chat["max_tokens"] = document["max_output_tokens"]
    if document.get("truncation") not in (None, "disabled"):
        unsupported("truncation")
    for key in ONLY_HERE:
        if document.get(key):
            unsupported(key)
    if isinstance(document.get("stream_options"), dict):
        _check_idle(document["stream_options"], "stream_options")
    return chat | _tools(document) | _form(document) | _thinking(document) | _probabilities(document)


def messages_of(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Instructions and items as messages: calls of tools belong to the assistant's turn that made them."""
    told: list[dict[str, Any]] = []
    if document.get("instructions"):
        told.append({"role": "system", "content": _instructions(document["instructions"])})
    for index, item in enumerate(items_of(document)):
        where = f"input[{index}]"
        match item.get("type", "message"):
            case "message":
                told.append(_message(item, where))
            case "function_call":
                _add_call(told, item, where)
            case "function_call_output":
                told.append(_tool_result(item, where))
            case "reasoning":
                # What a model thought is no part of the conversation for another.
                continue
            case _:
                unsupported(where)
    return told


def _instructions(given: Any) -> str:
    if not isinstance(given, str):
        bad("instructions", "must be a text")
    return given


def _message(item: dict[str, Any], where: str) -> dict[str, Any]:
    role, content = item.get("role"), item.get("content")
    if role not in ("user", "assistant", "system", "developer"):
        bad(f"{where}.role", "must be user, assistant, system or developer")
    # Few models but OpenAI's own know a developer.
    role = "system" if role == "developer" else role
    if isinstance(content, str):
        return {"role": role, "content": content}
    if not isinstance(content, list):
        bad(f"{where}.content", "must be a text or a list of parts")
    parts = [_part(part, f"{where}.content[{place}]") for place, part in enumerate(content)]
    texts = [part["text"] for part in parts if part["type"] == "text"]
    return {"role": role, "content": "".join(texts) if len(texts) == len(parts) else parts}


def _part(part: Any, where: str) -> dict[str, Any]:
    if not isinstance(part, dict):
        bad(where, "must be an object")
    kind = part.get("type")
    if kind in ("input_text", "output_text", "text"):
        return {"type": "text", "text": _text(part, "text", where)}
    if kind == "refusal":
        return {"type": "text", "text": _text(part, "refusal", where)}
    if kind == "input_image":
        image = {"url": _text(part, "image_url", where)}
        return {"type": "image_url", "image_url": image | _given(part, "detail")}
    if kind != "input_file" or part.get("file_data") is None:
        unsupported(where)
    return {"type": "file", "file": {"file_data": part["file_data"]} | _given(part, "filename")}


def _check_idle(found: dict[str, Any], where: str) -> None:
    for key, idle in AS_IF_ABSENT.items():
        if found.get(key) not in idle:
            unsupported(f"{where}.{key}")


def _add_call(told: list[dict[str, Any]], item: dict[str, Any], where: str) -> None:
    _check_idle(item, where)
    function = {"name": _text(item, "name", where), "arguments": _text(item, "arguments", where)}
    call = {"id": _text(item, "call_id", where), "type": "function", "function": function}
    if not told or told[-1]["role"] != "assistant":
        told.append({"role": "assistant", "content": None})
    told[-1].setdefault("tool_calls", []).append(call)


def _tool_result(item: dict[str, Any], where: str) -> dict[str, Any]:
    output = item.get("output")
    if isinstance(output, list):
        parts = [_part(part, f"{where}.output[{place}]") for place, part in enumerate(output)]
        if any(part["type"] != "text" for part in parts):
            unsupported(f"{where}.output")
        output = "".join(part["text"] for part in parts)
    if not isinstance(output, str):
        bad(f"{where}.output", "must be a text or a list of parts")
    return {"role": "tool", "tool_call_id": _text(item, "call_id", where), "content": output}


def _tools(document: dict[str, Any]) -> dict[str, Any]:
    chat: dict[str, Any] = {}
    if tools := document.get("tools"):
        chat["tools"] = [_tool(tool, f"tools[{index}]") for index, tool in enumerate(tools)]
    choice = document.get("tool_choice")
    if isinstance(choice, dict):
        if choice.get("type") != "function":
            unsupported("tool_choice")
        choice = {"type": "function", "function": {"name": _text(choice, "name", "tool_choice")}}
    # Without tools a choice says nothing, and some servers refuse it.
    return chat | ({"tool_choice": choice} if choice is not None and tools else {})


def _tool(tool: dict[str, Any], where: str) -> dict[str, Any]:
    if tool.get("type") != "function":
        unsupported(where)
    _check_idle(tool, where)
    keys = ("name", "description", "parameters", "strict")
    return {"type": "function", "function": {key: tool[key] for key in keys if tool.get(key) is not None}}


def _form(document: dict[str, Any]) -> dict[str, Any]:
    text = document.get("text") or {}
    if not isinstance(text, dict):
        bad("text", "must be an object")
    chat: dict[str, Any] = {"verbosity": text["verbosity"]} if text.get("verbosity") not in (None, "medium") else {}
    wanted = text.get("format") or {"type": "text"}
    kind = wanted.get("type") if isinstance(wanted, dict) else None
    if kind not in ("text", "json_object", "json_schema"):
        unsupported("text.format")
    if kind == "text":
        return chat
    schema = {key: value for key, value in wanted.items() if key != "type" and value is not None}
    return chat | {"response_format": {"type": kind} | ({"json_schema": schema} if kind == "json_schema" else {})}


def _thinking(document: dict[str, Any]) -> dict[str, Any]:
    reasoning = document.get("reasoning") or {}
    if not isinstance(reasoning, dict):
        bad("reasoning", "must be an object")
    _check_idle(reasoning, "reasoning")
    return {"reasoning_effort": reasoning["effort"]} if reasoning.get("effort") is not None else {}


def _probabilities(document: dict[str, Any]) -> dict[str, Any]:
    wanted = document.get("include") or []
    if not isinstance(wanted, list) or any(name not in (LOGPROBS, ENCRYPTED) for name in wanted):
        unsupported("include")
    if LOGPROBS not in wanted and not document.get("top_logprobs"):
        return {}
    return {"logprobs": True} | _given(document, "top_logprobs")


def _given(found: dict[str, Any], key: str) -> dict[str, Any]:
    return {key: found[key]} if found.get(key) is not None else {}


def _text(found: dict[str, Any], key: str, where: str) -> str:
    value = found.get(key)
    if not isinstance(value, str):
        bad(f"{where}.{key}", "must be a text")
    return value
