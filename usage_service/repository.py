"""The tables of usage and every query on them. Returns domain types; decides nothing."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP, UUID, array, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import PLATFORM, Database, new_metadata
from usage_service.domain.ledger import (
    START,
    Amounts,
    EventStatus,
    LedgerEvent,
    Line,
    MeterEvent,
    Price,
    PricedLine,
    Rollup,
    Unit,
)
from usage_service.domain.limits import Plan, Standing, Subject, TenantState

metadata = new_metadata()

AMOUNTS = tuple(Amounts.__slots__)
WINDOW_SECONDS = 61

plans = sa.Table(
    "plans",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("limits", JSONB, nullable=False),
    sa.Column("support", sa.Text, nullable=False),
    sa.Column("sla_basis_points", sa.Integer, nullable=False),
)
tenant_states = sa.Table(
    "tenant_states",
    metadata,
    sa.Column("tenant_id", UUID(as_uuid=False), primary_key=True),
    sa.Column("plan", sa.Text, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("limits", JSONB, nullable=False, server_default="{}"),
)
prices = sa.Table(
    "prices",
    metadata,
    sa.Column("version", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("unit", sa.Text, nullable=False),
    sa.Column("nano_usd_per_million", sa.BigInteger, nullable=False),
    sa.Column("effective_at", TIMESTAMP(timezone=True), nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.UniqueConstraint("provider", "model", "unit", "effective_at"),
)
events = sa.Table(
    "events",
    metadata,
    sa.Column("id", UUID(as_uuid=False), nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("day", sa.Date, nullable=False),
    sa.Column("tenant_id", UUID(as_uuid=False), nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("counts_request", sa.Boolean, nullable=False),
    sa.Column("request_id", sa.Text, nullable=False),
    sa.Column("user_id", sa.Text, nullable=False),
    sa.Column("key_id", sa.Text, nullable=False),
    sa.Column("service", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("provider", sa.Text, nullable=False),
    *(sa.Column(name, sa.BigInteger, nullable=False) for name in AMOUNTS),
    sa.Column("lines", JSONB, nullable=False),
    sa.Column("at", TIMESTAMP(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint("id", "kind", "day"),
    sa.Index("ix_events_tenant_id_at", "tenant_id", "at"),
    postgresql_partition_by="RANGE (day)",
)
positions = sa.Table(
    "positions",
    metadata,
    sa.Column("partition", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("entry", sa.Text, nullable=False),
)
conflicts = sa.Table(
    "conflicts",
    metadata,
    sa.Column("number", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("tenant_id", UUID(as_uuid=False), nullable=False),
    sa.Column("event", JSONB, nullable=False),
    sa.Column("found_at", TIMESTAMP(timezone=True), nullable=False, server_default=sa.func.now()),
)
rollups = sa.Table(
    "rollups",
    metadata,
    sa.Column("tenant_id", UUID(as_uuid=False), primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("service", sa.Text, primary_key=True),
    sa.Column("model", sa.Text, primary_key=True),
    *(sa.Column(name, sa.BigInteger, nullable=False) for name in AMOUNTS),
)


class PostgresRepository:
    """Queries of one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._db = connection

    async def get_plan(self, name: str) -> Plan | None:
        row = (await self._db.execute(sa.select(plans).where(plans.c.name == name))).one_or_none()
        return _plan(row) if row else None

    async def list_plans(self) -> list[Plan]:
        return [_plan(row) for row in await self._db.execute(sa.select(plans).order_by(plans.c.position))]

    async def list_prices(self) -> list[Price]:
        rows = await self._db.execute(sa.select(prices).order_by(prices.c.effective_at, prices.c.version))
        return [
            Price(row.version, row.provider, row.model, Unit(row.unit), row.nano_usd_per_million, row.effective_at)
            for row in rows
        ]

    async def get_state(self, tenant_id: str) -> TenantState | None:
        query = sa.select(tenant_states).where(tenant_states.c.tenant_id == tenant_id)
        row = (await self._db.execute(query)).one_or_none()
        return TenantState(row.plan, row.version, row.limits) if row else None

    async def put_state(self, tenant_id: str, plan: str, version: int) -> TenantState:
        statement = insert(tenant_states).values(tenant_id=tenant_id, plan=plan, version=version)
        statement = statement.on_conflict_do_update(
            index_elements=["tenant_id"],
            set_={"plan": plan, "version": version},
            where=tenant_states.c.version < version,
        )
        await self._db.execute(statement)
        state = await self.get_state(tenant_id)
        return state or TenantState(plan, version)

    async def change_limits(self, tenant_id: str, changes: Mapping[str, int]) -> None:
        state = await self.get_state(tenant_id)
        limits = {**(state.limits if state else {}), **changes}
        kept = {name: value for name, value in limits.items() if value >= 0}
        change = tenant_states.update().where(tenant_states.c.tenant_id == tenant_id)
        await self._db.execute(change.values(limits=kept))

    async def ensure_partition(self, day: date) -> None:
        await self._db.execute(sa.text("SELECT ensure_event_partition(:day)"), {"day": day})

    async def insert_events(self, rows: Sequence[LedgerEvent]) -> list[LedgerEvent]:
        by_identity = {(row.event.id, row.event.kind): row for row in rows}
        if not by_identity:
            return []
        # The rows as parameters: in the statement they would have it compiled anew for each number of rows.
        statement = insert(events).on_conflict_do_nothing().returning(events.c.id, events.c.kind)
        inserted = await self._db.execute(statement, [_event_values(row) for row in by_identity.values()])
        return [by_identity[row.id, row.kind] for row in inserted]

    async def booked(self, ids: Collection[tuple[str, date]]) -> list[LedgerEvent]:
        if not ids:
            return []
        days = {day for _, day in ids}
        # The days are told apart so that only their partitions are looked into.
        query = sa.select(events).where(events.c.id.in_({name for name, _ in ids}), events.c.day.in_(days))
        return [_ledger_event(row) for row in await self._db.execute(query)]

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
        return [Rollup(row.day, row.service, row.model, _amounts(row)) for row in rows]

    async def stored_bytes(self, tenant_id: str) -> int:
        query = sa.select(sa.func.coalesce(sa.func.sum(rollups.c.stored_bytes), 0))
        return int((await self._db.execute(query.where(rollups.c.tenant_id == tenant_id))).scalar_one())

    async def list_events(self, tenant_id: str, size: int, after: tuple[str | int, ...] | None) -> list[LedgerEvent]:
        millis = sa.cast(sa.func.round(sa.extract("epoch", events.c.at) * 1000), sa.BigInteger)
        key = (millis, sa.cast(events.c.id, sa.Text), events.c.kind)
        query = sa.select(events).where(events.c.tenant_id == tenant_id)
        if after is not None:
            position = (sa.literal(int(after[0])), sa.literal(str(after[1])), sa.literal(str(after[2])))
            query = query.where(sa.tuple_(*key) < sa.tuple_(*position))
        query = query.order_by(*(column.desc() for column in key)).limit(size + 1)
        return [_ledger_event(row) for row in await self._db.execute(query)]

    async def all_events(self, tenant_id: str) -> list[LedgerEvent]:
        rows = await self._db.execute(sa.select(events).where(events.c.tenant_id == tenant_id))
        return [_ledger_event(row) for row in rows]

    async def replace_rollups(self, tenant_id: str, rows: Sequence[Rollup]) -> None:
        await self._db.execute(rollups.delete().where(rollups.c.tenant_id == tenant_id))
        await self.add_rollups(tenant_id, rows)


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


