"""Budgets, and what is used of them."""

from collections.abc import Collection
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from usage_service.domain.budgets import Budget, Measure, Period, Scope
from usage_service.repository.rows import Rows
from usage_service.repository.tables import budgets, spendings


class BudgetRows(Rows):
    """Queries on budgets."""

    async def budgets_of(self, tenant_ids: Collection[str]) -> list[Budget]:
        query = sa.select(budgets).where(budgets.c.tenant_id.in_(tenant_ids)).order_by(budgets.c.id)
        return [_budget(row) for row in await self._db.execute(query)]

    async def list_budgets(self, tenant_id: str, size: int, after: tuple[str | int, ...] | None) -> list[Budget]:
        query = sa.select(budgets).where(budgets.c.tenant_id == tenant_id)
        if after is not None:
            query = query.where(budgets.c.id < sa.cast(str(after[0]), budgets.c.id.type))
        return [_budget(row) for row in await self._db.execute(query.order_by(budgets.c.id.desc()).limit(size + 1))]

    async def get_budget(self, tenant_id: str, budget_id: str) -> Budget | None:
        query = sa.select(budgets).where(budgets.c.tenant_id == tenant_id, budgets.c.id == budget_id)
        row = (await self._db.execute(query)).one_or_none()
        return _budget(row) if row else None

    async def put_budget(self, budget: Budget) -> None:
        values = {
            "name": budget.name, "scope": budget.scope.value, "subject_id": budget.subject_id,
            "measure": budget.measure.value, "period": budget.period.value, "amount": budget.amount,
            "thresholds": list(budget.thresholds), "hard_stop": budget.hard_stop,
        }  # fmt: skip
        place = {"id": budget.id, "tenant_id": budget.tenant_id, "created_at": budget.created_at}
        statement = insert(budgets).values(**place, **values)
        await self._db.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))

    async def delete_budget(self, tenant_id: str, budget_id: str) -> bool:
        statement = budgets.delete().where(budgets.c.tenant_id == tenant_id, budgets.c.id == budget_id)
        return (await self._db.execute(statement)).rowcount > 0

    async def spend(self, budget: Budget, period_start: date, added: int) -> int:
        values = {"budget_id": budget.id, "period_start": period_start, "tenant_id": budget.tenant_id, "used": added}
        statement = insert(spendings).values(**values)
        statement = statement.on_conflict_do_update(
            index_elements=["budget_id", "period_start"], set_={"used": spendings.c.used + added}
        )
        return int((await self._db.execute(statement.returning(spendings.c.used))).scalar_one())

    async def used_of(self, tenant_id: str, budget_id: str, period_start: date) -> int:
        query = sa.select(spendings.c.used).where(
            spendings.c.tenant_id == tenant_id,
            spendings.c.budget_id == budget_id,
            spendings.c.period_start == period_start,
        )
        return int((await self._db.execute(query)).scalar_one_or_none() or 0)


def _budget(row: Any) -> Budget:
    return Budget(
        id=row.id,
        tenant_id=row.tenant_id,
        name=row.name,
        scope=Scope(row.scope),
        subject_id=row.subject_id,
        measure=Measure(row.measure),
        period=Period(row.period),
        amount=row.amount,
        thresholds=tuple(row.thresholds),
        hard_stop=row.hard_stop,
        created_at=row.created_at,
    )
