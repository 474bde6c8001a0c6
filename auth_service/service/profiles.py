"""The caller's own tenant and user."""

from auth_service.domain.audit import Deed
from auth_service.domain.changes import Subject
from auth_service.domain.errors import BadCredentials, SessionNeeded, TenantNotFound, UserNotFound
from auth_service.domain.people import Actor, User, Visitor
from auth_service.domain.store import Store
from auth_service.domain.tenants import Tenant
from auth_service.policy import audit, names
from auth_service.service.passwords import Passwords
from auth_service.service.sessions import Sessions


class Profiles:
    """Reads and changes what callers may of themselves. Plan, role and status are not among it."""

    def __init__(self, store: Store, sessions: Sessions, passwords: Passwords) -> None:
        self._store = store
        self._sessions = sessions
        self._passwords = passwords

    async def get_tenant(self, tenant_id: str) -> Tenant:
        """TenantNotFound if it was deleted."""
        async with self._store.transaction(tenant_id) as repository:
            tenant = await repository.get_tenant(tenant_id)
        if tenant is None:
            raise TenantNotFound
        return tenant

    async def update_tenant(self, tenant_id: str, name: str | None) -> Tenant:
        """Renames it. InvalidArgument, TenantNotFound."""
        if name is not None:
            name = names.normal_name("name", name, least=1, most=200)
        async with self._store.transaction(tenant_id) as repository:
            old = await repository.get_tenant(tenant_id)
            tenant = await repository.update_tenant(tenant_id, name=name, plan=None, status=None, grow=False)
            if tenant is None or old is None:
                raise TenantNotFound
            repository.record(tenant_id, Deed("tenant.update", tenant_id, {"name": old.name}, {"name": tenant.name}))
        return tenant

    async def get_user(self, tenant_id: str, user_id: str) -> User:
        """UserNotFound if the user left the tenant."""
        async with self._store.transaction(tenant_id) as repository:
            user = await repository.get_user(tenant_id, user_id)
        if user is None:
            raise UserNotFound
        return user

    async def update_user(
        self, actor: Actor, *, full_name: str | None, password: str | None, current_password: str | None
    ) -> User:
        """Changes name and password. A new password needs the current one, and ends every other session.

        BadCredentials, WeakPassword, InvalidArgument, UserNotFound, SessionNeeded, TooManyAttempts, LoginBusy.
        """
        user = await self.get_user(actor.tenant_id, actor.user_id)
        if full_name is not None:
            full_name = names.normal_name("full_name", full_name, least=0, most=200)
        hashed = await self._new_password(actor, user, password, current_password) if password is not None else None
        async with self._store.platform() as repository:
            await repository.update_user(user.id, full_name=full_name, password_hash=hashed)
            told = {"full_name": user.full_name if full_name is None else full_name}
            before, after = audit.changed(
                {"full_name": user.full_name}, told | ({"password": "changed"} if hashed is not None else {})
            )
            repository.record(actor.tenant_id, Deed("user.update", user.id, before, after))
            if hashed is not None:
                ended = await repository.revoke_other_sessions(user.id, actor.session_id)
                await repository.add_changes([(Subject.SESSION, ended_id) for ended_id in ended])
        return await self.get_user(actor.tenant_id, user.id)

    async def _new_password(self, actor: Actor, user: User, password: str, current: str | None) -> str:
        if not actor.session_id:
            raise SessionNeeded
        if not current:
            raise names.invalid("current_password", "is needed to set a new password")
        async with self._store.transaction(actor.tenant_id) as repository:
            if not await repository.password_hash(user.id):
                raise names.invalid("password", "is kept by your identity provider, not here")
        try:
            await self._sessions.check_password(user.email, current, Visitor(actor.address))
        except BadCredentials as error:
            raise BadCredentials("The current password is not right.") from error
        return await self._passwords.hashed(password, user.email, user.full_name)
