"""Connections of a pool: one serves many tenants, each alone; those whose server went away are left at once."""

import asyncio
from collections.abc import AsyncIterator, Callable
from uuid import uuid4

import asyncpg
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import PLATFORM, Database, DatabaseBusy, DatabaseTooSlow, DatabaseUnavailable, Query
from chassis.settings import DatabaseSettings

Migrated = Callable[[str], DatabaseSettings]

AT_ONCE = 4
END_OTHERS = sa.text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = current_user AND pid <> pg_backend_pid()"
)


async def backend(database: Database, together: asyncio.Barrier) -> int:
    """The server's process behind a transaction that is open with others."""
    async with database.platform() as connection:
        found = int((await connection.execute(sa.text("SELECT pg_backend_pid()"))).scalar_one())
        await together.wait()
        return found


async def backends(database: Database) -> set[int]:
    together = asyncio.Barrier(AT_ONCE)
    return set(await asyncio.gather(*(backend(database, together) for _ in range(AT_ONCE))))


async def test_connections_that_were_ended_are_replaced_before_anybody_meets_them(postgres: DatabaseSettings) -> None:
    async with Database(postgres, "auth") as database, Database(postgres, "auth") as other:
        before = await backends(database)
        assert before == await backends(database), "they are kept"
        async with other.platform() as connection:
            await connection.execute(END_OTHERS)
        await asyncio.sleep(0.1)
        after = await backends(database)
        assert len(before) == len(after) == AT_ONCE
        assert not before & after


@pytest.fixture
async def single(migrated: Callable[[str], DatabaseSettings]) -> AsyncIterator[Database]:
    """A pool of one connection."""
    async with Database(migrated("rag_service").model_copy(update={"pool_size": 1}), "rag") as database:
        yield database


async def owners(database: Database, tenant: str, *, snapshot: bool = False) -> list[str]:
    """Whose rows are seen."""
    async with database.transaction(tenant, snapshot=snapshot) as connection:
        return list((await connection.execute(sa.text("SELECT tenant_id::text FROM stale_vectors"))).scalars())


async def write(connection: AsyncConnection, tenant: str) -> None:
    statement = "INSERT INTO stale_vectors VALUES (CAST(:tenant AS uuid), gen_random_uuid(), gen_random_uuid())"
    await connection.execute(sa.text(statement), {"tenant": tenant})


async def test_one_connection_serves_many_tenants_each_alone(single: Database) -> None:
    """In turn and at once; after a failure, a cancellation, and a transaction in which nothing was done."""
    tenants = [str(uuid4()) for _ in range(5)]
    for tenant in tenants:
        async with single.transaction(tenant) as connection:
            await write(connection, tenant)

    async def check() -> None:
        for snapshot in (False, True):
            found = await asyncio.gather(*(owners(single, one, snapshot=snapshot) for one in [*tenants, *tenants]))
            assert found == [[one] for one in [*tenants, *tenants]]
        assert set(tenants) <= set(await owners(single, PLATFORM))
        assert await owners(single, str(uuid4())) == []

    await check()
    async with single.transaction(tenants[0]):
        pass
    await check()
    with pytest.raises(DBAPIError):
        async with single.transaction(tenants[1]) as connection:
            await write(connection, tenants[2])
    await check()

    async def last() -> None:
        async with single.transaction(tenants[3]) as connection:
            await write(connection, tenants[3])
            await connection.execute(sa.text("SELECT pg_sleep(60)"))

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(last(), 0.5)
    await check()


async def test_settings_hold_for_their_transaction_alone(single: Database) -> None:
    async def told(**settings: str | int) -> str:
        async with single.transaction(PLATFORM, settings=settings) as connection:
            return str((await connection.execute(sa.text("SHOW work_mem"))).scalar_one())

    before = await told()
    assert await told(work_mem="77MB") == "77MB"
    assert await told() == before


async def test_a_transaction_that_could_not_begin_is_nobody_elses(single: Database) -> None:
    for _ in range(2):
        with pytest.raises(asyncpg.InvalidParameterValueError):
            async with single.transaction(PLATFORM, settings={"work_mem": "nonsense"}) as connection:
                await connection.execute(sa.text("SELECT 1"))
    async with single.platform() as connection:
        assert (await connection.execute(sa.text("SELECT 1"))).scalar_one() == 1


@pytest.mark.parametrize("tenant", ["", "a'; DROP TABLE chunks; --", "a b", "**", "é", "a" * 65, "a\n"])
async def test_what_is_no_tenant_reaches_no_statement(single: Database, tenant: str) -> None:
    with pytest.raises(ValueError, match="tenant"):
        await owners(single, tenant)


