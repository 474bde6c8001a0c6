"""What a request of responses may hold, whoever answers it."""

from collections.abc import Iterator
from typing import Any

from chassis.document import read_object
from llm_service.policy.documents import NOT_HERE, check_depth, check_router
from llm_service.policy.refusals import bad, unsupported

DECIDING = ("model", "stream", "input", "max_output_tokens", "tools", "store", "previous_response_id", "background")
MAX_ITEMS = 2048
CLIENTS_TOOLS = frozenset(
    ("function", "custom", "local_shell", "apply_patch", "computer", "computer_use_preview", "tool_search")
)
"""Tools that the client carries out itself, or that only choose among those. Others run at a provider, on its account
and at its price.
"""
LOCAL = "local"
"""Where a shell is the client's own; other environments are a provider's."""
PROVIDERS_OWN = ("conversation", "prompt")
"""What names something that is kept at the provider, under the platform's account: it would be every tenant's."""


def read_responses(body: bytes) -> dict[str, Any]:
    """The document. BadDocument; Unsupported for what would run or be kept at a provider."""
    document = read_object(body, DECIDING)
    for key in PROVIDERS_OWN:
        if document.get(key) is not None:
            unsupported(key, NOT_HERE)
    if document.get("background"):
        unsupported("background", NOT_HERE)
    for key in ("store", "background"):
        if not isinstance(document.get(key), bool | None):
            bad(key, "must be true or false")
    previous = document.get("previous_response_id")
    if previous is not None and (not isinstance(previous, str) or not previous):
        bad("previous_response_id", "must be a text")
    _check_input(document)
    _check_tools(document.get("tools"))
    check_router(document)
    check_depth(document)
    return document


def items_of(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The request's own input, as items."""
    given = document.get("input")
    if isinstance(given, str):
        return [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": given}]}]
    return list(given or [])


def _check_input(document: dict[str, Any]) -> None:
    given = document.get("input")
    if isinstance(given, str):
        return
    if not isinstance(given, list) or not given or not all(isinstance(item, dict) for item in given):
        bad("input", "must be a text or a list with at least one item")
    if len(given) > MAX_ITEMS:
        bad("input", f"must have at most {MAX_ITEMS} items")
    for index, item in enumerate(given):
        if item.get("type") == "item_reference":
            unsupported(f"input[{index}]", NOT_HERE)
        for place, part in _parts(item):
            if part.get("file_id") is not None:
                unsupported(f"input[{index}].{place}.file_id", NOT_HERE)


def _parts(item: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What an item consists of, each with its place in it."""
    for key in ("content", "output"):
        found = item.get(key)
        if isinstance(found, list):
            yield from ((f"{key}[{place}]", part) for place, part in enumerate(found) if isinstance(part, dict))
        elif isinstance(found, dict):
            yield key, found


def _check_tools(tools: Any) -> None:
    if tools is None:
        return
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        bad("tools", "must be a list of objects")
    for index, tool in enumerate(tools):
        _check_tool(tool, f"tools[{index}]")


def _check_tool(tool: dict[str, Any], where: str) -> None:
    kind, inner, place = tool.get("type"), tool.get("tools"), tool.get("environment")
    if kind == "namespace" and isinstance(inner, list) and all(isinstance(one, dict) for one in inner):
        for index, one in enumerate(inner):
            _check_tool(one, f"{where}.tools[{index}]")
    elif kind not in CLIENTS_TOOLS and not (kind == "shell" and isinstance(place, dict) and place.get("type") == LOCAL):
        unsupported(where, f"({str(kind)[:64]}) {NOT_HERE}")
