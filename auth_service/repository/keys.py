"""Rows of API keys."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import TIMESTAMP

from auth_service.domain.keys import ApiKey
from auth_service.repository.tables import NOW, Rows, api_keys, page_of

_KEY_COLUMNS = [column for column in api_keys.c if column.name != "secret_hash"]


class ApiKeyRows(Rows):
    """Queries on API keys."""

    async def add_api_key(self, key: ApiKey, secret_hash: bytes) -> None:
        values = {**asdict(key), "limits": dict(key.limits)}
        values |= {name: list(getattr(key, name)) for name in ("scopes", "models", "networks")}
        await self._db.execute(api_keys.insert().values(**values, secret_hash=secret_hash))

    async def get_api_key(self, tenant_id: str, key_id: str) -> ApiKey | None:
        query = sa.select(*_KEY_COLUMNS).where(api_keys.c.tenant_id == tenant_id, api_keys.c.id == key_id, _unrevoked())
        row = (await self._db.execute(query)).one_or_none()
        return _api_key(row) if row else None

    async def list_api_keys(self, tenant_id: str, size: int, after: tuple[str | int, ...] | None) -> list[ApiKey]:
        query = sa.select(*_KEY_COLUMNS).where(api_keys.c.tenant_id == tenant_id, _unrevoked())
        query = page_of(query, api_keys.c.created_at, api_keys.c.id, after).limit(size + 1)
        return [_api_key(row) for row in await self._db.execute(query)]

    async def end_api_key(self, tenant_id: str, key_id: str, at: datetime) -> bool:
        change = api_keys.update().where(api_keys.c.tenant_id == tenant_id, api_keys.c.id == key_id, _unrevoked())
        return bool((await self._db.execute(change.values(revoked_at=at))).rowcount)

    async def end_api_keys_of(self, tenant_id: str, user_id: str, at: datetime) -> list[str]:
        change = api_keys.update().where(api_keys.c.tenant_id == tenant_id, api_keys.c.user_id == user_id, _unrevoked())
        return list((await self._db.execute(change.values(revoked_at=at).returning(api_keys.c.id))).scalars())

    async def find_api_key(self, key_id: str) -> tuple[ApiKey, bytes] | None:
        query = sa.select(api_keys).where(api_keys.c.id == key_id)
        row = (await self._db.execute(query)).one_or_none()
        return (_api_key(row), bytes(row.secret_hash)) if row else None

    async def touch_api_keys(self, used: Mapping[str, datetime]) -> None:
        given = sa.values(sa.column("id", sa.Text), sa.column("at", TIMESTAMP(timezone=True)), name="used")
        given = given.data(sorted(used.items()))
        later = sa.func.greatest(api_keys.c.last_used_at, given.c.at)
        await self._db.execute(api_keys.update().where(api_keys.c.id == given.c.id).values(last_used_at=later))


def _unrevoked() -> sa.ColumnElement[bool]:
    # A rotated key is revoked from a time in the future on.
    return sa.or_(api_keys.c.revoked_at.is_(None), api_keys.c.revoked_at > NOW)


def _api_key(row: Any) -> ApiKey:
    return ApiKey(
        id=row.id,
        tenant_id=row.tenant_id,
        user_id=row.user_id,
        name=row.name,
        prefix=row.prefix,
        scopes=tuple(row.scopes),
        limits=row.limits,
        models=tuple(row.models),
        networks=tuple(row.networks),
        answer_cache_seconds=row.answer_cache_seconds,
        version=row.version,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )
