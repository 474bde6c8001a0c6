"""What an operator does with tenants, and how the first operator is made."""

import secrets
from uuid import uuid4

from auth_service.domain.audit import PLATFORM_CHAIN, Deed
from auth_service.domain.changes import Subject
from auth_service.domain.errors import TenantDeleted, TenantNotFound
from auth_service.domain.people import User
from auth_service.domain.store import Store
from auth_service.domain.tenants import Tenant, TenantStatus
from auth_service.policy import audit, names
from auth_service.service.clock import Clock
from auth_service.service.passwords import Passwords
from chassis.pagination import Page, PageRequest


class Tenants:
    """All tenants. The servicer lets only operators in."""

    def __init__(self, store: Store, passwords: Passwords, clock: Clock) -> None:
        self._store = store
        self._passwords = passwords
        self._clock = clock

    async def list(self, request: PageRequest) -> Page[Tenant]:
        """Newest first."""
        async with self._store.platform() as repository:
            rows = await repository.list_tenants(request.size, request.after)
        return request.page(rows, lambda tenant: (round(tenant.created_at.timestamp() * 1_000_000), tenant.id))

    async def get(self, tenant_id: str) -> Tenant:
        """Any tenant. TenantNotFound."""
        async with self._store.platform() as repository:
            tenant = await repository.get_tenant(tenant_id)
        if tenant is None:
            raise TenantNotFound
        return tenant

    async def create(self, name: str, owner_email: str, plan: str) -> tuple[Tenant, bool]:
        """A tenant for somebody, and whether an account was made for them, whose password nobody knows yet.

        InvalidArgument, LoginBusy.
        """
        name = names.normal_name("name", name, least=1, most=200)
        email = names.normal_email(owner_email)
        _check_plan(plan)
        # So that a log-in to the account costs what any costs.
        hashed = await self._passwords.hashed(secrets.token_urlsafe(48), email)
        now = self._clock()
        tenant = Tenant(str(uuid4()), name, plan, TenantStatus.ACTIVE, 1, now)
        async with self._store.platform() as repository:
            account = await repository.find_account(email)
            user_id = account.user_id if account else str(uuid4())
            await repository.add_tenant(tenant)
            if account is None:
                await repository.add_user(User(user_id, email, "", "owner", now), hashed)
            await repository.add_membership(tenant.id, user_id, "owner")
            told = {"name": name, "plan": plan, "owner": email}
            repository.record(tenant.id, Deed("tenant.create", tenant.id, after=told))
        return tenant, account is None

    async def administer(
        self, tenant_id: str, *, plan: str | None, status: TenantStatus | None, limits_changed: bool
    ) -> Tenant:
        """Changes plan and status, as a new version that every gateway learns of. TenantNotFound, TenantDeleted,
        InvalidArgument.
        """
        if plan is not None:
            _check_plan(plan)
        grow = plan is not None or status is not None or limits_changed
        async with self._store.platform() as repository:
            old = await repository.get_tenant(tenant_id)
            tenant = await repository.update_tenant(tenant_id, name=None, plan=plan, status=status, grow=grow)
            if tenant is None or old is None:
                raise TenantNotFound
            if old.status is TenantStatus.DELETING:
                raise TenantDeleted
            if grow:
                before, after = audit.changed(_told(old), _told(tenant))
                repository.record(tenant.id, Deed("tenant.administer", tenant.id, before, after))
                await repository.add_changes([(Subject.TENANT, tenant.id)])
        return tenant

    async def ensure_operator(self, email: str, password: str) -> None:
        """Makes the user an operator with this password; made anew, in a tenant of its own, if it is not there."""
        email = names.normal_email(email)
        hashed = await self._passwords.hashed(password, email)
        now = self._clock()
        async with self._store.platform() as repository:
            account = await repository.find_account(email)
            if account is not None:
                await repository.set_operator(account.user_id, hashed)
                repository.record(PLATFORM_CHAIN, Deed("operator.create", account.user_id, after={"email": email}))
                return
            tenant = Tenant(str(uuid4()), "Operators", "enterprise", TenantStatus.ACTIVE, 1, now)
            user = User(str(uuid4()), email, "Operator", "owner", now, operator=True)
            await repository.add_tenant(tenant)
            await repository.add_user(user, hashed)
            await repository.add_membership(tenant.id, user.id, user.role)
            repository.record(PLATFORM_CHAIN, Deed("operator.create", user.id, after={"email": email}))


def _check_plan(plan: str) -> None:
    """What plans there are the usage service knows; the gateway asks it first."""
    if not 1 <= len(plan) <= 64:
        raise names.invalid("plan", "must have 1 to 64 characters")


def _told(tenant: Tenant) -> dict[str, object]:
    """What the audit log tells of a tenant. A new version alone means that its limits changed."""
    return {"plan": tenant.plan, "status": tenant.status.value, "version": tenant.version}
