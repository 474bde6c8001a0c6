"""What a request of responses may hold, whoever answers it."""

from collections.abc import Iterator
from typing import Any

from chassis.document import read_object
from llm_service.policy.documents import check_depth
from llm_service.policy.refusals import bad, unsupported

DECIDING = ("model", "stream", "input", "max_output_tokens", "tools", "store", "previous_response_id", "background")
MAX_ITEMS = 2048
CLIENTS_TOOLS = frozenset(("function", "custom", "local_shell", "apply_patch", "computer", "computer_use_preview"))
"""Tools that the client carries out itself. Others run at a provider, on its account and at its price."""
PROVIDERS_OWN = ("conversation", "prompt")
"""What names something that is kept at the provider, under the platform's account: it would be every tenant's."""
NOT_HERE = "is not supported by this platform"


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
        for part in _parts(item):
            if part.get("file_id") is not None:
                unsupported(f"input[{index}].file_id", NOT_HERE)


def _parts(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for key in ("content", "output"):
        found = item.get(key)
        yield from (part for part in found if isinstance(part, dict)) if isinstance(found, list) else ()


def _check_tools(tools: Any) -> None:
    if tools is None:
        return
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        bad("tools", "must be a list of objects")
    for index, tool in enumerate(tools):
        if tool.get("type") not in CLIENTS_TOOLS:
            unsupported(f"tools[{index}]", f"({str(tool.get('type'))[:64]}) {NOT_HERE}")
