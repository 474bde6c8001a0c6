"""Rows of users and memberships."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from auth_service.domain.errors import EmailTaken
from auth_service.domain.people import Account, Member, Membership, User
from auth_service.domain.tenants import TenantStatus
from auth_service.repository.tables import Rows, memberships, page_of, tenants, users


class PeopleRows(Rows):
    """Queries on users and their memberships."""

    async def add_user(self, user: User, password_hash: str) -> None:
        values = {"id": user.id, "email": user.email, "full_name": user.full_name, "created_at": user.created_at}
        try:
            await self._db.execute(users.insert().values(**values, operator=user.operator, password_hash=password_hash))
        except IntegrityError as error:
            raise EmailTaken from error

    async def add_membership(self, tenant_id: str, user_id: str, role: str) -> None:
        await self._db.execute(memberships.insert().values(tenant_id=tenant_id, user_id=user_id, role=role))

    async def find_account(self, email: str) -> Account | None:
        query = sa.select(users.c.id, users.c.password_hash).where(users.c.realm == "", users.c.email == email)
        row = (await self._db.execute(query)).one_or_none()
        return Account(row.id, row.password_hash) if row else None

    async def set_operator(self, user_id: str, password_hash: str) -> None:
        change = users.update().where(users.c.id == user_id)
        await self._db.execute(change.values(operator=True, password_hash=password_hash))

    async def first_tenant_id(self, user_id: str, tenant_id: str) -> str | None:
        joined = memberships.join(tenants, tenants.c.id == memberships.c.tenant_id)
        query = sa.select(memberships.c.tenant_id).select_from(joined).where(memberships.c.user_id == user_id)
        if tenant_id:
            query = query.where(sa.cast(memberships.c.tenant_id, sa.Text) == tenant_id)
        suspended = tenants.c.status != TenantStatus.ACTIVE.value
        query = query.order_by(suspended, memberships.c.created_at, memberships.c.tenant_id).limit(1)
        return (await self._db.execute(query)).scalar_one_or_none()

    async def get_user(self, tenant_id: str, user_id: str) -> User | None:
        joined = users.join(memberships, memberships.c.user_id == users.c.id)
        query = sa.select(users, memberships.c.role).select_from(joined)
        query = query.where(memberships.c.tenant_id == tenant_id, users.c.id == user_id)
        row = (await self._db.execute(query)).one_or_none()
        return User(row.id, row.email, row.full_name, row.role, row.created_at, row.operator) if row else None

    async def password_hash(self, user_id: str) -> str:
        query = sa.select(users.c.password_hash).where(users.c.id == user_id)
        return str((await self._db.execute(query)).scalar_one())

    async def update_user(self, user_id: str, *, full_name: str | None, password_hash: str | None) -> None:
        values = {"full_name": full_name, "password_hash": password_hash}
        chosen = {key: value for key, value in values.items() if value is not None}
        if chosen:
            await self._db.execute(users.update().where(users.c.id == user_id).values(chosen))


class MemberRows(Rows):
    """Queries on who belongs to a tenant."""

    async def list_members(self, tenant_id: str, size: int, after: tuple[str | int, ...] | None) -> list[Member]:
        query = _members().where(memberships.c.tenant_id == tenant_id)
        query = page_of(query, memberships.c.created_at, memberships.c.user_id, after).limit(size + 1)
        return [_member(row) for row in await self._db.execute(query)]

    async def get_member(self, tenant_id: str, user_id: str) -> Member | None:
        query = _members().where(memberships.c.tenant_id == tenant_id, memberships.c.user_id == user_id)
        row = (await self._db.execute(query)).one_or_none()
        return _member(row) if row else None

    async def count_members(self, tenant_id: str, role: str | None = None) -> int:
        query = sa.select(sa.func.count()).where(memberships.c.tenant_id == tenant_id)
        if role is not None:
            query = query.where(memberships.c.role == role)
        return int((await self._db.execute(query)).scalar_one())

    async def set_role(self, tenant_id: str, user_id: str, role: str) -> None:
        change = memberships.update().where(memberships.c.tenant_id == tenant_id, memberships.c.user_id == user_id)
        await self._db.execute(change.values(role=role))

    async def remove_membership(self, tenant_id: str, user_id: str) -> None:
        change = memberships.delete().where(memberships.c.tenant_id == tenant_id, memberships.c.user_id == user_id)
        await self._db.execute(change)

    async def list_memberships(self, user_id: str) -> list[Membership]:
        joined = memberships.join(tenants, tenants.c.id == memberships.c.tenant_id)
        query = sa.select(memberships.c.role, tenants.c.id, tenants.c.name, tenants.c.status).select_from(joined)
        query = query.where(memberships.c.user_id == user_id).order_by(memberships.c.created_at, tenants.c.id)
        return [
            Membership(row.id, row.name, row.role, suspended=row.status != TenantStatus.ACTIVE.value)
            for row in await self._db.execute(query)
        ]


def _members() -> sa.Select[Any]:
    joined = memberships.join(users, users.c.id == memberships.c.user_id)
    columns = (users.c.email, users.c.full_name, memberships.c.user_id, memberships.c.role, memberships.c.created_at)
    return sa.select(*columns).select_from(joined)


def _member(row: Any) -> Member:
    return Member(row.user_id, row.email, row.full_name, row.role, row.created_at)
