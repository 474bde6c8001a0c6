"""How far each day of the ledger is booked, proved and read again; the sums that prove it."""

from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from usage_service.domain.ledger import Added, Alarm, Difference, LedgerDay
from usage_service.repository.proof import differences_of
from usage_service.repository.rows import Rows
from usage_service.repository.tables import AMOUNTS, days, differences

NAMES = ", ".join(AMOUNTS)
SUMS = ", ".join(f"sum({name})::bigint AS {name}" for name in AMOUNTS)
HOUR = """LEAST(GREATEST(('x' || translate(left(id::text, 13), '-', ''))::bit(48)::bigint / 3600000
    - (day - DATE '1970-01-01') * 24, 0), 23)::smallint"""
"""Of a lease, out of its id (UUIDv7: milliseconds)."""
INSERT_PROOFS = f"INSERT INTO proofs (day, tenant_id, hour, {NAMES})"
ADDED = "ON CONFLICT (day, tenant_id, hour) DO UPDATE SET " + ", ".join(
    f"{name} = proofs.{name} + excluded.{name}" for name in AMOUNTS
)
REPLACED = "ON CONFLICT (day, tenant_id, hour) DO UPDATE SET " + ", ".join(f"{n} = excluded.{n}" for n in AMOUNTS)

REACHED = sa.text("""
    SELECT count(*), max(booking) FROM (
        SELECT booking FROM events WHERE day = :day AND booking > :proved AND booking <= :booked
        ORDER BY booking LIMIT :most) AS part
""")
PROVE = sa.text(f"""
    {INSERT_PROOFS} SELECT day, tenant_id, {HOUR} AS hour, {SUMS} FROM events
    WHERE day = :day AND booking > :proved AND booking <= :booked GROUP BY 1, 2, 3 {ADDED} RETURNING tenant_id::text
""")  # noqa: S608  # names of columns
OF_TENANTS = "AND tenant_id = ANY(CAST(:tenants AS uuid[]))"


def _either(first: str, second: str) -> str:
    """Both sums of each amount."""
    pairs = [(first, "ledger"), (second, "rollups")]
    return ", ".join(f"coalesce({table}.{n}, 0) AS {side}_{n}" for n in AMOUNTS for table, side in pairs)


def _wrong(first: str, second: str) -> str:
    return " OR ".join(f"coalesce({first}.{name}, 0) <> coalesce({second}.{name}, 0)" for name in AMOUNTS)


def _differing(mine: str) -> sa.TextClause:
    # One statement, so one snapshot: what is booked meanwhile is in both or in neither. That is looked for by its
    # number alone, whatever the planner thinks of tenants: a large one may have the day for itself.
    return sa.text(f"""
        WITH behind AS MATERIALIZED (
            SELECT tenant_id, {NAMES} FROM events
            WHERE day = :day AND booking > :proved AND booking <= {2**63 - 1}
        ), told AS (
            SELECT tenant_id, {SUMS} FROM (
                SELECT tenant_id, {NAMES} FROM proofs WHERE day = :day {mine} UNION ALL
                SELECT tenant_id, {NAMES} FROM behind WHERE true {mine}
            ) AS parts GROUP BY tenant_id
        ), kept AS (SELECT tenant_id, {SUMS} FROM rollups WHERE day = :day {mine} GROUP BY tenant_id)
        SELECT tenant_id::text, CAST(:day AS date) AS day, {_either("told", "kept")}
        FROM told FULL JOIN kept USING (tenant_id) WHERE {_wrong("told", "kept")} ORDER BY tenant_id LIMIT :most
    """)  # noqa: S608  # names of columns


DIFFERING = {False: _differing(""), True: _differing(OF_TENANTS)}
REVIEW = sa.text(f"""
    WITH fresh AS (
        SELECT tenant_id, {SUMS} FROM events
        WHERE day = :day AND booking <= :proved AND id >= CAST(:first AS uuid) AND id < CAST(:last AS uuid)
        GROUP BY tenant_id
    ), kept AS (SELECT tenant_id, {NAMES} FROM proofs WHERE day = :day AND hour = :hour),
    wrong AS (
        SELECT tenant_id, {", ".join(f"coalesce(fresh.{name}, 0) AS {name}" for name in AMOUNTS)}
        FROM fresh FULL JOIN kept USING (tenant_id) WHERE {_wrong("fresh", "kept")}
    ), mended AS (
        {INSERT_PROOFS} SELECT CAST(:day AS date), tenant_id, CAST(:hour AS smallint), {NAMES} FROM wrong {REPLACED}
    )
    SELECT count(*) FROM wrong
""")  # noqa: S608  # names of columns
STRAYS = sa.text("""
    INSERT INTO days (day, booked, doubted) SELECT DISTINCT day, 0, true FROM rollups
    WHERE day > coalesce((SELECT max(day) FROM days WHERE day < :day), '-infinity') AND day <> :day
      AND day < coalesce((SELECT min(day) FROM days WHERE day > :day), 'infinity')
    ON CONFLICT DO NOTHING
""")


