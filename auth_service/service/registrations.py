"""New tenants with their first user."""

from datetime import timedelta
from uuid import uuid4

from auth_service.domain.audit import Deed
from auth_service.domain.errors import BadLink
from auth_service.domain.links import Link, Purpose
from auth_service.domain.people import User, Visitor
from auth_service.domain.sessions import LoggedIn
from auth_service.domain.store import Repository, Store
from auth_service.domain.tenants import Tenant, TenantStatus
from auth_service.policy import links, mails, names
from auth_service.service.attempts import Attempts
from auth_service.service.clock import Clock
from auth_service.service.mail import Post
from auth_service.service.passwords import Passwords
from auth_service.service.sessions import Sessions


class Registrations:
    """Registers at once, or after the address was confirmed: then nobody learns whether it has an account."""

    def __init__(
        self,
        store: Store,
        sessions: Sessions,
        passwords: Passwords,
        attempts: Attempts,
        post: Post,
        clock: Clock,
        *,
        confirm: timedelta | None,
    ) -> None:
        """`confirm`: how long a registration waits to be confirmed; None registers at once."""
        self._store = store
        self._sessions = sessions
        self._passwords = passwords
        self._attempts = attempts
        self._post = post
        self._clock = clock
        self._confirm = confirm

    async def register(
        self, email: str, password: str, full_name: str, tenant_name: str, visitor: Visitor
    ) -> LoggedIn | None:
        """The tenant; None if a mail was sent to confirm the address (or to tell its owner that they have an account).

        EmailTaken (only where it registers at once), WeakPassword, InvalidArgument, TooManyAttempts, LoginBusy.
        """
        email = names.normal_email(email)
        full_name = names.normal_name("full_name", full_name, least=0, most=200)
        tenant_name = names.normal_name("tenant_name", tenant_name or names.tenant_name_from(email), least=1, most=200)
        hashed = await self._passwords.hashed(password, email, full_name, tenant_name)
        wanted = {"email": email, "password_hash": hashed, "full_name": full_name, "tenant_name": tenant_name}
        async with self._store.platform() as repository:
            if self._confirm is None:
                return await self._make(repository, wanted, visitor)
            await self._attempts.begin_mail(repository, email, visitor.address)
            if await repository.find_account(email) is not None:
                await self._post.tell(repository, email, mails.KNOWN_SUBJECT, mails.KNOWN_TEXT)
            else:
                ends = self._clock() + self._confirm
                link = Link(links.new_id(), Purpose.REGISTRATION, email, ends, payload=wanted)
                await self._post.send(repository, link, email)
        return None

    async def confirm(self, token: str, visitor: Visitor) -> LoggedIn:
        """Makes what was registered. BadLink; EmailTaken if the address got an account in between."""
        link_id = self._post.id_of(token, Purpose.REGISTRATION)
        async with self._store.platform() as repository:
            now = self._clock()
            link = await repository.take_link(link_id, Purpose.REGISTRATION, now) if link_id else None
            if link is None:
                raise BadLink
            return await self._make(repository, dict(link.payload), visitor)

    async def _make(self, repository: Repository, wanted: dict[str, str], visitor: Visitor) -> LoggedIn:
        now = self._clock()
        tenant = Tenant(str(uuid4()), wanted["tenant_name"], "free", TenantStatus.ACTIVE, 1, now)
        user = User(str(uuid4()), wanted["email"], wanted["full_name"], "owner", now)
        await repository.add_tenant(tenant)
        await repository.add_user(user, wanted["password_hash"])
        await repository.add_membership(tenant.id, user.id, user.role)
        told = {"name": tenant.name, "plan": tenant.plan, "owner": user.email}
        repository.record(tenant.id, Deed("tenant.create", tenant.id, after=told, user_id=user.id))
        await self._attempts.succeed(repository, user.id, visitor.address)
        pair = await self._sessions.open(repository, tenant, user, visitor)
        return LoggedIn(tenant, user, pair)