def _plan(row: Any) -> Plan:
    return Plan(row.name, row.limits, row.support, row.sla_basis_points)


def _amounts(row: Any) -> Amounts:
    return Amounts(*(getattr(row, name) for name in AMOUNTS))


def _sums(table: sa.Table, *where: Any) -> Any:
    """The sums of every amount, as one array."""
    sums = [sa.func.coalesce(sa.func.sum(table.c[name]), 0) for name in AMOUNTS]
    return sa.select(array(sums)).where(*where).scalar_subquery()


def _rollup_values(tenant_id: str, row: Rollup) -> dict[str, Any]:
    place = {"tenant_id": tenant_id, "day": row.day, "service": row.service, "model": row.model}
    return place | asdict(row.amounts)


def _event_values(row: LedgerEvent) -> dict[str, Any]:
    event = row.event
    lines = [
        [line.line.service, line.line.model, line.line.provider, line.line.unit.value, line.line.amount,
         line.line.attempt, line.price_version, line.cost_nano_usd]
        for line in row.lines
    ]  # fmt: skip
    return {
        "id": event.id,
        "kind": event.kind,
        "day": row.day,
        "tenant_id": event.tenant_id,
        "status": event.status.value,
        "counts_request": event.counts_request,
        "request_id": event.request_id,
        "user_id": event.user_id,
        "key_id": event.key_id,
        "service": event.service,
        "model": event.model,
        "provider": row.provider,
        "lines": lines,
        "at": event.at,
        **asdict(row.amounts),
    }


def _ledger_event(row: Any) -> LedgerEvent:
    lines = tuple(
        PricedLine(Line(item[0], item[1], item[2], Unit(item[3]), item[4], item[5]), item[6], item[7])
        for item in row.lines
    )
    event = MeterEvent(
        id=row.id,
        kind=row.kind,
        status=EventStatus(row.status),
        tenant_id=row.tenant_id,
        counts_request=row.counts_request,
        request_id=row.request_id,
        user_id=row.user_id,
        key_id=row.key_id,
        service=row.service,
        model=row.model,
        lines=tuple(line.line for line in lines),
        at=row.at.astimezone(UTC) if isinstance(row.at, datetime) else row.at,
    )
    return LedgerEvent(event, row.day, row.provider, _amounts(row), lines)
