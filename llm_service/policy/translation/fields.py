"""Reading documents of clients for translation: what is given, what is understood, what cannot be said."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NoReturn

from chassis.document import BadDocument
from chassis.errors import Violation
from llm_service.domain.errors import Unsupported

MAX_NAME = 64


def given(document: Any, known: Collection[str], where: str = "") -> dict[str, Any]:
    """What of an object is not null. Unsupported names what is not known. BadDocument if it is no object."""
    if not isinstance(document, Mapping):
        bad(where, "must be an object")
    found = {key: value for key, value in document.items() if value is not None}
    unknown = sorted(key for key in found if key not in known)
    if unknown:
        unsupported(*(at(where, key[:MAX_NAME]) for key in unknown))
    return found


def member(document: Mapping[str, Any], key: str, where: str = "") -> dict[str, Any]:
    """A member that must be an object; empty if it is not there. BadDocument."""
    value = document.get(key)
    if value is not None and not isinstance(value, dict):
        bad(at(where, key), "must be an object")
    return value or {}


def objects(value: Any, where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects of a list, each with its place. BadDocument if it is no list of objects."""
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        bad(where, "must be a list of objects")
    for index, item in enumerate(value):
        yield at(where, index), item


def texts(value: Any, where: str) -> list[str]:
    """A list of texts. BadDocument."""
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        bad(where, "must be a list of texts")
    return value


def text(document: Mapping[str, Any], key: str, where: str) -> str:
    """A member that must be a text. BadDocument."""
    value = document.get(key)
    if not isinstance(value, str):
        bad(at(where, key), "must be a text")
    return value


def one_of(value: Any, names: Mapping[str, str], where: str) -> str:
    """The other format's word. Unsupported for what it has none for."""
    if not isinstance(value, str) or value not in names:
        unsupported(where)
    return names[value]


def at(where: str, key: str | int) -> str:
    """The place of a member."""
    return f"{where}.{key}" if where else str(key)


def unsupported(*fields: str) -> NoReturn:
    """Unsupported."""
    violations = [Violation(field, "is not supported by this model") for field in fields]
    raise Unsupported(
        f"This model does not support: {', '.join(fields)}.", metadata={"param": fields[0]}, violations=violations
    )


def bad(field: str, description: str) -> NoReturn:
    """BadDocument."""
    raise BadDocument(f"{field} {description}.", metadata={"param": field}, violations=[Violation(field, description)])


def compact(parts: list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    """A content in its shortest form: both formats say that a text is one part of text."""
    if not parts:
        return ""
    only = parts[0]
    return only["text"] if len(parts) == 1 and only.keys() == {"type", "text"} else parts
