"""Events and their rollups, and how far the ledger is."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, array, dialect

from usage_service.domain.ledger import START, Amounts, LedgerEvent, Rollup
from usage_service.domain.limits import Standing, Subject
from usage_service.repository.events import from_row, to_columns
from usage_service.repository.rows import Rows
from usage_service.repository.tables import AMOUNTS, conflicts, events, positions, rollups

WINDOW_SECONDS = 61
POSTGRES = dialect()  # type: ignore[no-untyped-call]


def _arrays(table: sa.Table, names: Iterable[str]) -> str:
    """Rows that come as one array a column: one statement, whatever their number."""
    arrays = (f"CAST(:{name} AS {table.c[name].type.compile(POSTGRES)}[])" for name in names)
    return f"unnest({', '.join(arrays)})"


def _unnested(table: sa.Table, *names: str) -> str:
    return f"INSERT INTO {table.name} ({', '.join(names)}) SELECT * FROM {_arrays(table, names)}"  # noqa: S608  # names of columns


GIVEN = [name for name in events.c.keys() if name != "booking"]  # noqa: SIM118  # a collection of columns
# Each transaction that books events of a day is numbered in the day's row, which is locked from then on until it has
# ended: whoever sees a number sees all that was booked under it and before, and nothing follows under a smaller one.
INSERT_EVENTS = sa.text(f"""
    WITH given AS (SELECT * FROM {_arrays(events, GIVEN)} AS given ({", ".join(GIVEN)})),
    numbered AS (
        INSERT INTO days (day, booked) SELECT DISTINCT day, 1 FROM given
        ON CONFLICT (day) DO UPDATE SET booked = days.booked + 1 RETURNING day, booked
    )
    INSERT INTO events ({", ".join(GIVEN)}, booking)
    SELECT given.*, numbered.booked FROM given JOIN numbered ON numbered.day = given.day
    ON CONFLICT DO NOTHING RETURNING id::text, kind
""")  # noqa: S608  # names of columns
BOOKED = sa.select(events).where(
    events.c.id == sa.any_(sa.bindparam("ids", type_=ARRAY(events.c.id.type))),
    events.c.day == sa.any_(sa.bindparam("days", type_=ARRAY(sa.Date))),
)
POSITIONS = sa.select(sa.func.array_agg(positions.c.partition), sa.func.array_agg(positions.c.entry))
SET_POSITIONS = sa.text(
    _unnested(positions, "partition", "entry") + " ON CONFLICT (partition) DO UPDATE SET entry = excluded.entry"
)
ADD_ROLLUPS = sa.text(
    _unnested(rollups, *rollups.c.keys())
    + " ON CONFLICT (tenant_id, day, service, model) DO UPDATE SET "
    + ", ".join(f"{name} = rollups.{name} + excluded.{name}" for name in AMOUNTS)
)


class LedgerRows(Rows):
    """Queries on the ledger."""

    async def ensure_partition(self, day: date) -> None:
        await self._db.execute(sa.text("SELECT ensure_event_partition(:day)"), {"day": day})

    async def insert_events(self, rows: Sequence[LedgerEvent]) -> list[LedgerEvent]:
        by_identity = {(row.event.id, row.event.kind): row for row in rows}
        if not by_identity:
            return []
        inserted = await self._db.execute(INSERT_EVENTS, to_columns(list(by_identity.values())))
        return [by_identity[row.id, row.kind] for row in inserted]

    async def booked(self, ids: Collection[tuple[str, date]]) -> list[LedgerEvent]:
        if not ids:
            return []
        # The days are told apart so that only their partitions are looked into.
        asked = {"ids": [name for name, _ in ids], "days": list({day for _, day in ids})}
        return [from_row(row) for row in await self._db.execute(BOOKED, asked)]

    async def keep_conflict(self, tenant_id: str, content: Mapping[str, object]) -> None:
        told = {key: str(value) for key, value in content.items()}
        await self._db.execute(conflicts.insert().values(tenant_id=tenant_id, event=told))

    async def lock_ledger(self) -> None:
        await self._db.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('ledger'))"))

    async def positions(self) -> dict[int, str]:
        numbers, entries = (await self._db.execute(POSITIONS)).one()
        return dict(zip(numbers or (), entries or (), strict=True))

    async def set_positions(self, reached: Mapping[int, str]) -> None:
        numbers = sorted(reached)
        told = {"partition": numbers, "entry": [reached[number] for number in numbers]}
        await self._db.execute(SET_POSITIONS, told)

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

    async def add_rollups(self, added: Mapping[str, Sequence[Rollup]]) -> None:
        rows = [(tenant_id, row) for tenant_id in sorted(added) for row in added[tenant_id]]
        if not rows:
            return
        columns: dict[str, list[Any]] = {name: [getattr(row.amounts, name) for _, row in rows] for name in AMOUNTS}
        columns["tenant_id"] = [tenant_id for tenant_id, _ in rows]
        columns |= {name: [getattr(row, name) for _, row in rows] for name in ("day", "service", "model")}
        await self._db.execute(ADD_ROLLUPS, columns)

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
        await self.add_rollups({tenant_id: rows})


def amounts_of(row: Any) -> Amounts:
    """The amounts in a row's columns."""
    return Amounts(*(getattr(row, name) for name in AMOUNTS))


def _sums(table: sa.Table, *where: Any) -> Any:
    """The sums of every amount, as one array."""
    sums = [sa.func.coalesce(sa.func.sum(table.c[name]), 0) for name in AMOUNTS]
    return sa.select(array(sums)).where(*where).scalar_subquery()
