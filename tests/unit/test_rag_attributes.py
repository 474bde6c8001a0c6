"""OpenAI's filters mean what the platform's do, and what is of another form is refused."""

import json
from typing import Any

import pytest

from rag_service.domain.errors import BadFilter
from rag_service.policy import attributes, filters

COMPARED: list[tuple[str, Any]] = [
    ("eq", "a"), ("ne", True), ("gt", 1), ("gte", 1.5), ("lt", "b"), ("lte", -1), ("in", ["a", 1]), ("nin", [2]),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value"), COMPARED)
def test_comparisons(kind: str, value: Any) -> None:
    ours = filters.parse(json.dumps({"op": kind, "field": "k", "value": value}))
    assert attributes.parse(json.dumps({"type": kind, "key": "k", "value": value})) == ours


def test_joined_at_any_depth() -> None:
    leaf, own = {"type": "eq", "key": "k", "value": 1}, {"op": "eq", "field": "k", "value": 1}
    theirs = {"type": "or", "filters": [leaf, {"type": "and", "filters": [leaf, leaf]}]}
    ours = {"op": "or", "filters": [own, {"op": "and", "filters": [own, own]}]}
    assert attributes.parse(json.dumps(theirs)) == filters.parse(json.dumps(ours))


def test_no_filter() -> None:
    assert attributes.parse("") is None
    assert attributes.parse("null") is None


@pytest.mark.parametrize(
    "document",
    [
        {"op": "eq", "field": "k", "value": 1}, {"type": "like", "key": "k", "value": 1}, {"type": "eq", "key": "k"},
        {"type": "not", "filters": [{"type": "eq", "key": "k", "value": 1}]}, {"type": "and", "filters": []}, [], 1,
        {"type": "and", "filters": "x"}, {"type": "in", "key": "k", "value": 1},
        {"type": ["eq"], "key": "k", "value": 1},
    ],
)  # fmt: skip
def test_another_form_is_refused(document: Any) -> None:
    with pytest.raises(BadFilter):
        attributes.parse(json.dumps(document))


def test_what_is_no_json_or_too_deep_is_refused() -> None:
    deep: Any = {"type": "eq", "key": "k", "value": 1}
    for _ in range(20):
        deep = {"type": "and", "filters": [deep]}
    for text in ("{", json.dumps(deep), "[" * 100_000):
        with pytest.raises(BadFilter):
            attributes.parse(text)
