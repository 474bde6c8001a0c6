"""Who belongs to a tenant, and as what."""

from auth_service.domain.audit import Deed
from auth_service.domain.changes import Subject
from auth_service.domain.errors import LastOwner, MemberNotFound, SessionNeeded
from auth_service.domain.people import Actor, Member, Membership
from auth_service.domain.store import Repository, Store
from auth_service.policy import names, roles
from auth_service.service.clock import Clock
from chassis.pagination import Page, PageRequest


class Members:
    """Changes of who belongs to a tenant wait for each other, so that two owners cannot both leave at once."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def list(self, tenant_id: str, request: PageRequest) -> Page[Member]:
        """Newest first."""
        async with self._store.transaction(tenant_id) as repository:
            rows = await repository.list_members(tenant_id, request.size, request.after)
        return request.page(rows, lambda member: (round(member.joined_at.timestamp() * 1_000_000), member.user_id))

    async def get(self, tenant_id: str, user_id: str) -> Member:
        """MemberNotFound."""
        async with self._store.transaction(tenant_id) as repository:
            return await _member(repository, tenant_id, user_id)

    async def change_role(self, actor: Actor, user_id: str, role: str) -> Member:
        """MemberNotFound, RoleNotGrantable, LastOwner, InvalidArgument."""
        async with self._store.transaction(actor.tenant_id) as repository:
            own, member = await self._both(repository, actor, user_id)
            roles.check_role(role, own.role, actor.scopes)
            roles.check_reach(member.role, own.role)
            if member.role == role:
                return member
            await _keep_an_owner(repository, actor.tenant_id, member)
            return await _set_role(repository, actor.tenant_id, member, role)

    async def remove(self, actor: Actor, user_id: str) -> None:
        """The user's sessions and keys in the tenant end with the membership. MemberNotFound, RoleNotGrantable,
        LastOwner. To remove oneself is to leave; SessionNeeded for a call by API key.
        """
        if user_id == actor.user_id and not actor.session_id:
            raise SessionNeeded
        async with self._store.transaction(actor.tenant_id) as repository:
            own, member = await self._both(repository, actor, user_id)
            roles.check_reach(member.role, own.role)
            await _keep_an_owner(repository, actor.tenant_id, member)
            await repository.remove_membership(actor.tenant_id, user_id)
            await repository.end_invitations_by(actor.tenant_id, user_id)
            ended = await repository.revoke_sessions_in(actor.tenant_id, user_id)
            keys = await repository.end_api_keys_of(actor.tenant_id, user_id, self._clock())
            repository.record(actor.tenant_id, Deed("member.remove", user_id, before=_told(member)))
            await repository.add_changes(
                [
                    (Subject.USER, user_id),
                    *((Subject.SESSION, session_id) for session_id in ended),
                    *((Subject.API_KEY, key_id) for key_id in keys),
                ]
            )

    async def transfer(self, actor: Actor, user_id: str) -> Member:
        """The member becomes owner, the calling owner admin. MemberNotFound, RoleNotGrantable, SessionNeeded."""
        if not actor.session_id:
            raise SessionNeeded
        async with self._store.transaction(actor.tenant_id) as repository:
            own, member = await self._both(repository, actor, user_id)
            roles.check_role("owner", own.role, actor.scopes)
            if member.user_id == own.user_id:
                return member
            await _set_role(repository, actor.tenant_id, own, "admin")
            return await _set_role(repository, actor.tenant_id, member, "owner")

    async def memberships(self, actor: Actor) -> tuple[Membership, ...]:
        """The tenants of the user who acts, the first joined first. SessionNeeded: a key is of one tenant."""
        if not actor.session_id:
            raise SessionNeeded
        async with self._store.platform() as repository:
            return tuple(await repository.list_memberships(actor.user_id))

    @staticmethod
    async def _both(repository: Repository, actor: Actor, user_id: str) -> tuple[Member, Member]:
        await repository.lock_tenant(actor.tenant_id)
        own = await _member(repository, actor.tenant_id, actor.user_id)
        return own, await _member(repository, actor.tenant_id, user_id)


async def _member(repository: Repository, tenant_id: str, user_id: str) -> Member:
    member = await repository.get_member(tenant_id, user_id) if names.is_id(user_id) else None
    if member is None:
        raise MemberNotFound
    return member


async def _keep_an_owner(repository: Repository, tenant_id: str, member: Member) -> None:
    """LastOwner if the tenant would be without one when this member is none any more."""
    if member.role == "owner" and await repository.count_members(tenant_id, "owner") <= 1:
        raise LastOwner


async def _set_role(repository: Repository, tenant_id: str, member: Member, role: str) -> Member:
    await repository.set_role(tenant_id, member.user_id, role)
    # What was offered on the strength of the old role is not offered any more.
    await repository.end_invitations_by(tenant_id, member.user_id)
    repository.record(tenant_id, Deed("member.update", member.user_id, {"role": member.role}, {"role": role}))
    await repository.add_changes([(Subject.USER, member.user_id)])
    changed = await repository.get_member(tenant_id, member.user_id)
    assert changed is not None, "the tenant is locked"
    return changed


def _told(member: Member) -> dict[str, object]:
    """What the audit log tells of a member."""
    return {"email": member.email, "role": member.role}
