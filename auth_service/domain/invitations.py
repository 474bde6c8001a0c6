"""Invitations into a tenant. One is there as long as it is open."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Invitation:
    """An address that may join with a role."""

    id: str
    tenant_id: str
    email: str
    role: str
    invited_by: str
    mailed: bool
    created_at: datetime
    expires_at: datetime


class InvitationQueries(Protocol):
    """Queries on open invitations."""

    async def add_invitation(self, invitation: Invitation) -> None: ...

    async def list_invitations(
        self, tenant_id: str, now: datetime, size: int, after: tuple[str | int, ...] | None
    ) -> list[Invitation]: ...

    async def count_invitations(self, tenant_id: str, now: datetime) -> int: ...

    async def find_invitation(self, invitation_id: str) -> Invitation | None:
        """In all tenants."""

    async def end_invitation(self, tenant_id: str, invitation_id: str, now: datetime) -> Invitation | None:
        """Takes it away; what it was, if it was open."""

    async def end_invitations_to(self, tenant_id: str, email: str) -> None: ...

    async def trim_invitations(self, before: datetime) -> None: ...

    async def end_invitations_by(self, tenant_id: str, user_id: str) -> None: ...
