"""The ledger of a deleted tenant, put under another name. What proves it moves along, so that it always balances."""

import sqlalchemy as sa

from usage_service.domain.ledger import LedgerEvent, Rollup
from usage_service.repository.days import ADDED, HOUR, INSERT_PROOFS, NAMES, SUMS
from usage_service.repository.events import from_row
from usage_service.repository.ledger import LedgerRows, amounts_of
from usage_service.repository.tables import AMOUNTS, events, rollups

TAKEN = ", ".join(f"-{name}" for name in AMOUNTS)
MOVE_EVENTS = sa.text(f"""
    WITH part AS (
        SELECT id, kind, day FROM events WHERE tenant_id = CAST(:tenant AS uuid) LIMIT :most
    ), moved AS (
        UPDATE events SET tenant_id = CAST(:account AS uuid), user_id = '', key_id = '', request_id = '' FROM part
        WHERE events.tenant_id = CAST(:tenant AS uuid)
          AND (events.id, events.kind, events.day) = (part.id, part.kind, part.day)
        RETURNING events.*
    ), hours AS (
        SELECT day, {HOUR} AS hour, {SUMS}
        FROM (SELECT moved.* FROM moved JOIN days ON days.day = moved.day AND moved.booking <= days.proved) AS proved
        GROUP BY 1, 2
    ), changed AS (
        {INSERT_PROOFS} SELECT day, CAST(:account AS uuid), hour, {NAMES} FROM hours UNION ALL
        SELECT day, CAST(:tenant AS uuid), hour, {TAKEN} FROM hours {ADDED}
    )
    SELECT {", ".join(events.c.keys())} FROM moved
""").columns(*events.c)  # noqa: S608  # names of columns
MOVE_PROOFS = sa.text(f"""
    WITH gone AS (
        DELETE FROM proofs USING days WHERE proofs.day = days.day AND tenant_id = CAST(:tenant AS uuid)
        RETURNING proofs.*
    )
    {INSERT_PROOFS} SELECT day, CAST(:account AS uuid), hour, {NAMES} FROM gone {ADDED}
""")  # noqa: S608  # names of columns
MOVE_DIFFERENCES = sa.text("""
    WITH gone AS (DELETE FROM differences WHERE tenant_id = CAST(:tenant AS uuid) RETURNING *)
    INSERT INTO differences SELECT day, CAST(:account AS uuid), unit, ledger, rollups FROM gone ON CONFLICT DO NOTHING
""")


class MoveRows(LedgerRows):
    """Queries that move."""

    async def move_events(self, tenant_id: str, account: str, most: int) -> list[LedgerEvent]:
        asked = {"tenant": tenant_id, "account": account, "most": most}
        return [from_row(row) for row in await self._db.execute(MOVE_EVENTS, asked)]

    async def move_rollups(self, tenant_id: str, account: str) -> None:
        gone = rollups.delete().where(rollups.c.tenant_id == tenant_id).returning(*rollups.c)
        rows = [Rollup(row.day, row.service, row.model, amounts_of(row)) for row in await self._db.execute(gone)]
        await self.add_rollups({account: rows})
        for statement in (MOVE_PROOFS, MOVE_DIFFERENCES):
            await self._db.execute(statement, {"tenant": tenant_id, "account": account})
