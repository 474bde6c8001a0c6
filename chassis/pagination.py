"""Keyset pagination: a page, and the opaque cursor that says where the next one starts.

A cursor holds the sort key of the last row, nothing else: which rows a caller may see is decided by the query.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import orjson

from chassis.errors import InvalidArgument, InvalidCursor, Violation

T = TypeVar("T")

DEFAULT_SIZE = 50
MAX_SIZE = 200
DEFAULT_ID_SIZE = 20
MAX_CURSOR_CHARACTERS = 512


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Items, and the cursor of the next page; empty on the last one."""

    items: tuple[T, ...]
    next_cursor: str = ""


@dataclass(frozen=True, slots=True)
class PageRequest:
    """How many items, and after which sort key."""

    size: int
    after: tuple[str | int, ...] | None

    @classmethod
    def parse(cls, size: int, cursor: str, key_length: int = 2) -> "PageRequest":
        """Reads a page size (0 means 50) and a cursor; InvalidArgument or InvalidCursor if they are not valid."""
        if size < 0 or size > MAX_SIZE:
            raise InvalidArgument(
                f"limit must be from 1 to {MAX_SIZE}.", violations=[Violation("limit", f"1 to {MAX_SIZE}")]
            )
        return cls(size or DEFAULT_SIZE, decode_cursor(cursor, key_length) if cursor else None)

    def page(self, rows: Sequence[T], key: Callable[[T], tuple[str | int, ...]]) -> Page[T]:
        """The page out of `rows`, of which the query fetched one more than the size."""
        items = tuple(rows[: self.size])
        more = len(rows) > self.size
        return Page(items, encode_cursor(key(items[-1])) if more else "")


@dataclass(frozen=True, slots=True)
class IdPage:
    """A page of lists that go on behind an item's id, or end before one, as OpenAI's do: newest first, unless the
    oldest come first.
    """

    size: int
    after: str = ""
    before: str = ""
    ascending: bool = False

    @classmethod
    def parse(cls, size: int, after: str, before: str, *, ascending: bool) -> "IdPage":
        """Reads a page size (0 means 20); InvalidArgument if it is not valid. Where both are given, `after` counts."""
        if not 0 <= size <= MAX_SIZE:
            raise InvalidArgument(
                f"limit must be from 1 to {MAX_SIZE}.", violations=[Violation("limit", f"1 to {MAX_SIZE}")]
            )
        return cls(size or DEFAULT_ID_SIZE, after, "" if after else before, ascending)


def encode_cursor(key: tuple[str | int, ...]) -> str:
    """The cursor after the row with this sort key."""
    return base64.urlsafe_b64encode(orjson.dumps(key)).decode().rstrip("=")


def decode_cursor(cursor: str, key_length: int) -> tuple[str | int, ...]:
    """The sort key in a cursor; InvalidCursor if it is not one of ours."""
    if len(cursor) > MAX_CURSOR_CHARACTERS:
        raise InvalidCursor
    try:
        key = orjson.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError) as error:
        raise InvalidCursor from error
    if not isinstance(key, list) or len(key) != key_length or not all(type(part) in (str, int) for part in key):
        raise InvalidCursor
    return tuple(key)
