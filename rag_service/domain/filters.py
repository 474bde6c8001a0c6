"""The filter language's two forms, parsed."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Condition:
    """A comparison of a field of the metadata: eq ne gt gte lt lte in nin. `negated`: it must not hold."""

    op: str
    field: str
    value: Any
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Filters joined by and, or."""

    op: str
    filters: tuple["Filter", ...]


Filter = Condition | Group
