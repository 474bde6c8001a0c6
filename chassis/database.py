"""PostgreSQL as every service uses it: one engine, short visible transactions, tenants kept apart by the database.

A transaction is opened for one tenant (row-level security shows it nothing else) or, said explicitly, for the
platform. No other module commits. Tables and queries belong to each service's repository.
"""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import MappingProxyType
from typing import Any, Self, cast

import asyncpg
import orjson
from sqlalchemy import URL, MetaData, event, text
from sqlalchemy.exc import DBAPIError, DisconnectionError, InterfaceError, InvalidatePoolError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from chassis.errors import Unavailable
from chassis.settings import DatabaseSettings

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

AWAY = ("08", "53", "57P0")
"""Classes of SQLSTATE: no connection, no room, and a server that is started or stopped."""

ASK = text("SELECT 1")
PLATFORM = "*"
"""Stands for all tenants, where the platform itself acts: a log-in by address, a sweep, an operator's list."""
_TENANT = re.compile(r"[0-9A-Za-z_-]{1,64}|\*", re.ASCII)
"""What stands between quotes in a statement: nothing that could end them."""
_NAME = re.compile(r"[a-z_]+(\.[a-z_]+)?", re.ASCII)
_WORD = re.compile(r"[0-9A-Za-z_]+", re.ASCII)
NONE: Mapping[str, str | int] = MappingProxyType({})


class DatabaseUnavailable(Unavailable):
    reason = "DATABASE_UNAVAILABLE"
    message = "The database does not answer at the moment; try again soon."


def new_metadata() -> MetaData:
    """The collection that a service's tables register with; constraints get predictable names."""
    return MetaData(naming_convention=NAMING)


def url(settings: DatabaseSettings, short_name: str, *, owner: bool = False) -> URL:
    """The address of the database aisp_<short>, for its runtime role, or for the owner that migrates it."""
    database = f"aisp_{short_name}"
    socket = settings.host.startswith("/")
    secret = settings.owner_password if owner else settings.password
    return URL.create(
        "postgresql+asyncpg",
        username=f"{database}_owner" if owner else database,
        password=secret.get_secret_value() or None,
        host=None if socket else settings.host,
        port=None if socket else settings.port,
        database=database,
        # asyncpg takes a socket's directory as `host` of its own, beside the port in the file's name.
        query={"host": settings.host, "port": str(settings.port)} if socket else {},
    )


class _Connection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg has no types
    """Says in the message that begins a transaction what holds for it: a round trip of every transaction less."""

    opening = ""

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:  # noqa: ASYNC109  # asyncpg's
        if query.startswith("BEGIN"):
            query, self.opening = query + self.opening, ""
        return cast("str", await super().execute(query, *args, timeout=timeout))


class Database:
    """A service's database."""

    def __init__(self, settings: DatabaseSettings, short_name: str) -> None:
        self.url = url(settings, short_name)
        self.dsn = self.url.set(drivername="postgresql").render_as_string(hide_password=False)
        """The same address for asyncpg itself; it has the password in it."""
        self._engine = create_async_engine(
            self.url,
            pool_size=settings.pool_size,
            max_overflow=0,
            pool_timeout=10,
            json_serializer=lambda value: orjson.dumps(value).decode(),
            connect_args={
                "connection_class": _Connection,
                "timeout": 5,
                "command_timeout": 60,
                "server_settings": {
                    "application_name": short_name,
                    "statement_timeout": "60s",
                    "lock_timeout": "10s",
                    "idle_in_transaction_session_timeout": "60s",
                    # Under row-level security a cached generic plan serves small tenants badly: plan for the tenant.
                    "plan_cache_mode": "force_custom_plan",
                },
            },
        )

        self._snapshots = self._engine.execution_options(isolation_level="REPEATABLE READ")
        event.listen(self._engine.sync_engine, "checkout", _refuse_closed)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._engine.dispose()

    @asynccontextmanager
    async def transaction(
        self, tenant_id: str, *, snapshot: bool = False, settings: Mapping[str, str | int] = NONE
    ) -> AsyncIterator[AsyncConnection]:
        """A transaction that sees the rows of one tenant (or, for PLATFORM, all). Commits on leaving, or rolls back.

        With `snapshot` all that it reads is of one moment, not each statement of its own. `settings` are the server's,
        for this transaction: names and plain words.
        Raises DatabaseUnavailable if the server cannot be reached, or no connection is free in time.
        """
        opening = _opening(tenant_id, settings)
        try:
            async with (self._snapshots if snapshot else self._engine).connect() as connection:
                _driver(connection).opening = opening
                async with connection.begin():
                    yield connection
        except (InterfaceError, OperationalError, PoolTimeout, OSError, TimeoutError) as error:
            raise DatabaseUnavailable from error
        except DBAPIError as error:
            # A server that starts or stops says so in an error of no class of its own.
            if error.connection_invalidated or str(getattr(error.orig, "sqlstate", "")).startswith(AWAY):
                raise DatabaseUnavailable from error
            raise

    def platform(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A transaction that sees all tenants: for the platform's own work, never for a tenant's call."""
        return self.transaction(PLATFORM)

    async def check(self) -> None:
        """Returns if the database answers."""
        async with self.platform() as connection:
            await connection.execute(ASK)


def _opening(tenant_id: str, settings: Mapping[str, str | int]) -> str:
    """Local to the transaction, all of it: the connection's next user must not inherit it."""
    if not _TENANT.fullmatch(tenant_id):
        message = "a transaction needs a tenant"
        raise ValueError(message)
    told = {"aisp.tenant": tenant_id}
    for name, value in settings.items():
        if not _NAME.fullmatch(name) or not _WORD.fullmatch(str(value)):
            message = f"{name} is no setting of the server, or its value no plain word"
            raise ValueError(message)
        told[name] = str(value)
    return "".join(f" SET LOCAL {name} = '{value}';" for name, value in told.items())


def _driver(connection: AsyncConnection) -> _Connection:
    return cast("_Connection", cast("Any", connection.sync_connection).connection.driver_connection)


def _refuse_closed(connection: Any, _record: Any, _proxy: Any) -> None:
    """Connections of a server that went away are left, all of them. The driver hears of it when it happens, so nobody
    has to be asked: a ping is three round trips, as many as most transactions have.
    """
    if connection.driver_connection.is_closed():
        raise InvalidatePoolError
    if connection.driver_connection.is_in_transaction():
        # What begins a transaction was refused half-way. That is nobody's to continue.
        raise DisconnectionError


def isolation(table: str) -> list[str]:
    """The statements of a migration that keep the tenants of `table` apart by its column `tenant_id` (UUID).

    Row-level security is forced, so it binds the owner too; it does nothing for a superuser, which no role here is.
    """
    allowed = "current_setting('aisp.tenant', true) = '*' OR tenant_id::text = current_setting('aisp.tenant', true)"
    return [
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY tenant_isolation ON {table} USING ({allowed}) WITH CHECK ({allowed})",
    ]
