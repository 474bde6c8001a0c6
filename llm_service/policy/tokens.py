"""How many tokens a call used: as its provider says, or estimated."""

from collections.abc import Mapping
from typing import Any

from llm_service.domain.calls import Tokens

MOST_TOKENS = 2**40


def tokens_of(usage: Mapping[str, Any]) -> Tokens:
    """What a provider's usage object says, by the names of chat completions or of responses."""
    details = usage.get("prompt_tokens_details") or usage.get("input_tokens_details")
    return Tokens(
        input=_count(usage, "prompt_tokens", "input_tokens"),
        cached=_count(details, "cached_tokens") if isinstance(details, Mapping) else 0,
        output=_count(usage, "completion_tokens", "output_tokens"),
    )


def joined(first: Tokens, second: Tokens) -> Tokens:
    """Of one call that told twice: counts only grow, and some tell the input first and the output last."""
    return Tokens(max(first.input, second.input), max(first.cached, second.cached), max(first.output, second.output))


def estimate_tokens(text_bytes: int) -> int:
    """Tokens of a text whose provider did not count them: four bytes each, at least one."""
    return max(1, text_bytes // 4) if text_bytes else 0


def _count(usage: Mapping[str, Any], *names: str) -> int:
    """The first of these that is a number; what makes no sense counts as nothing."""
    for name in names:
        value = usage.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MOST_TOKENS:
            return int(value)
    return 0
