"""OpenAI's filters over the attributes of files, in the platform's one filter language.

{"type": "eq", "key": "year", "value": 2024} and {"type": "and", "filters": [...]} mean what {"op", "field", "value"}
and {"op", "filters"} do. What is not of their form is refused.
"""

from typing import Any

from rag_service.domain.errors import BadFilter
from rag_service.domain.filters import Filter
from rag_service.policy import filters

FORM = "A filter is {type, key, value} with eq ne gt gte lt lte in nin, or {type, filters} with and or."


def parse(text: str) -> Filter | None:
    """The filter in a JSON text; None for an empty one. BadFilter says what is wrong."""
    document = filters.loaded(text) if text else None
    return filters.read(_translated(document, 0)) if document is not None else None


def _translated(document: Any, depth: int) -> dict[str, Any]:
    if not isinstance(document, dict) or depth > filters.MAX_DEPTH:
        raise BadFilter(FORM)
    if set(document) == {"type", "key", "value"}:
        return {"op": document["type"], "field": document["key"], "value": document["value"]}
    if set(document) == {"type", "filters"} and isinstance(document["filters"], list):
        return {"op": document["type"], "filters": [_translated(one, depth + 1) for one in document["filters"]]}
    raise BadFilter(FORM)
