"""The tables of identity and every query on them. Returns domain types; decides nothing."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, JSONB, TIMESTAMP, UUID
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from auth_service.domain import (
    Account,
    ApiKey,
    Change,
    EmailTaken,
    RefreshToken,
    Session,
    Subject,
    Tenant,
    TenantStatus,
    User,
)
from chassis.database import PLATFORM, Database, new_metadata

metadata = new_metadata()
NOW = sa.func.now()
CHANNEL = "aisp_auth_changes"


def _id(**options: Any) -> sa.Column[str]:
    return sa.Column("id", UUID(as_uuid=False), primary_key=True, **options)


def _at(name: str, *, nullable: bool = False, default: bool = False) -> sa.Column[datetime]:
    return sa.Column(name, TIMESTAMP(timezone=True), nullable=nullable, server_default=NOW if default else None)


tenants = sa.Table(
    "tenants",
    metadata,
    _id(),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("plan", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    _at("created_at"),
)
users = sa.Table(
    "users",
    metadata,
    _id(),
    sa.Column("email", sa.Text, nullable=False, unique=True),
    sa.Column("full_name", sa.Text, nullable=False),
    sa.Column("password_hash", sa.Text, nullable=False),
    sa.Column("operator", sa.Boolean, nullable=False, server_default=sa.false()),
    _at("created_at"),
)
memberships = sa.Table(
    "memberships",
    metadata,
    sa.Column("tenant_id", UUID(as_uuid=False), sa.ForeignKey("tenants.id"), primary_key=True),
    sa.Column("user_id", UUID(as_uuid=False), sa.ForeignKey("users.id"), primary_key=True, index=True),
    sa.Column("role", sa.Text, nullable=False),
    _at("created_at", default=True),
)
sessions = sa.Table(
    "sessions",
    metadata,
    _id(),
    sa.Column("tenant_id", UUID(as_uuid=False), sa.ForeignKey("tenants.id"), nullable=False, index=True),
    sa.Column("user_id", UUID(as_uuid=False), sa.ForeignKey("users.id"), nullable=False, index=True),
    _at("created_at", default=True),
    _at("revoked_at", nullable=True),
)
refresh_tokens = sa.Table(
    "refresh_tokens",
    metadata,
    sa.Column("hash", BYTEA, primary_key=True),
    sa.Column("session_id", UUID(as_uuid=False), sa.ForeignKey("sessions.id"), nullable=False, index=True),
    _at("expires_at"),
    _at("used_at", nullable=True),
)
api_keys = sa.Table(
    "api_keys",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("tenant_id", UUID(as_uuid=False), sa.ForeignKey("tenants.id"), nullable=False),
    sa.Column("user_id", UUID(as_uuid=False), sa.ForeignKey("users.id"), nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("prefix", sa.Text, nullable=False),
    sa.Column("secret_hash", BYTEA, nullable=False),
    sa.Column("scopes", ARRAY(sa.Text), nullable=False),
    sa.Column("limits", JSONB, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    _at("created_at"),
    _at("expires_at", nullable=True),
    _at("last_used_at", nullable=True),
    _at("revoked_at", nullable=True),
    sa.Index("ix_api_keys_tenant_id_created_at", "tenant_id", "created_at"),
)
changes = sa.Table(
    "changes",
    metadata,
    sa.Column("version", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("subject_id", sa.Text, nullable=False),
    _at("at", default=True),
)

_KEY_COLUMNS = [column for column in api_keys.c if column.name != "secret_hash"]


class PostgresRepository:
    """Queries of one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._db = connection

    async def add_tenant(self, tenant: Tenant) -> None:
        await self._db.execute(tenants.insert().values({**asdict(tenant), "status": tenant.status.value}))

    async def add_user(self, user: User, password_hash: str) -> None:
        values = {"id": user.id, "email": user.email, "full_name": user.full_name, "created_at": user.created_at}
        try:
            await self._db.execute(users.insert().values(**values, operator=user.operator, password_hash=password_hash))
        except IntegrityError as error:
            raise EmailTaken from error

    async def add_membership(self, tenant_id: str, user_id: str, role: str) -> None:
        await self._db.execute(memberships.insert().values(tenant_id=tenant_id, user_id=user_id, role=role))

    async def find_account(self, email: str) -> Account | None:
        query = sa.select(users.c.id, users.c.password_hash).where(users.c.email == email)
        row = (await self._db.execute(query)).one_or_none()
        return Account(row.id, row.password_hash) if row else None

    async def set_operator(self, user_id: str, password_hash: str) -> None:
        change = users.update().where(users.c.id == user_id)
        await self._db.execute(change.values(operator=True, password_hash=password_hash))

    async def first_tenant_id(self, user_id: str, tenant_id: str) -> str | None:
        query = sa.select(memberships.c.tenant_id).where(memberships.c.user_id == user_id)
        if tenant_id:
            query = query.where(sa.cast(memberships.c.tenant_id, sa.Text) == tenant_id)
        query = query.order_by(memberships.c.created_at, memberships.c.tenant_id).limit(1)
        return (await self._db.execute(query)).scalar_one_or_none()

    async def get_tenant(self, tenant_id: str) -> Tenant | None:
        query = sa.select(tenants).where(sa.cast(tenants.c.id, sa.Text) == tenant_id)
        row = (await self._db.execute(query)).one_or_none()
        return _tenant(row) if row else None

    async def list_tenants(self, size: int, after: tuple[str | int, ...] | None) -> list[Tenant]:
        query = _page(sa.select(tenants), tenants.c.created_at, tenants.c.id, after).limit(size + 1)
        return [_tenant(row) for row in await self._db.execute(query)]

    async def update_tenant(
        self, tenant_id: str, *, name: str | None, plan: str | None, status: TenantStatus | None, grow: bool
    ) -> Tenant | None:
        values = {"name": name, "plan": plan, "status": status.value if status else None}
        change = tenants.update().where(sa.cast(tenants.c.id, sa.Text) == tenant_id)
        change = change.values(
            {key: value for key, value in values.items() if value is not None}
            | {"version": tenants.c.version + (1 if grow else 0)}
        )
        row = (await self._db.execute(change.returning(*tenants.c))).one_or_none()
        return _tenant(row) if row else None

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

    async def add_session(self, session: Session) -> None:
        await self._db.execute(sessions.insert().values(asdict(session)))

    async def revoke_session(self, session_id: str) -> bool:
        change = sessions.update().where(sessions.c.id == session_id, sessions.c.revoked_at.is_(None))
        return bool((await self._db.execute(change.values(revoked_at=NOW))).rowcount)

    async def revoke_other_sessions(self, user_id: str, session_id: str) -> list[str]:
        change = sessions.update().where(sessions.c.user_id == user_id, sessions.c.revoked_at.is_(None))
        if session_id:
            change = change.where(sessions.c.id != session_id)
        return list((await self._db.execute(change.values(revoked_at=NOW).returning(sessions.c.id))).scalars())

    async def add_refresh_token(self, token_hash: bytes, session_id: str, expires_at: datetime) -> None:
        values = {"hash": token_hash, "session_id": session_id, "expires_at": expires_at}
        await self._db.execute(refresh_tokens.insert().values(values))

    async def lock_refresh_token(self, token_hash: bytes) -> RefreshToken | None:
        joined = refresh_tokens.join(sessions, sessions.c.id == refresh_tokens.c.session_id)
        query = sa.select(refresh_tokens, sessions.c.tenant_id, sessions.c.user_id, sessions.c.revoked_at).select_from(
            joined
        )
        query = query.where(refresh_tokens.c.hash == token_hash).with_for_update()
        row = (await self._db.execute(query)).one_or_none()
        if row is None:
            return None
        session = Session(row.session_id, row.tenant_id, row.user_id)
        return RefreshToken(row.hash, session, row.expires_at, row.used_at, row.revoked_at is not None)

    async def use_refresh_token(self, token_hash: bytes, at: datetime) -> None:
        change = refresh_tokens.update().where(refresh_tokens.c.hash == token_hash)
        await self._db.execute(change.values(used_at=at))

    async def add_api_key(self, key: ApiKey, secret_hash: bytes) -> None:
        values = {**asdict(key), "scopes": list(key.scopes), "limits": dict(key.limits)}
        await self._db.execute(api_keys.insert().values(**values, secret_hash=secret_hash))

    async def get_api_key(self, tenant_id: str, key_id: str) -> ApiKey | None:
        query = sa.select(*_KEY_COLUMNS).where(api_keys.c.tenant_id == tenant_id, api_keys.c.id == key_id, _unrevoked())
        row = (await self._db.execute(query)).one_or_none()
        return _api_key(row) if row else None

    async def list_api_keys(self, tenant_id: str, size: int, after: tuple[str | int, ...] | None) -> list[ApiKey]:
        query = sa.select(*_KEY_COLUMNS).where(api_keys.c.tenant_id == tenant_id, _unrevoked())
        query = _page(query, api_keys.c.created_at, api_keys.c.id, after).limit(size + 1)
        return [_api_key(row) for row in await self._db.execute(query)]

    async def end_api_key(self, tenant_id: str, key_id: str, at: datetime) -> bool:
        change = api_keys.update().where(api_keys.c.tenant_id == tenant_id, api_keys.c.id == key_id, _unrevoked())
        return bool((await self._db.execute(change.values(revoked_at=at))).rowcount)

    async def find_api_key(self, key_id: str) -> tuple[ApiKey, bytes] | None:
        query = sa.select(api_keys).where(api_keys.c.id == key_id)
        row = (await self._db.execute(query)).one_or_none()
        return (_api_key(row), bytes(row.secret_hash)) if row else None

    async def touch_api_key(self, key_id: str, at: datetime) -> None:
        await self._db.execute(api_keys.update().where(api_keys.c.id == key_id).values(last_used_at=at))

    async def add_changes(self, changes_made: Sequence[tuple[Subject, str]]) -> None:
        rows = [{"subject": subject.value, "subject_id": subject_id} for subject, subject_id in changes_made]
        if rows:
            # Versions must become visible in their order: one writer at a time, until commit.
            await self._db.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('aisp_auth_changes'))"))
            await self._db.execute(changes.insert(), rows)
            await self._db.execute(sa.select(sa.func.pg_notify(CHANNEL, "")))

    async def changes_since(self, version: int, limit: int) -> tuple[list[Change], bool]:
        query = sa.select(changes).where(changes.c.version > version).order_by(changes.c.version).limit(limit)
        found = [Change(row.version, Subject(row.subject), row.subject_id) for row in await self._db.execute(query)]
        oldest = (await self._db.execute(sa.select(sa.func.min(changes.c.version)))).scalar_one()
        forgotten = bool(version and oldest is not None and oldest > version + 1)
        return found, forgotten

    async def latest_version(self) -> int:
        return int(
            (await self._db.execute(sa.select(sa.func.coalesce(sa.func.max(changes.c.version), 0)))).scalar_one()
        )

    async def trim_changes(self, before: datetime) -> None:
        newest = sa.select(sa.func.max(changes.c.version)).scalar_subquery()
        await self._db.execute(changes.delete().where(changes.c.at < before, changes.c.version < newest))


