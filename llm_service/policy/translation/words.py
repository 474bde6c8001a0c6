"""The words that both formats have for one thing: reasons to stop, efforts, tiers, counts of tokens."""

import secrets
from typing import Any

from llm_service.domain.calls import Tokens

STOP_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "model_length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}
FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
EFFORTS = {effort: effort for effort in ("low", "medium", "high", "xhigh")}
TIERS_TO_CHAT = {"auto": "auto", "standard_only": "default"}
TIERS_TO_MESSAGES = {chat: messages for messages, chat in TIERS_TO_CHAT.items()}
BUDGETS = ((4096, "low"), (16_384, "medium"))
"""Below how many tokens of a budget for thinking an effort is meant; beyond all of them it is high."""
ERROR_MARK = "[tool error] "
"""How a tool's failure is told where the format has no field for it."""


CHAT_ID, MESSAGE_ID = "chatcmpl-", "msg_"
"""How ids of answers begin. Neither maker promises it, and clients tell by it what they have."""


def id_for_chat(told: Any) -> str:
    """The id of a message as one of a chat completion: the same behind another beginning."""
    return _id_of(told, MESSAGE_ID, CHAT_ID)


def id_for_messages(told: Any) -> str:
    """And the other way."""
    return _id_of(told, CHAT_ID, MESSAGE_ID)


def _id_of(told: Any, there: str, here: str) -> str:
    found = told if isinstance(told, str) and told else secrets.token_hex(12)
    return found if found.startswith(here) else here + found.removeprefix(there)


def effort_of_budget(tokens: int) -> str:
    """The effort that a budget for thinking comes nearest to."""
    return next((effort for below, effort in BUDGETS if tokens < below), "high")


def usage_for_messages(tokens: Tokens) -> dict[str, Any]:
    """As Anthropic tells it: what came from the prompt cache, went into it, and passed it by."""
    usage: dict[str, Any] = {
        "input_tokens": tokens.input - tokens.cached - tokens.cache_written,
        "cache_creation_input_tokens": tokens.cache_written,
        "cache_read_input_tokens": tokens.cached,
        "output_tokens": tokens.output,
    }
    return usage | ({"output_tokens_details": {"thinking_tokens": tokens.reasoning}} if tokens.reasoning else {})


def usage_for_chat(tokens: Tokens) -> dict[str, Any]:
    """As OpenAI tells it. What went into the prompt cache has no name there: `cache_creation_tokens` is ours."""
    return {
        "prompt_tokens": tokens.input,
        "completion_tokens": tokens.output,
        "total_tokens": tokens.input + tokens.output,
        "prompt_tokens_details": {
            "cached_tokens": tokens.cached,
            "cache_creation_tokens": tokens.cache_written,
        },
        "completion_tokens_details": {"reasoning_tokens": tokens.reasoning},
    }
