"""The ledger beside its rollups."""

from datetime import date

import sqlalchemy as sa

from usage_service.domain.ledger import Amounts, Comparison, Difference
from usage_service.repository.rows import Rows
from usage_service.repository.tables import AMOUNTS, events, rollups

MOST_DAYS_TOLD = 100


class ProofRows(Rows):
    """Queries that prove."""

    async def compare(self, first: date, last: date) -> Comparison:
        # One statement, so one snapshot: what is booked meanwhile is in both or in neither.
        pairs = _pairs(first, last)
        names = [f"{side}_{name}" for name in AMOUNTS for side in ("ledger", "rollups")]
        sums = sa.select(
            sa.null().label("tenant_id"),
            sa.null().label("day"),
            *(sa.func.coalesce(sa.func.sum(pairs.c[name]), 0).label(name) for name in ("events", *names)),
        )
        wrong = sa.or_(*(pairs.c[f"ledger_{name}"] != pairs.c[f"rollups_{name}"] for name in AMOUNTS))
        order = (pairs.c.day.desc(), pairs.c.tenant_id)
        some = sa.select(pairs).where(wrong).order_by(*order).limit(MOST_DAYS_TOLD).subquery()
        total, *rows = (await self._db.execute(sums.union_all(sa.select(some)))).all()
        if total.tenant_id is not None:
            message = "the sums come first"
            raise AssertionError(message)
        return Comparison(
            int(total.events),
            Amounts(*(int(getattr(total, f"ledger_{name}")) for name in AMOUNTS)),
            Amounts(*(int(getattr(total, f"rollups_{name}")) for name in AMOUNTS)),
            tuple(difference for row in rows for difference in differences_of(row))[:MOST_DAYS_TOLD],
        )


def _pairs(first: date, last: date) -> sa.CTE:
    """By tenant and day: the number of events, and each amount in the ledger and in the rollups."""
    said, kept = _by_day(events, first, last), _by_day(rollups, first, last)
    same = sa.and_(said.c.tenant_id == kept.c.tenant_id, said.c.day == kept.c.day)
    either = [sa.func.coalesce(said.c[name], kept.c[name]).label(name) for name in ("tenant_id", "day")]
    both = [
        sa.func.coalesce(table.c[name], 0).label(f"{side}_{name}")
        for name in AMOUNTS
        for side, table in (("ledger", said), ("rollups", kept))
    ]
    count = sa.func.coalesce(said.c.rows, 0).label("events")
    return sa.select(*either, count, *both).select_from(said.join(kept, same, full=True)).cte("pairs")


def _by_day(table: sa.Table, first: date, last: date) -> sa.Subquery:
    sums = [sa.func.sum(table.c[name]).label(name) for name in AMOUNTS]
    query = sa.select(table.c.tenant_id, table.c.day, sa.func.count().label("rows"), *sums)
    return query.where(table.c.day.between(first, last)).group_by(table.c.tenant_id, table.c.day).subquery()


def differences_of(row: sa.Row[tuple[object, ...]]) -> list[Difference]:
    """Of a tenant's day: the units in which `ledger_…` is not `rollups_…`."""
    found = ((name, int(getattr(row, f"ledger_{name}")), int(getattr(row, f"rollups_{name}"))) for name in AMOUNTS)
    return [Difference(str(row.tenant_id), row.day, name, said, kept) for name, said, kept in found if said != kept]
