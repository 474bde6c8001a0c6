"""Rows of issuers and identities."""

from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import IntegrityError

from auth_service.domain.errors import AlreadyMember
from auth_service.domain.issuers import Issuer
from auth_service.domain.people import User
from auth_service.repository.tables import Rows, identities, issuers, users


class IssuerRows(Rows):
    """Queries on issuers and on whom they vouch for."""

    async def add_issuer(self, issuer: Issuer) -> None:
        await self._db.execute(issuers.insert().values({**asdict(issuer), "roles": dict(issuer.roles)}))

    async def ensure_issuer(self, issuer: Issuer) -> None:
        values = {**asdict(issuer), "roles": dict(issuer.roles)}
        changed = {name: value for name, value in values.items() if name not in ("id", "tenant_id", "created_at")}
        statement = upsert(issuers).values(values)
        await self._db.execute(statement.on_conflict_do_update(index_elements=[issuers.c.id], set_=changed))

    async def platform_issuers(self) -> list[Issuer]:
        query = sa.select(issuers).where(issuers.c.platform).order_by(issuers.c.tenant_id)
        return [_issuer(row) for row in await self._db.execute(query)]

    async def list_issuers(self, tenant_id: str) -> list[Issuer]:
        query = sa.select(issuers).where(issuers.c.tenant_id == tenant_id).order_by(issuers.c.created_at.desc())
        return [_issuer(row) for row in await self._db.execute(query)]

    async def lock_issuer(self, issuer_id: str) -> bool:
        query = sa.select(issuers.c.id).where(issuers.c.id == issuer_id).with_for_update()
        return (await self._db.execute(query)).one_or_none() is not None

    async def find_issuers(self, issuer: str, tenant_id: str) -> list[Issuer]:
        query = sa.select(issuers).where(issuers.c.issuer == issuer, ~issuers.c.platform)
        if tenant_id:
            query = query.where(sa.cast(issuers.c.tenant_id, sa.Text) == tenant_id)
        return [_issuer(row) for row in await self._db.execute(query.limit(1000))]

    async def end_issuer(self, tenant_id: str, issuer_id: str) -> Issuer | None:
        mine = (issuers.c.tenant_id == tenant_id, issuers.c.id == issuer_id)
        row = (await self._db.execute(sa.select(issuers).where(*mine).with_for_update())).one_or_none()
        if row is None:
            return None
        await self._db.execute(identities.delete().where(identities.c.issuer_id == issuer_id))
        await self._db.execute(issuers.delete().where(*mine))
        return _issuer(row)

    async def users_of_issuer(self, tenant_id: str, issuer_id: str) -> list[str]:
        query = sa.select(identities.c.user_id).where(
            identities.c.tenant_id == tenant_id, identities.c.issuer_id == issuer_id
        )
        return list((await self._db.execute(query)).scalars())

    async def user_of_identity(self, issuer_id: str, subject: str) -> str | None:
        query = sa.select(identities.c.user_id).where(
            identities.c.issuer_id == issuer_id, identities.c.subject == subject
        )
        return (await self._db.execute(query)).scalar_one_or_none()

    async def add_identity(self, issuer: Issuer, subject: str, user: User) -> None:
        # In a realm of the issuer's own: it vouches for nobody's account elsewhere, and takes nobody's address.
        values = {"id": user.id, "email": user.email, "full_name": user.full_name, "created_at": user.created_at}
        try:
            await self._db.execute(users.insert().values(**values, realm=issuer.id, password_hash=""))
        except IntegrityError as error:
            raise AlreadyMember from error
        named = {"issuer_id": issuer.id, "subject": subject, "tenant_id": issuer.tenant_id, "user_id": user.id}
        await self._db.execute(identities.insert().values(named))


def _issuer(row: Any) -> Issuer:
    return Issuer(**row._mapping)  # noqa: SLF001  # SQLAlchemy's public name for it
