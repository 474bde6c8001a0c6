"""How many tokens a call used: as its provider says, or estimated."""

from collections.abc import Mapping
from typing import Any

from llm_service.domain.calls import Tokens


def tokens_of(usage: Mapping[str, Any]) -> Tokens:
    """What a provider's usage object says."""
    details = usage.get("prompt_tokens_details") or {}
    return Tokens(
        input=int(usage.get("prompt_tokens") or 0),
        cached=int(details.get("cached_tokens") or 0),
        output=int(usage.get("completion_tokens") or 0),
    )


def estimate_tokens(text_bytes: int) -> int:
    """Tokens of a text whose provider did not count them: four bytes each, at least one."""
    return max(1, text_bytes // 4) if text_bytes else 0
