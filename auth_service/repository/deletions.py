"""Rows of deletions, and the removal of a tenant from the tables of identity."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from auth_service.domain.deletions import Deletion, Step
from auth_service.domain.links import Purpose
from auth_service.domain.tenants import TenantStatus
from auth_service.repository.tables import (
    Rows,
    api_keys,
    deletion_steps,
    deletions,
    identities,
    invitations,
    issuers,
    jobs,
    known_networks,
    links,
    memberships,
    page_of,
    refresh_tokens,
    sessions,
    tenants,
    users,
)

OF_A_TENANT = (identities, issuers, invitations, api_keys, sessions, memberships, jobs)
"""What refers to others first. The audit log is not among them: it outlives the tenant (docs/decisions/0008)."""


class DeletionRows(Rows):
    """Queries on deletions."""

    async def add_deletion(self, deletion: Deletion) -> None:
        await self._db.execute(deletions.insert().values(_values(deletion)))
        await self._put_steps(deletion)

    async def deletion_of(self, tenant_id: str) -> Deletion | None:
        return await self._one(sa.select(deletions).where(deletions.c.tenant_id == tenant_id).with_for_update())

    async def get_deletion(self, deletion_id: str, *, lock: bool = False) -> Deletion | None:
        query = sa.select(deletions).where(deletions.c.id == deletion_id)
        return await self._one(query.with_for_update() if lock else query)

    async def list_deletions(self, size: int, after: tuple[str | int, ...] | None) -> list[Deletion]:
        query = page_of(sa.select(deletions), deletions.c.requested_at, deletions.c.id, after).limit(size + 1)
        return await self._with_steps(query)

    async def due_deletion(self, now: datetime) -> Deletion | None:
        query = sa.select(deletions).where(deletions.c.erased_at.is_(None), deletions.c.next_at <= now)
        return await self._one(query.order_by(deletions.c.next_at).limit(1).with_for_update(skip_locked=True))

    async def put_deletion(self, deletion: Deletion) -> None:
        await self._db.execute(deletions.update().where(deletions.c.id == deletion.id).values(_values(deletion)))
        await self._put_steps(deletion)

    async def drop_deletion(self, deletion_id: str) -> None:
        await self._db.execute(deletions.delete().where(deletions.c.id == deletion_id))

    async def lone_operators(self, tenant_id: str) -> Sequence[str]:
        lone = self._of_no_other_tenant(tenant_id)
        query = sa.select(users.c.id).where(users.c.id.in_(lone), users.c.operator)
        return list((await self._db.execute(query)).scalars())

    async def erase_tenant(self, tenant_id: str) -> Mapping[str, int]:
        removed: dict[str, int] = {}

        async def delete(table: sa.Table, *where: sa.ColumnElement[bool]) -> None:
            number, name = (await self._db.execute(table.delete().where(*where))).rowcount, f"{table.name}"
            removed[name] = removed.get(name, 0) + number

        # An operator's account is the platform's: it is never removed with a tenant.
        found = sa.select(users.c.id).where(users.c.id.in_(self._of_no_other_tenant(tenant_id)), ~users.c.operator)
        people = list((await self._db.execute(found)).scalars())
        # Whom an issuer vouched for is of its tenant alone, and may have been removed from it before.
        vouched = sa.select(identities.c.user_id).where(identities.c.tenant_id == tenant_id)
        people += (await self._db.execute(vouched)).scalars()
        invited = sa.select(sa.cast(invitations.c.id, sa.Text)).where(invitations.c.tenant_id == tenant_id)
        await delete(links, links.c.purpose == Purpose.INVITATION.value, links.c.subject.in_(invited))
        ended = sa.select(sessions.c.id).where(sessions.c.tenant_id == tenant_id)
        await delete(refresh_tokens, refresh_tokens.c.session_id.in_(ended))
        for table in OF_A_TENANT:
            await delete(table, table.c.tenant_id == tenant_id)
        await self._erase_people(people, delete)
        await delete(tenants, tenants.c.id == tenant_id)
        return {name: number for name, number in removed.items() if number}

    @staticmethod
    async def _erase_people(people: Sequence[str], delete: Any) -> None:
        """With what is left of them in tenants that they once belonged to: sessions and keys that have ended."""
        theirs = sa.select(sessions.c.id).where(sessions.c.user_id.in_(people))
        await delete(refresh_tokens, refresh_tokens.c.session_id.in_(theirs))
        for table in (sessions, api_keys, known_networks):
            await delete(table, table.c.user_id.in_(people))
        await delete(links, links.c.purpose == Purpose.PASSWORD_RESET.value, links.c.subject.in_(people))
        await delete(users, users.c.id.in_(people))

    @staticmethod
    def _of_no_other_tenant(tenant_id: str) -> sa.Select[Any]:
        others = memberships.alias()
        elsewhere = sa.exists().where(others.c.user_id == memberships.c.user_id, others.c.tenant_id != tenant_id)
        return sa.select(memberships.c.user_id).where(memberships.c.tenant_id == tenant_id, ~elsewhere)

    async def _put_steps(self, deletion: Deletion) -> None:
        rows = [
            {
                "deletion_id": deletion.id,
                "service": step.service,
                "done": step.done,
                "removed": dict(step.removed),
                "waiting_for": step.waiting_for,
                "error": step.error,
            }
            for step in deletion.steps
        ]
        statement = insert(deletion_steps)
        change = {name: statement.excluded[name] for name in ("done", "removed", "waiting_for", "error")}
        keys = ["deletion_id", "service"]
        await self._db.execute(statement.on_conflict_do_update(index_elements=keys, set_=change), rows)

    async def _one(self, query: sa.Select[Any]) -> Deletion | None:
        return next(iter(await self._with_steps(query)), None)

    async def _with_steps(self, query: sa.Select[Any]) -> list[Deletion]:
        rows = (await self._db.execute(query)).all()
        steps: dict[str, list[Step]] = {row.id: [] for row in rows}
        found = sa.select(deletion_steps).where(deletion_steps.c.deletion_id.in_(steps))
        for row in await self._db.execute(found.order_by(deletion_steps.c.service)):
            steps[row.deletion_id].append(Step(row.service, row.done, row.removed, row.waiting_for, row.error))
        return [_deletion(row, steps[row.id]) for row in rows]


def _values(deletion: Deletion) -> dict[str, Any]:
    names = ("id", "tenant_id", "requested_at", "starts_at", "next_at", "rounds", "tries", "erased_at")
    return {name: getattr(deletion, name) for name in names} | {"was": deletion.was.value}


def _deletion(row: Any, steps: Sequence[Step]) -> Deletion:
    values = row._asdict()
    return Deletion(**values | {"was": TenantStatus(row.was), "steps": tuple(steps)})
