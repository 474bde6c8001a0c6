"""Plans, and what is known of tenants."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from usage_service.domain.limits import Plan, TenantState
from usage_service.repository.rows import Rows
from usage_service.repository.tables import plans, tenant_states


class PlanRows(Rows):
    """Queries on plans and tenants."""

    async def get_plan(self, name: str) -> Plan | None:
        row = (await self._db.execute(sa.select(plans).where(plans.c.name == name))).one_or_none()
        return _plan(row) if row else None

    async def list_plans(self) -> list[Plan]:
        return [_plan(row) for row in await self._db.execute(sa.select(plans).order_by(plans.c.position))]

    async def put_plan(self, plan: Plan) -> Plan:
        position = sa.select(sa.func.coalesce(sa.func.max(plans.c.position), 0) + 1).scalar_subquery()
        told = {"limits": dict(plan.limits), "support": plan.support, "sla_basis_points": plan.sla_basis_points}
        statement = insert(plans).values(name=plan.name, position=position, **told)
        statement = statement.on_conflict_do_update(
            index_elements=["name"], set_={**told, "version": plans.c.version + 1}
        )
        return _plan((await self._db.execute(statement.returning(*plans.c))).one())

    async def tenants_on(self, plan: str) -> int:
        query = sa.select(sa.func.count()).select_from(tenant_states).where(tenant_states.c.plan == plan)
        return int((await self._db.execute(query)).scalar_one())

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


def _plan(row: Any) -> Plan:
    return Plan(row.name, row.limits, row.support, row.sla_basis_points, row.version, row.position)
