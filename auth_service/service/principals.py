"""Who stands behind a session now: what the gateway asks when a token may tell of what is past."""

from auth_service.domain.errors import SessionEnded
from auth_service.domain.people import User
from auth_service.domain.store import Store
from auth_service.domain.tenants import Tenant
from auth_service.policy.tenants import require_active


class Principals:
    """Answers for the gateway."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def verify_session(self, tenant_id: str, user_id: str, session_id: str) -> tuple[Tenant, User]:
        """The tenant and the user as they are. SessionEnded if it has, or the user left; TenantSuspended,
        TenantDeleted.
        """
        async with self._store.transaction(tenant_id) as repository:
            lives = await repository.session_lives(tenant_id, user_id, session_id)
            tenant = await repository.get_tenant(tenant_id)
            user = await repository.get_user(tenant_id, user_id)
        if not lives or tenant is None or user is None:
            raise SessionEnded
        require_active(tenant)
        return tenant, user
