"""The two ways to refuse a document: it is not right, or the model it is for cannot do what it asks."""

from typing import NoReturn

from chassis.document import BadDocument
from chassis.errors import Violation
from llm_service.domain.errors import Unsupported

MAX_NAME = 64


def bad(field: str, description: str) -> NoReturn:
    """BadDocument."""
    raise BadDocument(f"{field} {description}.", metadata={"param": field}, violations=[Violation(field, description)])


def unsupported(field: str, description: str = "is not supported by this model") -> NoReturn:
    """Unsupported."""
    field = field[:MAX_NAME]
    raise Unsupported(f"{field} {description}.", metadata={"param": field}, violations=[Violation(field, description)])
