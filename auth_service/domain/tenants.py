"""A customer, and the queries on customers."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol


class TenantStatus(Enum):
    """Whether a tenant may call."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    DELETING = "deleting"


@dataclass(frozen=True, slots=True)
class Tenant:
    """A customer. `version` grows with each change of plan, status or limits."""

    id: str
    name: str
    plan: str
    status: TenantStatus
    version: int
    created_at: datetime


class TenantQueries(Protocol):
    """Queries on tenants."""

    async def add_tenant(self, tenant: Tenant) -> None: ...

    async def lock_tenant(self, tenant_id: str) -> None:
        """Whoever changes who belongs to a tenant waits for the one before, until the transaction ends."""

    async def get_tenant(self, tenant_id: str) -> Tenant | None: ...

    async def list_tenants(self, size: int, after: tuple[str | int, ...] | None) -> list[Tenant]: ...

    async def update_tenant(
        self, tenant_id: str, *, name: str | None, plan: str | None, status: TenantStatus | None, grow: bool
    ) -> Tenant | None:
        """Changes what is not None; `grow` makes a new version."""
