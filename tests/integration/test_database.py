"""Connections of a pool whose server went away are left at once, without asking each of them first."""

import asyncio

import sqlalchemy as sa

from chassis.database import Database
from chassis.settings import DatabaseSettings

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
