"""An answer of OpenAI's chat completions as one of Anthropic's messages."""

import secrets
from typing import Any

import orjson

from llm_service.domain.calls import Ending
from llm_service.domain.errors import ProviderBadAnswer
from llm_service.policy.said import calls_of, text_of, thought_of
from llm_service.policy.translation.words import STOP_REASONS, id_for_messages, usage_for_messages


def answer_to_messages(answer: dict[str, Any], ending: Ending) -> dict[str, Any]:
    """The same answer. ProviderBadAnswer for a call of a tool whose arguments are no object."""
    try:
        choice = answer["choices"][0]
        content = _blocks(choice["message"])
    except (KeyError, IndexError, TypeError, AttributeError, orjson.JSONDecodeError) as error:
        raise ProviderBadAnswer from error
    reason, sequence = stop_of(choice, calls=any(block["type"] == "tool_use" for block in content))
    if choice["message"].get("refusal"):
        reason = "refusal"
    return {
        "id": id_for_messages(answer.get("id")),
        "type": "message",
        "role": "assistant",
        "model": str(answer.get("model") or ""),
        "content": content,
        "stop_reason": reason,
        "stop_sequence": sequence,
        "usage": usage_for_messages(ending.tokens),
    }


def stop_of(choice: dict[str, Any], *, calls: bool) -> tuple[str, str | None]:
    """Why the model stopped, and at which text, where the server tells it (vLLM does)."""
    found = STOP_REASONS.get(choice.get("finish_reason") or "", "end_turn")
    if found == "end_turn" and calls:
        return "tool_use", None
    sequence = choice.get("stop_reason")
    return ("stop_sequence", sequence) if found == "end_turn" and isinstance(sequence, str) else (found, None)


def id_of(call: dict[str, Any]) -> str:
    """A call's id; one of ours where its server has none, since the result is told by it."""
    return str(call.get("id") or f"toolu_{secrets.token_hex(12)}")


def _blocks(message: dict[str, Any]) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if thought := thought_of(message):
        # Nobody signed it: it is told, and cannot be given back to a model of Anthropic's.
        blocks.append({"type": "thinking", "thinking": thought, "signature": ""})
    if said := text_of(message) + (message.get("refusal") or ""):
        blocks.append({"type": "text", "text": said})
    for call in calls_of(message):
        arguments = orjson.loads(call["function"]["arguments"] or "{}")
        if not isinstance(arguments, dict):
            raise ProviderBadAnswer("The model called a tool with arguments that are no object.")
        name = call["function"]["name"]
        blocks.append({"type": "tool_use", "id": id_of(call), "name": name, "input": arguments})
    return blocks
