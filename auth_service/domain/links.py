"""Links: secrets that are sent to somebody, good once and for a time. And the port by which mail goes out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, Protocol


class Purpose(Enum):
    """What a link is for; its secret is good for nothing else."""

    INVITATION = "invitation"
    PASSWORD_RESET = "password-reset"  # noqa: S105  # a purpose, no password
    REGISTRATION = "registration"


@dataclass(frozen=True, slots=True)
class Link:
    """A link. `subject` is whom or what it concerns; of the secret nothing is stored, it is computed from the id."""

    id: str
    purpose: Purpose
    subject: str
    expires_at: datetime
    payload: Mapping[str, Any] = field(default_factory=dict)


class LinkQueries(Protocol):
    """Queries on links, in all tenants."""

    async def add_link(self, link: Link) -> None:
        """Any earlier one of the same purpose and subject ends."""

    async def get_link(self, link_id: str, purpose: Purpose, now: datetime) -> Link | None:
        """None if it is used, taken back or too old."""

    async def take_link(self, link_id: str, purpose: Purpose, now: datetime) -> Link | None:
        """As get_link, and uses it up: of two that come at once only one gets it."""

    async def end_links(self, purpose: Purpose, subject: str) -> None: ...

    async def trim_links(self, before: datetime) -> None: ...


class JobQueries(Protocol):
    """Work that goes on behind a request."""

    async def enqueue(self, kind: str, payload: Mapping[str, Any]) -> None:
        """It is there when the transaction commits."""


class Mailer(Protocol):
    """Sends mail."""

    async def send(self, to: str, subject: str, text: str) -> None:
        """MailFailed (tried again later) if the server cannot be reached; MailRefused if it does not take it."""
