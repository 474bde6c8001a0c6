"""What a call or a job used in other services, and the admission of its steps."""

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class UsedLine:
    """An amount used, as the service that did the work told it."""

    service: str
    model: str
    provider: str
    unit: int
    amount: int
    attempt: int


@dataclass(slots=True)
class Tally:
    """Collects what a call used in other services."""

    lines: list[UsedLine] = field(default_factory=list)


class Meter(Protocol):
    """Admission of a job's step."""

    async def reserve(self, tokens: int) -> str:
        """A lease; ResourceExhausted."""

    async def settle(self, lease_id: str, tally: Tally) -> None: ...
