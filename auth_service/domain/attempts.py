"""Attempts that are counted before they are answered: log-ins, links asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Bucket:
    """What is counted together (a hash, so that no address or account is stored), and how many are allowed."""

    name: bytes
    limit: int
    seconds: int
    """The window, from its first attempt on."""


class AttemptQueries(Protocol):
    """Queries on attempts, in all tenants."""

    async def count_attempts(self, buckets: Sequence[Bucket], now: datetime) -> list[tuple[int, datetime]]:
        """Adds one to each; how many each has now, and when it ends. In the order of `buckets`."""

    async def forgive_attempts(self, names: Sequence[bytes]) -> None:
        """Takes one from each."""

    async def trim_attempts(self, before: datetime) -> None: ...

    async def knows_network(self, user_id: str, network: str, since: datetime) -> bool:
        """Whether the user logged in from there since then."""

    async def remember_network(self, user_id: str, network: str, now: datetime, most: int) -> None:
        """The user logged in from there; of more than `most` networks the oldest are forgotten."""