class PostgresStore:
    """Opens transactions on the service's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def transaction(self, tenant_id: str) -> AsyncIterator[PostgresRepository]:
        async with self._database.transaction(tenant_id) as connection:
            yield PostgresRepository(connection)

    @asynccontextmanager
    async def platform(self) -> AsyncIterator[PostgresRepository]:
        async with self._database.transaction(PLATFORM) as connection:
            yield PostgresRepository(connection)


def _unrevoked() -> sa.ColumnElement[bool]:
    # A rotated key is revoked from a time in the future on.
    return sa.or_(api_keys.c.revoked_at.is_(None), api_keys.c.revoked_at > NOW)


def _page(
    query: sa.Select[Any], at: sa.Column[Any], key: sa.Column[Any], after: tuple[str | int, ...] | None
) -> sa.Select[Any]:
    """Newest first, after the row whose (microseconds, id) is `after`."""
    micros = sa.cast(sa.extract("epoch", at) * 1_000_000, sa.BigInteger)
    text_key = sa.cast(key, sa.Text)
    if after is not None:
        query = query.where(
            sa.tuple_(micros, text_key) < sa.tuple_(sa.literal(int(after[0])), sa.literal(str(after[1])))
        )
    return query.order_by(micros.desc(), text_key.desc())


def _tenant(row: Any) -> Tenant:
    return Tenant(row.id, row.name, row.plan, TenantStatus(row.status), row.version, row.created_at)


def _api_key(row: Any) -> ApiKey:
    return ApiKey(
        id=row.id,
        tenant_id=row.tenant_id,
        user_id=row.user_id,
        name=row.name,
        prefix=row.prefix,
        scopes=tuple(row.scopes),
        limits=row.limits,
        version=row.version,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )
