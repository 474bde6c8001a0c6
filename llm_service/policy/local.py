"""What of a document reaches the local engine."""

from collections.abc import Mapping
from typing import Any

from chassis.errors import Violation
from llm_service.domain.errors import Unsupported

SAMPLING = frozenset(
    ["model", "stream", "stream_options", "max_tokens", "temperature", "top_p", "top_k", "min_p", "n", "stop", "seed"]
) | {"frequency_penalty", "presence_penalty", "repeat_penalty", "logit_bias", "logprobs"}
"""What reaches the local engine in either format: its server takes fields that can harm it."""
CHAT_FIELDS = SAMPLING | {"messages", "max_completion_tokens", "top_logprobs", "response_format"}
PROMPT_FIELDS = SAMPLING | {"prompt"}

IGNORED = frozenset(["user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key"])
"""What says nothing about the answer, and may be left out."""
OF_TOOLS = frozenset(["tools", "tool_choice", "parallel_tool_calls"])
"""Say nothing where there are no tools. Where there are, the template of this model would leave them out unsaid."""

DEFAULT_COMPLETION_TOKENS = 16
"""OpenAI's default for completions; the engine's would be as many as fit."""


def chat_for_local(document: Mapping[str, Any]) -> dict[str, Any]:
    """What of a chat reaches the local engine. Unsupported names what it cannot do."""
    if not document.get("tools"):
        document = {key: value for key, value in document.items() if key not in OF_TOOLS}
    found = _allowed(document, CHAT_FIELDS)
    for message in document["messages"]:
        content = message.get("content")
        if message.get("tool_calls") or message.get("role") == "tool":
            raise Unsupported("This model knows no tools.", violations=[Violation("messages", "has calls of tools")])
        if isinstance(content, list) and any(part.get("type") != "text" for part in content if isinstance(part, dict)):
            raise Unsupported("This model reads text only.", violations=[Violation("messages", "has other parts")])
    return found


def prompt_for_local(document: Mapping[str, Any]) -> dict[str, Any]:
    """What of a prompt reaches the local engine. Its server would overlook echo, suffix and best_of: Unsupported."""
    idle = {"echo": (None, False), "suffix": (None, ""), "best_of": (None, 1)}
    asked = {key: value for key, value in document.items() if key not in idle or value not in idle[key]}
    found = _allowed(asked, PROMPT_FIELDS)
    if found.get("max_tokens") is None:
        found["max_tokens"] = DEFAULT_COMPLETION_TOKENS
    return found


def _allowed(document: Mapping[str, Any], fields: frozenset[str]) -> dict[str, Any]:
    unknown = sorted(key for key in document if key not in fields and key not in IGNORED)
    if unknown:
        names = ", ".join(key[:64] for key in unknown)
        violations = [Violation(key[:64], "is not supported by this model") for key in unknown]
        raise Unsupported(f"This model does not support: {names}.", violations=violations)
    for key in ("max_tokens", "max_completion_tokens"):
        if document.get(key) == 0:
            raise Unsupported(f"This model writes at least one token: {key}.", metadata={"param": key})
    return {key: value for key, value in document.items() if key in fields}
