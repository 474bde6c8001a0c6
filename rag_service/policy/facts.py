"""Metadata and filters in a form that every vector store can hold and compare the same way.

A store is given no field as it came, since each has its own types, orders, names and gaps. It is given
    facts     short digests, one for each field with its value, in one list: eq, ne, in, nin ask whether it has one
    numbers   for gt gte lt lte: a number is itself; a text is the numbers of its UTF-8 bytes, six a piece (48 bits:
              exact in a double), so that comparing them one after another compares the texts by code point
So results are the same everywhere, any name of a field is fine, and no words of a document's metadata leave the
service. PostgreSQL compares the metadata itself (repository/filters.py); the same suite runs over both.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from rag_service.domain.filters import Filter, Group
from rag_service.policy.filters import MAX_ORDERED_BYTES

PIECE_BYTES = 6
MAX_PIECES = MAX_ORDERED_BYTES // PIECE_BYTES + 1
"""One more than the longest bound has, to tell it from longer texts."""


@dataclass(frozen=True, slots=True)
class Has:
    """Whether a row has one of these facts, or (negated) none of them."""

    facts: tuple[str, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Number:
    """A row's number of this name compared: eq gt gte lt lte. False for a row without it; true for it, if negated."""

    name: str
    op: str
    value: float
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Joined:
    """Joined by and, or."""

    op: str
    parts: tuple["Clause", ...]


Clause = Has | Number | Joined


def fact(field: str, value: Any) -> str:
    """What stands for a field with this value: 128 bits. 1 and 1.0 are one value; 1, "1" and true are three."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = json.dumps([field, type(value).__name__, value])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def facts(metadata: Mapping[str, Any]) -> list[str]:
    """Of each field of a document."""
    return [fact(field, value) for field, value in metadata.items()]


def numbers(metadata: Mapping[str, Any]) -> dict[str, float]:
    """Of each field that can be compared."""
    found: dict[str, float] = {}
    for field, value in metadata.items():
        if isinstance(value, str):
            found |= {_name(field, place): piece for place, piece in enumerate(_pieces(value))}
        elif not isinstance(value, bool):
            found[_name(field)] = float(value)
    return found


def rewritten(wanted: Filter) -> Clause:
    """The filter in terms of facts and numbers."""
    if isinstance(wanted, Group):
        return Joined(wanted.op, tuple(map(rewritten, wanted.filters)))
    if wanted.op in ("eq", "ne"):
        return Has((fact(wanted.field, wanted.value),), negated=wanted.op == "ne")
    if wanted.op in ("in", "nin"):
        return Has(tuple(fact(wanted.field, value) for value in wanted.value), negated=wanted.op == "nin")
    if isinstance(wanted.value, str):
        clause = _compared(wanted.field, wanted.op, list(_pieces(wanted.value)))
    else:
        clause = Number(_name(wanted.field), wanted.op, float(wanted.value))
    return _negated(clause) if wanted.negated else clause


def _negated(clause: Clause) -> Clause:
    if isinstance(clause, Joined):
        return Joined("or" if clause.op == "and" else "and", tuple(map(_negated, clause.parts)))
    return replace(clause, negated=not clause.negated)


def _compared(field: str, op: str, bound: list[float]) -> Clause:
    """The first piece that differs decides; a text always has the piece that is reached."""
    last = len(bound) - 1
    clause: Clause = Number(_name(field, last), op, bound[last])
    for place in range(last - 1, -1, -1):
        name = _name(field, place)
        same = Joined("and", (Number(name, "eq", bound[place]), clause))
        clause = Joined("or", (Number(name, op[:2], bound[place]), same))
    return clause


def _pieces(text: str) -> Iterator[float]:
    """No text holds NUL, so the zeros that fill the last piece end it before anything else."""
    data = text.encode()[: MAX_PIECES * PIECE_BYTES]
    whole = min(len(data) // PIECE_BYTES + 1, MAX_PIECES)
    for place in range(whole):
        piece = data[place * PIECE_BYTES : (place + 1) * PIECE_BYTES]
        yield float(int.from_bytes(piece.ljust(PIECE_BYTES, b"\0"), "big"))


def _name(field: str, place: int | None = None) -> str:
    digest = hashlib.sha256(field.encode()).hexdigest()[:16]
    return f"n_{digest}" if place is None else f"s{place}_{digest}"
