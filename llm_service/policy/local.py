"""What of a document reaches the local engine."""

from collections.abc import Mapping
from typing import Any

from chassis.errors import Violation
from llm_service.domain.errors import Unsupported

LOCAL_FIELDS = frozenset(
    [
        "messages",
        "model",
        "stream",
        "stream_options",
        "max_tokens",
        "max_completion_tokens",
        "temperature",
        "top_p",
        "top_k",
        "min_p",
        "n",
        "stop",
        "seed",
        "frequency_penalty",
        "presence_penalty",
        "repeat_penalty",
        "logit_bias",
        "logprobs",
        "top_logprobs",
        "response_format",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
    ]
)
"""What reaches the local engine: its server takes fields that can harm it."""

LOCAL_IGNORED = frozenset(["user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key"])
"""What says nothing about the answer, and may be left out."""


def for_local(document: Mapping[str, Any]) -> dict[str, Any]:
    """What of the document reaches the local engine. Unsupported names what it cannot do."""
    unknown = sorted(key for key in document if key not in LOCAL_FIELDS and key not in LOCAL_IGNORED)
    if unknown:
        names = ", ".join(key[:64] for key in unknown)
        violations = [Violation(key[:64], "is not supported by this model") for key in unknown]
        raise Unsupported(f"This model does not support: {names}.", violations=violations)
    for message in document["messages"]:
        content = message.get("content")
        if isinstance(content, list) and any(part.get("type") != "text" for part in content if isinstance(part, dict)):
            raise Unsupported("This model reads text only.", violations=[Violation("messages", "has other parts")])
    return {key: value for key, value in document.items() if key in LOCAL_FIELDS}
