"""Invitations: made, listed, taken back, accepted."""

from dataclasses import dataclass
from datetime import timedelta

from auth_service.domain.audit import Deed
from auth_service.domain.changes import Subject
from auth_service.domain.errors import (
    AlreadyMember,
    BadLink,
    InvitationNotFound,
    MemberNotFound,
    TooMany,
)
from auth_service.domain.invitations import Invitation
from auth_service.domain.links import Link, Purpose
from auth_service.domain.people import Account, Actor, User, Visitor
from auth_service.domain.sessions import LoggedIn
from auth_service.domain.store import Repository, Store
from auth_service.domain.tenants import Tenant
from auth_service.policy import links, names, roles
from auth_service.policy.tenants import require_active
from auth_service.service.attempts import Attempts
from auth_service.service.clock import Clock
from auth_service.service.mail import Post
from auth_service.service.passwords import Passwords
from auth_service.service.sessions import Sessions
from chassis.pagination import Page, PageRequest


@dataclass(frozen=True, slots=True)
class InvitationRules:
    """How long one is open, how many a tenant may have open, and how many members."""

    life: timedelta
    open_at_once: int
    members: int


class Invitations:
    """An invitation is a row as long as it is open; its secret is that of a link."""

    def __init__(
        self,
        store: Store,
        sessions: Sessions,
        passwords: Passwords,
        attempts: Attempts,
        post: Post,
        rules: InvitationRules,
        clock: Clock,
    ) -> None:
        self._store = store
        self._attempts = attempts
        self._sessions = sessions
        self._passwords = passwords
        self._post = post
        self._rules = rules
        self._clock = clock

    async def create(self, actor: Actor, email: str, role: str) -> tuple[Invitation, str, str]:
        """The invitation, its secret and its link (both empty if they go by mail). An earlier one to the address ends.

        AlreadyMember, RoleNotGrantable, TooMany, TooManyAttempts, InvalidArgument.
        """
        email, now = names.normal_email(email), self._clock()
        invitation = Invitation(
            links.new_id(), actor.tenant_id, email, role, actor.user_id, self._post.mails, now, now + self._rules.life
        )
        async with self._store.transaction(actor.tenant_id) as repository:
            if self._post.mails:
                await self._attempts.begin_mail(repository, email, actor.address)
            await repository.lock_tenant(actor.tenant_id)
            own = await repository.get_member(actor.tenant_id, actor.user_id)
            tenant = await repository.get_tenant(actor.tenant_id)
            if own is None or tenant is None:
                raise MemberNotFound
            roles.check_role(role, own.role, actor.scopes)
            account = await repository.find_account(email)
            if account is not None and await repository.get_member(actor.tenant_id, account.user_id) is not None:
                raise AlreadyMember
            await repository.end_invitations_to(actor.tenant_id, email)
            await self._check_room(repository, actor.tenant_id)
            await repository.add_invitation(invitation)
            told = {"email": email, "role": role, "mailed": invitation.mailed}
            repository.record(actor.tenant_id, Deed("invitation.create", invitation.id, after=told))
            link = Link(invitation.id, Purpose.INVITATION, invitation.id, invitation.expires_at)
            secret = await self._post.send(repository, link, email, tenant=tenant.name, person=own.email)
        return invitation, secret, self._post.page(Purpose.INVITATION, secret)

    async def list(self, tenant_id: str, request: PageRequest) -> Page[Invitation]:
        """Those that are open, newest first."""
        async with self._store.transaction(tenant_id) as repository:
            rows = await repository.list_invitations(tenant_id, self._clock(), request.size, request.after)
        return request.page(rows, lambda row: (round(row.created_at.timestamp() * 1_000_000), row.id))

    async def revoke(self, tenant_id: str, invitation_id: str) -> None:
        """InvitationNotFound."""
        async with self._store.transaction(tenant_id) as repository:
            known = names.is_id(invitation_id)
            if not known or await repository.end_invitation(tenant_id, invitation_id, self._clock()) is None:
                raise InvitationNotFound
            repository.record(tenant_id, Deed("invitation.revoke", invitation_id))
            await repository.end_links(Purpose.INVITATION, invitation_id)

    async def accept(self, token: str, password: str, full_name: str, visitor: Visitor) -> LoggedIn:
        """Joins with the account of the invited address, whose password it must be, or with a new one; and logs in.

        BadLink, BadCredentials, WeakPassword, AlreadyMember, TenantSuspended, TooMany, TooManyAttempts, LoginBusy.
        """
        full_name = names.normal_name("full_name", full_name, least=0, most=200)
        invitation_id = self._post.id_of(token, Purpose.INVITATION)
        async with self._store.platform() as repository:
            invitation = await self._open(repository, invitation_id)
            known = await repository.find_account(invitation.email)
        # No transaction is open while the hash is computed.
        if known is not None:
            await self._sessions.check_password(invitation.email, password, visitor)
        hashed = "" if known else await self._passwords.hashed(password, invitation.email, full_name)
        async with self._store.platform() as repository:
            await repository.lock_tenant(invitation.tenant_id)
            await self._use_up(repository, invitation)
            account = known or await self._new_account(repository, invitation, hashed, full_name)
            tenant = await self._join(repository, invitation, account)
            user = await repository.get_user(tenant.id, account.user_id)
            assert user is not None, "just joined"
            await repository.add_changes([(Subject.USER, user.id)])
            return LoggedIn(tenant, user, await self._sessions.open(repository, tenant, user, visitor))

    async def _open(self, repository: Repository, invitation_id: str | None) -> Invitation:
        link = await repository.get_link(invitation_id, Purpose.INVITATION, self._clock()) if invitation_id else None
        invitation = await repository.find_invitation(link.subject) if link else None
        if invitation is None:
            raise BadLink
        return invitation

    async def _use_up(self, repository: Repository, invitation: Invitation) -> None:
        now = self._clock()
        link = await repository.take_link(invitation.id, Purpose.INVITATION, now)
        if link is None or await repository.end_invitation(invitation.tenant_id, invitation.id, now) is None:
            raise BadLink
        repository.record(invitation.tenant_id, Deed("invitation.accept", invitation.id))

    async def _new_account(
        self, repository: Repository, invitation: Invitation, hashed: str, full_name: str
    ) -> Account:
        user = User(links.new_id(), invitation.email, full_name, "", self._clock())
        await repository.add_user(user, hashed)
        repository.record(invitation.tenant_id, Deed("user.create", user.id, after={"email": user.email}))
        return Account(user.id, hashed)

    async def _join(self, repository: Repository, invitation: Invitation, account: Account) -> Tenant:
        tenant = await repository.get_tenant(invitation.tenant_id)
        if tenant is None:
            raise BadLink
        require_active(tenant)
        if await repository.get_member(tenant.id, account.user_id) is not None:
            raise AlreadyMember
        if await repository.count_members(tenant.id) >= self._rules.members:
            raise TooMany("The tenant has as many members as are allowed.")
        await repository.add_membership(tenant.id, account.user_id, invitation.role)
        told = {"email": invitation.email, "role": invitation.role}
        repository.record(tenant.id, Deed("member.create", account.user_id, after=told, user_id=account.user_id))
        return tenant

    async def _check_room(self, repository: Repository, tenant_id: str) -> None:
        if await repository.count_invitations(tenant_id, self._clock()) >= self._rules.open_at_once:
            raise TooMany("There are as many open invitations as are allowed; take one back first.")
