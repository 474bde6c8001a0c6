"""How many tokens a call used, and searches of the web: as its provider says, or estimated."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from llm_service.domain.calls import Tokens

MOST_TOKENS = 2**40


def tokens_of(usage: Mapping[str, Any]) -> Tokens:
    """What a provider's usage object says, by the names of chat completions or of responses."""
    read = usage.get("prompt_tokens_details") or usage.get("input_tokens_details")
    written = usage.get("completion_tokens_details") or usage.get("output_tokens_details")
    tokens_read = _count(usage, "prompt_tokens", "input_tokens")
    tokens_written = _count(usage, "completion_tokens", "output_tokens")
    return Tokens(
        input=tokens_read,
        cached=min(_count(read, "cached_tokens"), tokens_read),
        output=tokens_written,
        reasoning=min(_count(written, "reasoning_tokens"), tokens_written),
        searches=_count(usage, "num_search_queries"),
    )


def tokens_of_response(usage: Mapping[str, Any], output: Any) -> Tokens:
    """What a response's usage object says; its searches are items of its output."""
    items = output if isinstance(output, list) else ()
    return replace(tokens_of(usage), searches=sum(map(_searched, items)))


def _searched(item: Any) -> bool:
    """Whether the item is a search. To open a page that was found, or to look into it, is none."""
    if not isinstance(item, dict) or item.get("type") != "web_search_call":
        return False
    action = item.get("action")
    return not isinstance(action, dict) or action.get("type", "search") == "search"


def tokens_of_message(usage: Mapping[str, Any]) -> Tokens:
    """What Anthropic's usage object says: it tells input from the cache, into it and past it apart."""
    cached, cache_written = _count(usage, "cache_read_input_tokens"), _count(usage, "cache_creation_input_tokens")
    written = _count(usage, "output_tokens")
    return Tokens(
        input=_count(usage, "input_tokens") + cached + cache_written,
        cached=cached,
        output=written,
        cache_written=cache_written,
        reasoning=min(_count(usage.get("output_tokens_details"), "thinking_tokens"), written),
        searches=_count(usage.get("server_tool_use"), "web_search_requests"),
    )


def joined(first: Tokens, second: Tokens) -> Tokens:
    """Of one call that told twice: counts only grow, and some tell the input first and the output last."""
    return Tokens(*(max(getattr(first, name), getattr(second, name)) for name in Tokens.__slots__))


def estimate_tokens(text_bytes: int) -> int:
    """Tokens of a text whose provider did not count them: four bytes each, at least one."""
    return max(1, text_bytes // 4) if text_bytes else 0


def _count(usage: Any, *names: str) -> int:
    """The first of these that is a number; what makes no sense counts as nothing."""
    for name in names if isinstance(usage, Mapping) else ():
        value = usage.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MOST_TOKENS:
            return int(value)
    return 0
