"""PostgreSQL as every service uses it: one engine, short visible transactions, tenants kept apart by the database.

A transaction is opened for one tenant (row-level security shows it nothing else) or, said explicitly, for the
platform. No other module commits. Tables and queries belong to each service's repository.
"""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from types import MappingProxyType
from typing import Any, Self, cast

import asyncpg
import orjson
from sqlalchemy import URL, ClauseElement, MetaData, event, text
from sqlalchemy.dialects.postgresql.asyncpg import dialect
from sqlalchemy.exc import DBAPIError, DisconnectionError, InterfaceError, InvalidatePoolError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from chassis.errors import DeadlineExceeded, PlatformError, Unavailable
from chassis.settings import DatabaseSettings

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

DRIVER = (asyncpg.InterfaceError, asyncpg.InternalClientError)
UNREACHABLE = (InterfaceError, OperationalError, PoolTimeout, OSError, TimeoutError, *DRIVER)
"""Of SQLAlchemy, and of the driver where it is asked by itself: the last, between the server's farewell and its end."""
AWAY = ("08", "53", "57P0")
"""Classes of SQLSTATE: no connection, no room, and a server that is started or stopped."""
OTHERS = ("40", "55P03")
"""Somebody else was in the way: two transactions that could not both be, or waited for each other; a lock that did not
come in time.
"""
CANCELLED = ("57014",)
"""A statement took longer than it may."""
STATEMENT_SECONDS = 60
ANSWER_SECONDS = 70
"""The server ends a statement before the driver stops waiting for it: so it is told from a server that is gone."""

ASK = text("SELECT 1")
PLATFORM = "*"
"""Stands for all tenants, where the platform itself acts: a log-in by address, a sweep, an operator's list."""
_TENANT = re.compile(r"[0-9A-Za-z_-]{1,64}|\*", re.ASCII)
"""What stands between quotes in a statement: nothing that could end them."""
_NAME = re.compile(r"[a-z_]+(\.[a-z_]+)?", re.ASCII)
_WORD = re.compile(r"[0-9A-Za-z_]+", re.ASCII)
NONE: Mapping[str, str | int] = MappingProxyType({})
_DIALECT: Any = cast("Any", dialect)()


class DatabaseUnavailable(Unavailable):
    reason = "DATABASE_UNAVAILABLE"
    message = "The database does not answer at the moment; try again soon."


class DatabaseBusy(Unavailable):
    reason = "DATABASE_BUSY"
    message = "Others change the same in the database at the moment; try again soon."


class DatabaseTooSlow(DeadlineExceeded):
    reason = "DATABASE_TOO_SLOW"
    message = "The database took too long for this."


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


class _Row(asyncpg.Record):  # type: ignore[misc]  # asyncpg has no types
    """Columns are attributes, as those of SQLAlchemy's rows."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


class Query:
    """A query that is always the same, and asked often: compiled once, and sent to the driver by itself.

    SQLAlchemy takes four times what the driver takes for a few rows. Values and rows are the driver's here: a uuid is
    given as a text and comes as a UUID.
    """

    def __init__(self, statement: ClauseElement) -> None:
        compiled: Any = statement.compile(dialect=_DIALECT)
        self.text = str(compiled)
        self._names: tuple[str, ...] = tuple(compiled.positiontup or ())
        self._given: Mapping[str, Any] = compiled.params
        """What stands in the statement itself."""

    async def rows(self, connection: AsyncConnection, values: Mapping[str, Any] = NONE) -> Sequence[Any]:
        """Asyncpg's records, in the transaction that the connection is in, and begins with its first statement."""
        given = [values[name] if name in values else self._given[name] for name in self._names]
        return cast("Sequence[Any]", await _driver(connection).fetch(self.text, *given))


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
            # Transactions are begun and ended here, each in one message.
            isolation_level="AUTOCOMMIT",
            connect_args={
                "record_class": _Row,
                "timeout": 5,
                "command_timeout": ANSWER_SECONDS,
                "server_settings": {
                    "application_name": short_name,
                    "statement_timeout": f"{STATEMENT_SECONDS}s",
                    "lock_timeout": "10s",
                    "idle_in_transaction_session_timeout": "60s",
                    # Under row-level security a cached generic plan serves small tenants badly: plan for the tenant.
                    "plan_cache_mode": "force_custom_plan",
                },
            },
        )
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
        Raises DatabaseUnavailable if the server cannot be reached, or no connection is free in time; DatabaseTooSlow,
        DatabaseBusy.
        """
        opening = _opening(tenant_id, settings, snapshot=snapshot)
        try:
            connection = await self._engine.connect()
            try:
                async with _begun(_driver(connection), opening):
                    yield connection
            finally:
                await connection.close()
        except UNREACHABLE as error:
            raise DatabaseUnavailable from error
        except (DBAPIError, asyncpg.PostgresError) as error:
            if known := _known(error):
                raise known from error
            raise

    def platform(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A transaction that sees all tenants: for the platform's own work, never for a tenant's call."""
        return self.transaction(PLATFORM)

    async def check(self) -> None:
        """Returns if the database answers."""
        async with self.platform() as connection:
            await connection.execute(ASK)


@asynccontextmanager
async def _begun(driver: Any, opening: str) -> AsyncIterator[None]:
    try:
        await driver.execute(opening)
        yield
    except BaseException:
        # Of a connection that is gone, or goes with this, nothing is left to roll back.
        with suppress(asyncpg.PostgresError, *UNREACHABLE):
            await driver.execute("ROLLBACK")
        raise
    await driver.execute("COMMIT")


def _known(error: DBAPIError | asyncpg.PostgresError) -> PlatformError | None:
    """What the server refuses for reasons of its own, as our error: whoever runs steps or jobs knows what to do."""
    state = str(getattr(getattr(error, "orig", error), "sqlstate", ""))
    # A server that starts or stops says so in an error of no class of its own.
    if state.startswith(AWAY) or (isinstance(error, DBAPIError) and error.connection_invalidated):
        return DatabaseUnavailable()
    if state.startswith(OTHERS):
        return DatabaseBusy()
    return DatabaseTooSlow() if state in CANCELLED else None


def _opening(tenant_id: str, settings: Mapping[str, str | int], *, snapshot: bool) -> str:
    """What begins a transaction, and holds in it alone: the connection's next user must not inherit it."""
    if not _TENANT.fullmatch(tenant_id):
        message = "a transaction needs a tenant"
        raise ValueError(message)
    told = {"aisp.tenant": tenant_id}
    for name, value in settings.items():
        if not _NAME.fullmatch(name) or not _WORD.fullmatch(str(value)):
            message = f"{name} is no setting of the server, or its value no plain word"
            raise ValueError(message)
        told[name] = str(value)
    begin = "BEGIN ISOLATION LEVEL REPEATABLE READ" if snapshot else "BEGIN"
    return begin + "".join(f"; SET LOCAL {name} = '{value}'" for name, value in told.items())


def _driver(connection: AsyncConnection) -> Any:
    """Asyncpg's connection."""
    return cast("Any", connection.sync_connection).connection.driver_connection


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
