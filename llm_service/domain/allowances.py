"""What a deployment takes in a minute and at once, counted over all replicas."""

from dataclasses import dataclass
from typing import Protocol

from llm_service.domain.models import Deployment


@dataclass(frozen=True, slots=True)
class Allowance:
    """A call's share. `wait` is above 0 where there is none: seconds until it is worth asking again."""

    ticket: str = ""
    wait: float = 0.0


class Allowances(Protocol):
    """The counts."""

    async def take(self, deployment: Deployment, tokens: int) -> Allowance:
        """A request, so many tokens and a place."""

    async def settle(self, deployment: Deployment, ticket: str, tokens: int) -> None:
        """Gives the place back, and says how many tokens it came to."""


class Pauses(Protocol):
    """Deployments that told, in an answer's headers, that they take nothing for a while."""

    def left(self, deployment: Deployment) -> float:
        """Seconds; 0 if it takes calls."""
