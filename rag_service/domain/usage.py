"""What a call or a job used in other services, and the admission of its steps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class UsedLine:
    """An amount used, as the service that did the work told it."""

    service: str
    model: str
    provider: str
    unit: int
    amount: int
    attempt: int
    stage: str = ""
    """Of what: condense, search, rerank, answer, ground."""
    estimated: bool = False


@dataclass(slots=True)
class Tally:
    """Collects what a call used in other services."""

    lines: list[UsedLine] = field(default_factory=list)
    stage: str = ""
    """What is being done at the moment."""

    def add(self, lines: Sequence[UsedLine]) -> None:
        """Of the stage that it is at."""
        self.lines += [replace(line, stage=self.stage) for line in lines]


class Meter(Protocol):
    """Admission of a step: of tokens that a job embeds, or of bytes that are to be kept."""

    async def reserve(self, tokens: int = 0, stored_bytes: int = 0) -> str:
        """A lease; ResourceExhausted."""

    async def settle(self, lease_id: str, tally: Tally) -> None:
        """Once: a lease that is settled already stays as it was."""

    async def settle_stored(self, lease_id: str, stored_bytes: int) -> None:
        """The same of bytes that were added to storage or (negative) given back."""


class Herald(Protocol):
    """Tells the tenant's webhooks."""

    async def tell(self, event_type: str, data: Mapping[str, Any], once: str) -> None:
        """`once` names the event: it is told once."""