@pytest.mark.parametrize("told", [("work_mem; --", "1"), ("work_mem", "1'; --"), ("Work", "1"), ("a.b.c", "1")])
async def test_what_is_no_setting_reaches_no_statement(single: Database, told: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="setting"):
        async with single.transaction(PLATFORM, settings=dict([told])):
            pass


IDENTITY = sa.bindparam("tenant", type_=sa.UUID(as_uuid=False))
TOLD = Query(sa.select(sa.literal_column("tenant_id::text").label("tenant"), sa.literal(7)).where(
    sa.literal_column("tenant_id") == IDENTITY
).select_from(sa.table("stale_vectors")))  # fmt: skip


async def test_what_is_asked_of_the_driver_is_in_the_same_transaction(single: Database) -> None:
    """It sees what was written in it, and its tenant alone; values that stand in the statement go with it."""
    tenant, other = str(uuid4()), str(uuid4())

    async def told(connection: AsyncConnection, whose: str) -> list[tuple[str, int]]:
        return [tuple(row) for row in await TOLD.rows(connection, {"tenant": whose})]

    async def give_up() -> None:
        async with single.transaction(tenant) as connection:
            assert await told(connection, tenant) == []
            await write(connection, tenant)
            assert await told(connection, tenant) == [(tenant, 7)]
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await give_up()
    async with single.transaction(tenant) as connection:
        assert await told(connection, tenant) == []
        await write(connection, tenant)
    async with single.transaction(other) as connection:
        assert await told(connection, tenant) == []
    async with single.transaction(tenant, snapshot=True) as connection:
        assert await told(connection, tenant) == [(tenant, 7)]


async def test_a_server_that_goes_away_is_unavailable_to_who_asks_the_driver(migrated: Migrated) -> None:
    settings = migrated("rag_service")
    async with Database(settings, "rag") as database, Database(settings, "rag") as other:

        async def ended() -> None:
            async with database.platform() as connection:
                async with other.platform() as ending:
                    await ending.execute(END_OTHERS)
                await TOLD.rows(connection, {"tenant": str(uuid4())})

        with pytest.raises(DatabaseUnavailable):
            await ended()
        async with database.platform() as connection:
            assert await TOLD.rows(connection, {"tenant": str(uuid4())}) == []


SLEEP = Query(sa.select(sa.func.pg_sleep(60)))
TOUCH = sa.text("UPDATE stale_vectors SET tenant_id = tenant_id WHERE tenant_id = CAST(:tenant AS uuid)")


@pytest.mark.parametrize("by_driver", [False, True])
async def test_a_statement_that_takes_too_long_is_told_as_such(single: Database, *, by_driver: bool) -> None:
    with pytest.raises(DatabaseTooSlow):
        async with single.transaction(PLATFORM, settings={"statement_timeout": 50}) as connection:
            await (SLEEP.rows(connection) if by_driver else connection.execute(sa.text("SELECT pg_sleep(60)")))
    assert await owners(single, str(uuid4())) == []


async def test_who_is_in_anothers_way_is_told_as_such(migrated: Migrated) -> None:
    """Waits for a lock longer than it may, or for each other, or reads what another one changed meanwhile."""
    settings, tenants = migrated("rag_service"), [str(uuid4()) for _ in range(2)]
    async with Database(settings, "rag") as database:
        for tenant in tenants:
            async with database.transaction(tenant) as connection:
                await write(connection, tenant)

        async def late() -> None:
            async with database.transaction(PLATFORM, settings={"lock_timeout": 50}) as connection:
                await connection.execute(TOUCH, {"tenant": tenants[0]})

        async with database.platform() as connection:
            await connection.execute(TOUCH, {"tenant": tenants[0]})
            with pytest.raises(DatabaseBusy):
                await late()

        both = asyncio.Barrier(2)

        async def crosswise(first: str, second: str) -> None:
            async with database.transaction(PLATFORM) as connection:
                await connection.execute(TOUCH, {"tenant": first})
                await both.wait()
                await connection.execute(TOUCH, {"tenant": second})

        ended = await asyncio.gather(crosswise(*tenants), crosswise(*reversed(tenants)), return_exceptions=True)
        assert sorted(type(one).__name__ for one in ended) == ["DatabaseBusy", "NoneType"]

        async def outdated() -> None:
            async with database.transaction(PLATFORM, snapshot=True) as connection:
                await connection.execute(sa.text("SELECT count(*) FROM stale_vectors"))
                async with database.platform() as other:
                    await other.execute(TOUCH, {"tenant": tenants[0]})
                await connection.execute(TOUCH, {"tenant": tenants[0]})

        with pytest.raises(DatabaseBusy):
            await outdated()
