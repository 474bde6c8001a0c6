"""What a client's document may hold, whatever model it is for."""

from typing import Any, NoReturn

from chassis.document import BadDocument, read_object
from chassis.errors import Violation

DECIDING = ("model", "stream", "stream_options", "max_tokens", "max_completion_tokens", "n")
"""Keys that decide: twice in one document, we and the provider might read different ones."""

MAX_DEPTH = 64
MAX_MESSAGES = 2048


def read_document(body: bytes) -> dict[str, Any]:
    """The document as an object. BadDocument if it is none, is not plain JSON, or decides something twice."""
    document = read_object(body, DECIDING)
    messages = document.get("messages")
    if not isinstance(messages, list) or not messages:
        _refuse("messages", "must be a list with at least one message")
    if len(messages) > MAX_MESSAGES:
        _refuse("messages", f"must have at most {MAX_MESSAGES} messages")
    if not all(isinstance(message, dict) for message in messages):
        _refuse("messages", "must hold objects")
    _check_depth(document)
    return document


def _refuse(field: str, description: str) -> NoReturn:
    raise BadDocument(f"{field} {description}.", metadata={"param": field}, violations=[Violation(field, description)])


def _check_depth(document: object) -> None:
    layer: list[object] = [document]
    for _ in range(MAX_DEPTH):
        layer = [
            child
            for item in layer
            for child in (item.values() if isinstance(item, dict) else item if isinstance(item, list) else ())
            if isinstance(child, dict | list)
        ]
        if not layer:
            return
    raise BadDocument(f"The body is nested more than {MAX_DEPTH} levels deep.")