class DayRows(Rows):
    """Queries that prove what is new, and read again what is old."""

    async def lock_proof(self) -> None:
        await self._db.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('proof'))"))

    async def days_to_prove(self) -> list[date]:
        news = sa.or_(days.c.booked > days.c.proved, days.c.doubted, days.c.day.in_(sa.select(differences.c.day)))
        return list((await self._db.execute(sa.select(days.c.day).where(news).order_by(days.c.day.desc()))).scalars())

    async def ledger_day(self, day: date) -> LedgerDay | None:
        row = (await self._db.execute(sa.select(days).where(days.c.day == day))).one_or_none()
        return None if row is None else _day(row)

    async def prove(self, day: LedgerDay, most: int) -> Added:
        news = {"day": day.day, "proved": day.proved, "booked": day.booked}
        number, last = (await self._db.execute(REACHED, news | {"most": most})).one()
        proved = last if (more := number == most) else day.booked
        tenants = (await self._db.execute(PROVE, news | {"booked": proved})).scalars() if number else ()
        return Added(proved, frozenset(tenants), more and proved < day.booked)

    async def differing(self, day: date, proved: int, tenants: Collection[str] | None, most: int) -> list[Difference]:
        asked: dict[str, Any] = {"day": day, "proved": proved, "most": most}
        if tenants is not None:
            asked["tenants"] = list(tenants)
        rows = await self._db.execute(DIFFERING[tenants is not None], asked)
        return [difference for row in rows for difference in differences_of(row)]

    async def tenants_differing(self, day: date) -> set[str]:
        found = sa.select(differences.c.tenant_id).where(differences.c.day == day)
        return set((await self._db.execute(found)).scalars())

    async def put_differences(self, day: date, tenants: Collection[str] | None, found: Sequence[Difference]) -> None:
        gone = differences.delete().where(differences.c.day == day)
        if tenants is not None:
            whose = sa.cast(list(tenants), ARRAY(differences.c.tenant_id.type))
            gone = gone.where(differences.c.tenant_id == sa.any_(whose))
        await self._db.execute(gone)
        if rows := [asdict(row) for row in found]:
            await self._db.execute(differences.insert(), rows)

    async def set_proved(self, day: date, proved: int, *, doubted: bool) -> None:
        await self._db.execute(days.update().where(days.c.day == day).values(proved=proved, doubted=doubted))

    async def alarm(self, most: int) -> Alarm:
        number = sa.select(sa.func.count()).select_from(differences).scalar_subquery()
        row = (await self._db.execute(sa.select(number, sa.func.min(days.c.reviewed_at)))).one()
        some = sa.select(differences).order_by(differences.c.day.desc(), differences.c.tenant_id).limit(most)
        rows = await self._db.execute(some) if row[0] else ()
        return Alarm(tuple(Difference(r.tenant_id, r.day, r.unit, r.ledger, r.rollups) for r in rows), *row)

    async def next_review(self, before: datetime) -> LedgerDay | None:
        oldest = sa.select(days).where(days.c.reviewed_at < before).order_by(days.c.reviewed_at, days.c.day).limit(1)
        row = (await self._db.execute(oldest)).one_or_none()
        return None if row is None else _day(row)

    async def review(self, day: LedgerDay, hour: int, ids: tuple[str, str]) -> int:
        asked = {"day": day.day, "proved": day.proved, "hour": hour, "first": ids[0], "last": ids[1]}
        return int((await self._db.execute(REVIEW, asked)).scalar_one())

    async def set_reviewed(self, day: date, reviewed: int) -> None:
        await self._db.execute(days.update().where(days.c.day == day).values(reviewed=reviewed))

    async def end_review(self, day: date, at: datetime) -> None:
        ended = {"reviewed": 0, "reviewed_at": at, "doubted": True}
        await self._db.execute(days.update().where(days.c.day == day).values(ended))
        await self._db.execute(STRAYS, {"day": day})


def _day(row: Any) -> LedgerDay:
    return LedgerDay(row.day, row.booked, row.proved, row.doubted, row.reviewed)
