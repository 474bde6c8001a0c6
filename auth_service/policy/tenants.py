"""Whether a tenant may call."""

from auth_service.domain.errors import TenantDeleted, TenantSuspended
from auth_service.domain.tenants import Tenant, TenantStatus


def require_active(tenant: Tenant) -> None:
    """TenantSuspended, TenantDeleted."""
    if tenant.status is TenantStatus.DELETING:
        raise TenantDeleted
    if tenant.status is not TenantStatus.ACTIVE:
        raise TenantSuspended
