"""The filter language: {"op": "eq", "field": "year", "value": 2024}, {"op": "and", "filters": [...]}, {"op": "not",
"filter": {...}}.

Comparisons: eq ne gt gte lt lte in nin; joined by and, or; not lets through what its filter does not, also where the
field is missing or of another type. What is not of this form is refused.
"""

import json
from dataclasses import replace
from typing import Any

from rag_service.domain.errors import BadFilter
from rag_service.domain.filters import Condition, Filter, Group

COMPARISONS = frozenset(("eq", "ne", "gt", "gte", "lt", "lte"))
MEMBERSHIPS = frozenset(("in", "nin"))
JOINS = frozenset(("and", "or"))
OPPOSITES = {"eq": "ne", "ne": "eq", "in": "nin", "nin": "in"}
MAX_DEPTH = 8
MAX_CONDITIONS = 64
MAX_FIELD_CHARACTERS = 128
MAX_MEMBERS = 256
MAX_ORDERED_BYTES = 48
"""Of a text that gt gte lt lte compare with (UTF-8)."""
MAX_NUMBER = 2**53
"""Beyond it a double, which is what most stores have, tells whole numbers no longer apart."""


def parse(text: str) -> Filter | None:
    """The filter in a JSON text; None for an empty one. BadFilter says what is wrong."""
    return read(loaded(text)) if text else None


def loaded(text: str) -> Any:
    """The JSON document. BadFilter."""
    try:
        return json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise BadFilter("The filter is not valid JSON.") from error


def read(document: Any) -> Filter:
    """The filter that a document is. BadFilter."""
    found = _filter(document, 0)
    if _count(found) > MAX_CONDITIONS:
        raise BadFilter(f"The filter has more than {MAX_CONDITIONS} conditions.")
    return found


def _filter(document: Any, depth: int) -> Filter:
    op = document.get("op") if isinstance(document, dict) else None
    if not isinstance(op, str) or depth > MAX_DEPTH:
        raise BadFilter("A filter is an object with op, and at most eight levels deep.")
    if op in JOINS and set(document) == {"op", "filters"}:
        filters = document["filters"]
        if not isinstance(filters, list) or not filters:
            raise BadFilter(f"{op} needs a list of filters.")
        return Group(op, tuple(_filter(item, depth + 1) for item in filters))
    if op == "not" and set(document) == {"op", "filter"}:
        return negated(_filter(document["filter"], depth + 1))
    if op not in COMPARISONS | MEMBERSHIPS or set(document) != {"op", "field", "value"}:
        raise BadFilter(
            "A filter is {op, field, value} with eq ne gt gte lt lte in nin, {op, filters} with and or, "
            "or {op, filter} with not."
        )
    return Condition(op, _field(document["field"]), _value(op, document["value"]))


def negated(wanted: Filter) -> Filter:
    """What lets through all that the filter does not: the not is carried down to the comparisons."""
    if isinstance(wanted, Group):
        return Group("or" if wanted.op == "and" else "and", tuple(map(negated, wanted.filters)))
    if wanted.op in OPPOSITES:
        return replace(wanted, op=OPPOSITES[wanted.op])
    return replace(wanted, negated=not wanted.negated)


def _field(name: Any) -> str:
    if not isinstance(name, str) or not 1 <= len(name) <= MAX_FIELD_CHARACTERS:
        raise BadFilter("field must be a name of 1 to 128 characters.")
    if not fits(name):
        raise BadFilter("field must not contain NUL or half a surrogate pair.")
    return name


def _value(op: str, value: Any) -> Any:
    if op in MEMBERSHIPS:
        if not isinstance(value, list) or not 1 <= len(value) <= MAX_MEMBERS or not all(map(fits, value)):
            raise BadFilter(f"{op} needs a list of 1 to {MAX_MEMBERS} strings, numbers or booleans.")
        return tuple(value)
    ordered = op not in ("eq", "ne")
    if not fits(value) or (ordered and isinstance(value, bool)):
        raise BadFilter(f"{op} needs a string or a number{'' if ordered else ' or a boolean'}.")
    if ordered and isinstance(value, str) and len(value.encode()) > MAX_ORDERED_BYTES:
        raise BadFilter(f"{op} compares with at most {MAX_ORDERED_BYTES} bytes of text.")
    return value


def fits(value: Any) -> bool:
    """Whether a value can stand in metadata and filters: a boolean, a number within 2^53, a text that UTF-8 can write
    and that has no NUL.
    """
    if isinstance(value, bool):
        return True
    if isinstance(value, int | float):
        return -MAX_NUMBER <= value <= MAX_NUMBER
    return isinstance(value, str) and "\0" not in value and not any("\ud800" <= c <= "\udfff" for c in value)


def _count(found: Filter) -> int:
    return sum(map(_count, found.filters)) if isinstance(found, Group) else 1
