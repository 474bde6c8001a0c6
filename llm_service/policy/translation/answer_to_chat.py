"""An answer of Anthropic's messages as one of OpenAI's chat completions."""

from typing import Any

import orjson

from llm_service.domain.calls import Ending
from llm_service.domain.errors import ProviderBadAnswer
from llm_service.policy.translation.words import FINISH_REASONS, id_for_chat, usage_for_chat


def answer_to_chat(answer: dict[str, Any], ending: Ending, created: int) -> dict[str, Any]:
    """The same answer. ProviderBadAnswer for blocks that nobody who speaks this format can have asked for."""
    try:
        message = _message(answer["content"])
    except (KeyError, TypeError, AttributeError) as error:
        raise ProviderBadAnswer from error
    if answer.get("stop_reason") == "refusal":
        message["refusal"] = refusal_of(answer)
    finish = FINISH_REASONS.get(answer.get("stop_reason") or "", "stop")
    return {
        "id": id_for_chat(answer.get("id")),
        "object": "chat.completion",
        "created": created,
        "model": str(answer.get("model") or ""),
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
        "usage": usage_for_chat(ending.tokens),
    }


def refusal_of(told: dict[str, Any]) -> str | None:
    """Why the model refused, where it says so."""
    details = told.get("stop_details")
    explanation = details.get("explanation") if isinstance(details, dict) else None
    return explanation if isinstance(explanation, str) else None


def tool_call(block: dict[str, Any]) -> dict[str, Any]:
    """A call of a tool."""
    function = {"name": block["name"], "arguments": orjson.dumps(block["input"]).decode()}
    return {"id": block["id"], "type": "function", "function": function}


def _message(blocks: list[dict[str, Any]]) -> dict[str, Any]:
    said: list[str] = []
    thoughts: list[dict[str, Any]] = []
    calls: list[dict[str, Any]] = []
    for block in blocks:
        match block["type"]:
            case "text":
                said.append(block["text"])
            case "thinking" | "redacted_thinking":
                thoughts.append(block)
            case "tool_use":
                calls.append(tool_call(block))
            case _:
                raise ProviderBadAnswer("The provider answered with what this format cannot say.")
    message: dict[str, Any] = {"role": "assistant", "content": "".join(said) if said else None, "refusal": None}
    if thoughts:
        message["reasoning_content"] = "".join(block.get("thinking", "") for block in thoughts)
        # With their signatures: sent back in the next request, they are the model's own again.
        message["thinking_blocks"] = thoughts
    return message | ({"tool_calls": calls} if calls else {})
