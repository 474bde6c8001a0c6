"""Rows of signing keys."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import BYTEA, TIMESTAMP

from auth_service.domain.signing import SigningKey
from auth_service.repository.tables import Rows, metadata

signing_keys = sa.Table(
    "signing_keys",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("public", BYTEA, nullable=False),
    sa.Column("sealed", BYTEA, nullable=False),
    sa.Column("created_at", TIMESTAMP(timezone=True), nullable=False),
    sa.Column("active_at", TIMESTAMP(timezone=True), nullable=False),
    sa.Column("retires_at", TIMESTAMP(timezone=True), nullable=True),
)


class SigningKeyRows(Rows):
    """Queries on signing keys."""

    async def lock_signing_keys(self) -> list[SigningKey]:
        await self._db.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('aisp_auth_signing_keys'))"))
        return await self._found(sa.select(signing_keys))

    async def list_signing_keys(self, now: datetime) -> list[SigningKey]:
        lives = sa.or_(signing_keys.c.retires_at.is_(None), signing_keys.c.retires_at > now)
        return await self._found(sa.select(signing_keys).where(lives))

    async def add_signing_key(self, key: SigningKey) -> None:
        values = {name: getattr(key, name) for name in signing_keys.c.keys()}  # noqa: SIM118  # columns, not a mapping
        await self._db.execute(signing_keys.insert().values(values))

    async def retire_signing_key(self, key_id: str, at: datetime) -> None:
        await self._db.execute(signing_keys.update().where(signing_keys.c.id == key_id).values(retires_at=at))

    async def seal_signing_key(self, key_id: str, sealed: bytes) -> None:
        await self._db.execute(signing_keys.update().where(signing_keys.c.id == key_id).values(sealed=sealed))

    async def drop_signing_keys(self, before: datetime) -> None:
        await self._db.execute(signing_keys.delete().where(signing_keys.c.retires_at < before))

    async def _found(self, query: sa.Select[Any]) -> list[SigningKey]:
        query = query.order_by(signing_keys.c.active_at.desc(), signing_keys.c.id)
        return [
            SigningKey(row.id, bytes(row.public), bytes(row.sealed), row.created_at, row.active_at, row.retires_at)
            for row in await self._db.execute(query)
        ]
