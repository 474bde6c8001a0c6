"""Rows of tenants."""

from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from auth_service.domain.tenants import Tenant, TenantStatus
from auth_service.repository.tables import Rows, page_of, tenants


class TenantRows(Rows):
    """Queries on tenants."""

    async def add_tenant(self, tenant: Tenant) -> None:
        await self._db.execute(tenants.insert().values({**asdict(tenant), "status": tenant.status.value}))

    async def lock_tenant(self, tenant_id: str) -> None:
        await self._db.execute(sa.select(tenants.c.id).where(tenants.c.id == tenant_id).with_for_update())

    async def get_tenant(self, tenant_id: str) -> Tenant | None:
        query = sa.select(tenants).where(sa.cast(tenants.c.id, sa.Text) == tenant_id)
        row = (await self._db.execute(query)).one_or_none()
        return _tenant(row) if row else None

    async def list_tenants(self, size: int, after: tuple[str | int, ...] | None) -> list[Tenant]:
        query = page_of(sa.select(tenants), tenants.c.created_at, tenants.c.id, after).limit(size + 1)
        return [_tenant(row) for row in await self._db.execute(query)]

    async def update_tenant(
        self, tenant_id: str, *, name: str | None, plan: str | None, status: TenantStatus | None, grow: bool
    ) -> Tenant | None:
        values = {"name": name, "plan": plan, "status": status.value if status else None}
        change = tenants.update().where(sa.cast(tenants.c.id, sa.Text) == tenant_id)
        change = change.values(
            {key: value for key, value in values.items() if value is not None}
            | {"version": tenants.c.version + (1 if grow else 0)}
        )
        row = (await self._db.execute(change.returning(*tenants.c))).one_or_none()
        return _tenant(row) if row else None


def _tenant(row: Any) -> Tenant:
    return Tenant(row.id, row.name, row.plan, TenantStatus(row.status), row.version, row.created_at)
