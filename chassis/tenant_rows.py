"""The rows of a deleted tenant, removed from every table that has any: a table that is added later is covered, too.

Owns the order (what refers before what is referred to) and the pace: a batch is a transaction of its own, so that no
lock is held long and a kill loses one batch's work at most.
"""

import time
from collections.abc import Callable, Collection

import sqlalchemy as sa

from chassis.database import Database
from chassis.erasure import SECONDS, Erased

BATCH = 10_000
TENANT = "tenant_id"


class TenantRows:
    """The tables of one service, but for those that it deals with itself."""

    def __init__(
        self,
        database: Database,
        metadata: sa.MetaData,
        apart: Collection[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`apart`: names of tables that are left alone here."""
        self._database = database
        mine = [table for table in reversed(metadata.sorted_tables) if TENANT in table.c and table.name not in apart]
        self._tables = mine
        self._clock = clock

    async def erase(self, tenant_id: str, _deletion_id: str) -> Erased:
        """Until nothing is left, or the time is up."""
        removed: dict[str, int] = {}
        ends = self._clock() + SECONDS
        for table in self._tables:
            number = BATCH
            while number == BATCH:
                if self._clock() > ends:
                    return Erased(removed, f"more rows of {table.name}")
                number = await self._batch(table, tenant_id)
                removed[table.name] = removed.get(table.name, 0) + number
        return Erased(removed)

    async def _batch(self, table: sa.Table, tenant_id: str) -> int:
        mine = table.c.tenant_id == tenant_id
        place: sa.ColumnElement[object] = sa.literal_column("ctid")
        some = sa.select(place).select_from(table).where(mine).limit(BATCH).scalar_subquery()
        # The tenant once more: in a partitioned table places are not unique.
        gone = table.delete().where(mine, place.in_(some))
        async with self._database.transaction(tenant_id) as connection:
            return int((await connection.execute(gone)).rowcount)
