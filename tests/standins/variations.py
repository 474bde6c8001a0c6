"""Requests as an official SDK's types have them: the smallest one, and for each field, however far inside, the same
with it and without it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Literal, NamedTuple, NotRequired, Required, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel
from typing_extensions import get_type_hints, is_typeddict

PLAIN: dict[Any, Any] = {str: "t", int: 1, float: 0.5, bool: True}
ANYTHING = {"k": "v"}
DEEPEST = 9
_NONE: Any = type(None)


class Variation(NamedTuple):
    """`place`: of what differs, for example `tools[0].strict`. `without`: None where there is nothing to leave out."""

    place: str
    without: Any
    value: Any


def variations(kind: Any, place: str = "", depth: int = 0) -> Iterator[Variation]:
    """Those of a type; the first has as little as may be."""
    while get_origin(kind) in (Annotated, Required, NotRequired):
        kind = get_args(kind)[0]
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        yield from (Variation(place, None, word) for word in arguments)
    elif origin in (Union, UnionType):
        for member in arguments:
            yield from variations(member, place, depth)
    elif origin in (list, Sequence, Iterable):
        for found in variations(arguments[0], f"{place}[0]", depth + 1):
            yield Variation(found.place, found.without and [found.without], [found.value])
    elif is_typeddict(kind):
        yield from _objects(kind, place, depth) if depth < DEEPEST else ()
    elif kind is not _NONE and not isinstance(kind, TypeVar) and not _is_of_the_sdk(kind):
        yield Variation(place, None, PLAIN.get(kind, ANYTHING))


def _is_of_the_sdk(kind: Any) -> bool:
    """Objects that it takes beside documents: files, models of pydantic."""
    return isinstance(kind, type) and (issubclass(kind, BaseModel | bytes) or not (kind in PLAIN or _is_open(kind)))


def _is_open(kind: Any) -> bool:
    return kind in (object, Any, dict, Mapping)


def _objects(kind: Any, place: str, depth: int) -> Iterator[Variation]:
    hints = get_type_hints(kind, include_extras=True)
    needed = {name: next(variations(hint, "", depth + 1), None) for name, hint in hints.items() if _needed(hint)}
    if None in needed.values():
        return
    least = {name: found.value for name, found in needed.items() if found}
    yield Variation(place, None, least)
    for name, hint in hints.items():
        for number, found in enumerate(variations(hint, f"{place}.{name}".removeprefix("."), depth + 1)):
            if found.without is not None:
                yield Variation(found.place, least | {name: found.without}, least | {name: found.value})
            elif number or name not in needed:
                yield Variation(found.place, least, least | {name: found.value})


def _needed(hint: Any) -> bool:
    return get_origin(hint) is Required
