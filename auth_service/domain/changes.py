"""Changes of identity, of which every gateway is told."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol


class Subject(Enum):
    """What a change is about."""

    TENANT = "tenant"
    USER = "user"
    SESSION = "session"
    API_KEY = "api_key"
    SIGNING_KEYS = "signing_keys"


@dataclass(frozen=True, slots=True)
class Change:
    """Something about identity changed."""

    version: int
    subject: Subject
    id: str


class ChangeQueries(Protocol):
    """Queries on the stream of changes."""

    async def add_changes(self, changes: Sequence[tuple[Subject, str]]) -> None:
        """Told to every replica when the transaction commits."""

    async def changes_since(self, version: int, limit: int) -> tuple[list[Change], bool]:
        """The changes after `version`, oldest first, and whether some in between are forgotten already."""

    async def trim_changes(self, before: datetime) -> None: ...
