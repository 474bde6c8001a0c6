"""Pages: each row once, in order, whatever the sizes; cursors that are not ours are refused."""

import base64

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import InvalidArgument, InvalidCursor
from chassis.pagination import DEFAULT_SIZE, MAX_SIZE, PageRequest, decode_cursor, encode_cursor

KEYS = st.tuples(st.text(max_size=40), st.integers(-(2**53), 2**53))


@given(KEYS)
def test_a_cursor_comes_back(key: tuple[str | int, ...]) -> None:
    assert decode_cursor(encode_cursor(key), 2) == key


@given(KEYS)
def test_a_cursor_fits_into_an_address(key: tuple[str | int, ...]) -> None:
    assert set(encode_cursor(key)) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(-(2**53), 2**53)), unique=True, max_size=60), st.integers(1, 25)
)
def test_walking_the_pages_gives_every_row_once(rows: list[tuple[int, int]], size: int) -> None:
    rows.sort()
    walked: list[tuple[int, int]] = []
    cursor = ""
    for _ in range(len(rows) + 2):
        request = PageRequest.parse(size, cursor)
        after = request.after
        page = request.page([row for row in rows if after is None or row > after][: request.size + 1], lambda row: row)
        walked += page.items
        cursor = page.next_cursor
        if not cursor:
            break
    assert walked == rows
    assert not cursor


def test_the_last_full_page_has_no_next() -> None:
    assert PageRequest.parse(2, "").page([1, 2], lambda row: (row,)).next_cursor == ""
    assert PageRequest.parse(2, "").page([1, 2, 3], lambda row: (row,)).next_cursor


def test_no_size_means_the_default() -> None:
    assert PageRequest.parse(0, "") == PageRequest(DEFAULT_SIZE, None)


@pytest.mark.parametrize("size", [-1, MAX_SIZE + 1, 10**9])
def test_a_size_out_of_bounds_names_the_field(size: int) -> None:
    with pytest.raises(InvalidArgument) as caught:
        PageRequest.parse(size, "")
    assert [violation.field for violation in caught.value.violations] == ["limit"]


def crafted(value: object) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(value)).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "!",
        "aGk",
        "ä",
        "a" * 5000,
        crafted({"a": 1}),
        crafted("ab"),
        crafted(["a"]),
        crafted(["a", 1, 2]),
        crafted(["a", None]),
        crafted(["a", 1.5]),
        crafted(["a", True]),
        crafted(["a", ["b"]]),
    ],
)
def test_a_cursor_that_is_not_ours_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        PageRequest.parse(10, cursor)


@given(st.text(max_size=80))
def test_no_text_at_all_breaks_the_reader(cursor: str) -> None:
    try:
        key = decode_cursor(cursor, 2)
    except InvalidCursor:
        return
    assert all(type(part) in (str, int) for part in key)
