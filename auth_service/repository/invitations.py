"""Rows of invitations."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from auth_service.domain.invitations import Invitation
from auth_service.repository.tables import Rows, invitations, page_of


class InvitationRows(Rows):
    """Queries on open invitations."""

    async def add_invitation(self, invitation: Invitation) -> None:
        await self._db.execute(invitations.insert().values(asdict(invitation)))

    async def list_invitations(
        self, tenant_id: str, now: datetime, size: int, after: tuple[str | int, ...] | None
    ) -> list[Invitation]:
        query = sa.select(invitations).where(invitations.c.tenant_id == tenant_id, invitations.c.expires_at > now)
        query = page_of(query, invitations.c.created_at, invitations.c.id, after).limit(size + 1)
        return [_invitation(row) for row in await self._db.execute(query)]

    async def count_invitations(self, tenant_id: str, now: datetime) -> int:
        query = sa.select(sa.func.count()).where(invitations.c.tenant_id == tenant_id, invitations.c.expires_at > now)
        return int((await self._db.execute(query)).scalar_one())

    async def find_invitation(self, invitation_id: str) -> Invitation | None:
        query = sa.select(invitations).where(invitations.c.id == invitation_id)
        row = (await self._db.execute(query)).one_or_none()
        return _invitation(row) if row else None

    async def end_invitation(self, tenant_id: str, invitation_id: str, now: datetime) -> Invitation | None:
        change = invitations.delete().where(
            invitations.c.tenant_id == tenant_id, invitations.c.id == invitation_id, invitations.c.expires_at > now
        )
        row = (await self._db.execute(change.returning(*invitations.c))).one_or_none()
        return _invitation(row) if row else None

    async def end_invitations_to(self, tenant_id: str, email: str) -> None:
        change = invitations.delete().where(invitations.c.tenant_id == tenant_id, invitations.c.email == email)
        await self._db.execute(change)

    async def end_invitations_by(self, tenant_id: str, user_id: str) -> None:
        change = invitations.delete().where(invitations.c.tenant_id == tenant_id, invitations.c.invited_by == user_id)
        await self._db.execute(change)

    async def trim_invitations(self, before: datetime) -> None:
        await self._db.execute(invitations.delete().where(invitations.c.expires_at < before))


def _invitation(row: Any) -> Invitation:
    return Invitation(**row._mapping)  # noqa: SLF001  # SQLAlchemy's public name for it
