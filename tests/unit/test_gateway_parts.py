"""Short lists, page by page: behind the place where the last page ended, also where its last item is gone."""

from typing import Any

import pytest

from chassis.errors import InvalidCursor
from chassis.pagination import encode_cursor
from gateway.routes.common import Part


def rows(*names: str) -> list[dict[str, Any]]:
    return [{"name": name, "size": len(name)} for name in names]


def names(document: dict[str, Any]) -> list[str]:
    return [row["name"] for row in document["data"]]


@pytest.mark.parametrize("newest_first", [False, True])
def test_pages_are_the_list_in_order(newest_first: bool) -> None:
    found: list[str] = []
    cursor: Any = ""
    for _ in range(3):
        part = Part(2, cursor).of(rows("ccc", "a", "bb", "dd", "e"), "size", "name", newest_first=newest_first)
        found += names(part)
        cursor = part["next_cursor"]
    assert cursor is None
    wanted = ["a", "e", "bb", "dd", "ccc"]
    assert found == (wanted[::-1] if newest_first else wanted)
    assert names(Part().of(rows("b", "a"), "name")) == ["a", "b"]


@pytest.mark.parametrize(
    ("left", "expected"), [(("a", "c", "d"), ["c", "d"]), (("c", "d"), ["c", "d"]), (("aa", "bb", "c"), ["bb", "c"])]
)
def test_what_is_deleted_meanwhile_is_passed(left: tuple[str, ...], expected: list[str]) -> None:
    cursor = Part(2).of(rows("a", "b", "c", "d"), "name")["next_cursor"]
    assert names(Part(2, cursor).of(rows(*left), "name")) == expected


def test_behind_the_last_there_is_nothing() -> None:
    cursor = Part(1).of(rows("y", "z"), "name")["next_cursor"]
    assert Part(1, cursor).of(rows("x"), "name") == {"data": [], "next_cursor": None}


@pytest.mark.parametrize("cursor", ["bad", encode_cursor(("a", "b")), encode_cursor((1,))])
def test_a_cursor_of_another_list_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        Part(1, cursor).of(rows("a", "b"), "name")
