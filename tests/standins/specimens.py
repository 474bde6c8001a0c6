"""Documents of the types that an official SDK knows: between them, every field and every member of every union.

What an API grows with the next version of its SDK is in the next run's documents without anybody writing it down.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

TEXT = "Grü\u00dfe \U0001f600\u2028 </s> \"'\\/ "
ANYTHING = {"a": [1e3, None, "\u00e9"], "": {}}
DEEPEST = 6
FEW = 2
"""Varieties of what stands far inside: there are too many to have all."""
MOST_WORDS = 6
"""Of those that a field may have: names of models are many."""
WIDE = 3
"""Down to this depth all varieties are told."""
PLAIN: dict[Any, list[Any]] = {
    str: [TEXT], int: [7], float: [1.0, -0.0, 1e-7], bool: [True, False], type(None): [None],
    bytes: ["aGk="], datetime: ["2026-11-26T15:45:00.5Z"], dict: [ANYTHING], list: [[ANYTHING]],
    object: [ANYTHING], Any: [ANYTHING],
}  # fmt: skip


def specimens(kind: Any, given: Mapping[str, Any] = MappingProxyType({}), depth: int = 0) -> list[Any]:
    """As few documents as have each variety of each of its fields. `given`: fields of the outermost object."""
    kind = _bare(kind)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return list(arguments)[:MOST_WORDS]
    if origin in (Union, UnionType):
        told = [found for member in arguments for found in specimens(member, given, depth)]
        return told if depth <= WIDE else [*told[:FEW], told[-1]]
    if origin in (list, Sequence):
        return [specimens(arguments[0], depth=depth + 1)]
    if origin is dict:
        return [{TEXT: specimens(arguments[1], depth=depth + 1)[0]}]
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return _objects(kind, given, depth)
    return PLAIN[kind]


def members(kind: Any) -> dict[str, Any]:
    """The members of a union of objects by the `type` that each has."""
    return {get_args(one.model_fields["type"].annotation)[0]: one for one in get_args(_bare(kind))}


def _bare(kind: Any) -> Any:
    return _bare(get_args(kind)[0]) if get_origin(kind) is Annotated else kind


def _objects(kind: type[BaseModel], given: Mapping[str, Any], depth: int) -> list[Any]:
    if depth >= DEEPEST:
        return [{}]
    fields = {
        field.alias or name: specimens(field.annotation, depth=depth + 1)
        for name, field in kind.model_fields.items()
        if (field.alias or name) not in given
    }
    most = max(map(len, fields.values()), default=1)
    return [
        {name: found[number % len(found)] for name, found in fields.items()} | dict(given)
        for number in range(most if depth <= WIDE else min(most, FEW))
    ]
