"""An answer of chat completions as a response: the response object, its items and its usage."""

import secrets
import time
from typing import Any

from llm_service.domain.calls import Tokens
from llm_service.policy.said import calls_of, text_of, thought_of

ECHOED: dict[str, Any] = {
    "instructions": None, "max_output_tokens": None, "max_tool_calls": None, "parallel_tool_calls": True,
    "previous_response_id": None, "reasoning": {"effort": None, "summary": None}, "service_tier": "default",
    "store": True, "temperature": None, "text": {"format": {"type": "text"}}, "tool_choice": "auto", "tools": [],
    "top_logprobs": 0, "top_p": None, "truncation": "disabled", "metadata": {}, "user": None,
}  # fmt: skip
"""What a response repeats of its request, with the defaults of the format."""
CUT = {"length": "max_output_tokens", "model_length": "max_output_tokens", "content_filter": "content_filter"}
"""Reasons to stop that leave a response incomplete."""


def new_id(kind: str) -> str:
    """An id that nobody can guess: resp, msg, fc, rs."""
    return f"{kind}_{secrets.token_hex(24)}"


def begun(document: dict[str, Any], model: str) -> dict[str, Any]:
    """The response to a request, as it is before anything was said."""
    echoed = {key: default if document.get(key) is None else document[key] for key, default in ECHOED.items()}
    return {
        "id": new_id("resp"),
        "object": "response",
        "created_at": int(time.time()),
        "status": "in_progress",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "model": model,
        "output": [],
        **echoed,
        "usage": None,
    }


def ended(response: dict[str, Any], output: list[dict[str, Any]], finish_reason: str, tokens: Tokens) -> dict[str, Any]:
    """The response once everything was said."""
    reason = CUT.get(finish_reason)
    return response | {
        "status": "incomplete" if reason else "completed",
        "incomplete_details": {"reason": reason} if reason else None,
        "output": output,
        "usage": usage_of(tokens),
    }


def response_of(document: dict[str, Any], chat: dict[str, Any], tokens: Tokens) -> dict[str, Any]:
    """The response that a whole answer is."""
    choice = (chat.get("choices") or [{}])[0]
    message, finish = choice.get("message") or {}, choice.get("finish_reason") or ""
    response = begun(document, str(chat.get("model") or document.get("model")))
    if isinstance(chat.get("created"), int) and chat["created"] > 0:
        response["created_at"] = chat["created"]
    status = "incomplete" if finish in CUT else "completed"
    output: list[dict[str, Any]] = []
    if thoughts := thought_of(message):
        output.append(reasoning_item(new_id("rs"), thoughts, "completed"))
    parts, calls = [], calls_of(message)
    if said := text_of(message):
        parts.append(text_part(said, _probabilities(choice), citations_of(message)))
    if message.get("refusal"):
        parts.append(refusal_part(message["refusal"]))
    if parts or not calls:
        output.append(message_item(new_id("msg"), parts, status))
    for call in calls:
        function = call.get("function") or {}
        arguments = function.get("arguments") or ""
        output.append(call_item(new_id("fc"), call.get("id") or "", function.get("name") or "", arguments, "completed"))
    return ended(response, output, finish, tokens)


def message_item(item_id: str, parts: list[dict[str, Any]], status: str) -> dict[str, Any]:
    """What the assistant says."""
    return {"id": item_id, "type": "message", "status": status, "role": "assistant", "content": parts}


def text_part(
    text: str, logprobs: list[dict[str, Any]] | None = None, citations: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    """A text in it."""
    return {"type": "output_text", "text": text, "annotations": citations or [], "logprobs": logprobs or []}


def citations_of(message: dict[str, Any]) -> list[dict[str, Any]]:
    """What a model that searches the web by itself says of its sources, in a message or a delta."""
    kind, told = "url_citation", message.get("annotations")
    found = [item for item in told if isinstance(item, dict)] if isinstance(told, list) else []
    return [{"type": kind} | item[kind] for item in found if isinstance(item.get(kind), dict)]


def refusal_part(text: str) -> dict[str, Any]:
    """A refusal in it."""
    return {"type": "refusal", "refusal": text}


def call_item(item_id: str, call_id: str, name: str, arguments: str, status: str) -> dict[str, Any]:
    """A call of the client's function."""
    return {
        "id": item_id, "type": "function_call", "status": status, "call_id": call_id, "name": name,
        "arguments": arguments,
    }  # fmt: skip


def reasoning_item(item_id: str, text: str, status: str) -> dict[str, Any]:
    """What the model thought."""
    content = [{"type": "reasoning_text", "text": text}] if text else []
    return {"id": item_id, "type": "reasoning", "status": status, "summary": [], "content": content}


def usage_of(tokens: Tokens) -> dict[str, Any]:
    """Tokens by the names of this format."""
    return {
        "input_tokens": tokens.input,
        "input_tokens_details": {"cached_tokens": tokens.cached},
        "output_tokens": tokens.output,
        "output_tokens_details": {"reasoning_tokens": tokens.reasoning},
        "total_tokens": tokens.input + tokens.output,
    }


def _probabilities(choice: dict[str, Any]) -> list[dict[str, Any]]:
    told = choice.get("logprobs")
    return logprobs_of(told) if isinstance(told, dict) else []


def logprobs_of(told: dict[str, Any]) -> list[dict[str, Any]]:
    """Probabilities of tokens; both formats tell them alike."""
    keys = ("token", "logprob", "bytes")
    return [
        {key: token.get(key) for key in keys}
        | {"top_logprobs": [{key: other.get(key) for key in keys} for other in token.get("top_logprobs") or ()]}
        for token in told.get("content") or ()
    ]
