"""Events and their rollups, and how far the ledger is."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import array, insert

from usage_service.domain.ledger import START, Amounts, LedgerEvent, Rollup
from usage_service.domain.limits import Standing, Subject
from usage_service.repository.events import from_row, to_values
from usage_service.repository.rows import Rows
from usage_service.repository.tables import AMOUNTS, conflicts, events, positions, rollups

WINDOW_SECONDS = 61


class LedgerRows(Rows):
    """Queries on the ledger."""

    async def ensure_partition(self, day: date) -> None:
        await self._db.execute(sa.text("SELECT ensure_event_partition(:day)"), {"day": day})

    async def insert_events(self, rows: Sequence[LedgerEvent]) -> list[LedgerEvent]:
        by_identity = {(row.event.id, row.event.kind): row for row in rows}
        if not by_identity:
            return []
        # The rows as parameters: in the statement they would have it compiled anew for each number of rows.
        statement = insert(events).on_conflict_do_nothing().returning(events.c.id, events.c.kind)
        inserted = await self._db.execute(statement, [to_values(row) for row in by_identity.values()])
        return [by_identity[row.id, row.kind] for row in inserted]

    async def booked(self, ids: Collection[tuple[str, date]]) -> list[LedgerEvent]:
        if not ids:
            return []
        days = {day for _, day in ids}
        # The days are told apart so that only their partitions are looked into.
        query = sa.select(events).where(events.c.id.in_({name for name, _ in ids}), events.c.day.in_(days))
        return [from_row(row) for row in await self._db.execute(query)]

    async def keep_conflict(self, tenant_id: str, content: Mapping[str, object]) -> None:
        told = {key: str(value) for key, value in content.items()}
        await self._db.execute(conflicts.insert().values(tenant_id=tenant_id, event=told))

    async def lock_ledger(self) -> None:
        await self._db.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('ledger'))"))

    async def positions(self) -> dict[int, str]:
        rows = await self._db.execute(sa.select(positions))
        return {row.partition: row.entry for row in rows}

    async def set_positions(self, reached: Mapping[int, str]) -> None:
        rows = [{"partition": number, "entry": entry} for number, entry in sorted(reached.items())]
        statement = insert(positions)
        change = {"entry": statement.excluded.entry}
        await self._db.execute(statement.on_conflict_do_update(index_elements=["partition"], set_=change), rows)

    async def standing(self, subject: Subject, tenant_id: str, partition: int, at: datetime) -> Standing:
        # One statement, so one snapshot: the position and the sums agree.
        position = sa.select(positions.c.entry).where(positions.c.partition == partition).scalar_subquery()
        mine = [events.c.tenant_id == tenant_id]
        if subject.kind == "key":
            mine.append(events.c.key_id == subject.id)
        elif subject.kind == "user":
            mine.append(events.c.user_id == subject.id)
        today = at.date()
        recent = _sums(events, *mine, events.c.at >= at - timedelta(seconds=WINDOW_SECONDS))
        if subject.kind == "tenant":
            table, own = rollups, [rollups.c.tenant_id == tenant_id]
        else:
            table, own = events, mine
        day = _sums(table, *own, table.c.day == today)
        # To the end of the month: a gateway whose clock is ahead books under tomorrow.
        month = _sums(table, *own, table.c.day >= today.replace(day=1))
        total = _sums(table, *own)
        row = (await self._db.execute(sa.select(position, recent, day, month, total))).one()
        periods = [Amounts(*(int(number) for number in column)) for column in row[1:]]
        return Standing(row[0] or START, *periods)

    async def add_rollups(self, tenant_id: str, rows: Sequence[Rollup]) -> None:
        if not rows:
            return
        statement = insert(rollups)
        added = {name: rollups.c[name] + statement.excluded[name] for name in AMOUNTS}
        keys = ["tenant_id", "day", "service", "model"]
        statement = statement.on_conflict_do_update(index_elements=keys, set_=added)
        await self._db.execute(statement, [_rollup_values(tenant_id, row) for row in rows])

    async def list_rollups(self, tenant_id: str, first: date, last: date) -> list[Rollup]:
        query = sa.select(rollups).where(rollups.c.tenant_id == tenant_id, rollups.c.day.between(first, last))
        query = query.order_by(rollups.c.day, rollups.c.service, rollups.c.model)
        rows = await self._db.execute(query)
        return [Rollup(row.day, row.service, row.model, amounts_of(row)) for row in rows]

    async def stored_bytes(self, tenant_id: str) -> int:
        query = sa.select(sa.func.coalesce(sa.func.sum(rollups.c.stored_bytes), 0))
        return int((await self._db.execute(query.where(rollups.c.tenant_id == tenant_id))).scalar_one())

    async def all_events(self, tenant_id: str) -> list[LedgerEvent]:
        rows = await self._db.execute(sa.select(events).where(events.c.tenant_id == tenant_id))
        return [from_row(row) for row in rows]

    async def replace_rollups(self, tenant_id: str, rows: Sequence[Rollup]) -> None:
        await self._db.execute(rollups.delete().where(rollups.c.tenant_id == tenant_id))
        await self.add_rollups(tenant_id, rows)

    async def move_events(self, tenant_id: str, account: str, most: int) -> int:
        keys = [events.c.id, events.c.kind, events.c.day]
        some = sa.select(*keys).where(events.c.tenant_id == tenant_id).limit(most)
        change = events.update().where(events.c.tenant_id == tenant_id, sa.tuple_(*keys).in_(some))
        nobodys = {"tenant_id": account, "user_id": "", "key_id": "", "request_id": ""}
        return int((await self._db.execute(change.values(nobodys))).rowcount)

    async def move_rollups(self, tenant_id: str, account: str) -> None:
        gone = rollups.delete().where(rollups.c.tenant_id == tenant_id).returning(*rollups.c)
        rows = [Rollup(row.day, row.service, row.model, amounts_of(row)) for row in await self._db.execute(gone)]
        await self.add_rollups(account, rows)


def amounts_of(row: Any) -> Amounts:
    """The amounts in a row's columns."""
    return Amounts(*(getattr(row, name) for name in AMOUNTS))


def _sums(table: sa.Table, *where: Any) -> Any:
    """The sums of every amount, as one array."""
    sums = [sa.func.coalesce(sa.func.sum(table.c[name]), 0) for name in AMOUNTS]
    return sa.select(array(sums)).where(*where).scalar_subquery()


def _rollup_values(tenant_id: str, row: Rollup) -> dict[str, Any]:
    place = {"tenant_id": tenant_id, "day": row.day, "service": row.service, "model": row.model}
    return place | asdict(row.amounts)
