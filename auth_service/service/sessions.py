"""Registration, log-in, refresh and log-out."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from auth_service.domain.audit import Deed
from auth_service.domain.changes import Subject
from auth_service.domain.errors import BadCredentials, BadRefreshToken, TenantSuspended
from auth_service.domain.people import PasswordHasher, User
from auth_service.domain.sessions import Claims, RefreshToken, Session, TokenPair, TokenSigner
from auth_service.domain.store import Repository, Store
from auth_service.domain.tenants import Tenant, TenantStatus
from auth_service.policy import names, passwords, roles, tokens
from chassis.errors import InvalidArgument


@dataclass(frozen=True, slots=True)
class RefreshRules:
    """How long refresh tokens live, and how long a used one still gets its successor."""

    key: bytes
    life: timedelta
    grace: timedelta


class Sessions:
    """A session is one log-in to one tenant; its refresh tokens are a family that lives and ends together."""

    def __init__(
        self,
        store: Store,
        hasher: PasswordHasher,
        signer: TokenSigner,
        refresh: RefreshRules,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._hasher = hasher
        self._signer = signer
        self._refresh = refresh
        self._clock = clock

    async def register(
        self, email: str, password: str, full_name: str, tenant_name: str
    ) -> tuple[Tenant, User, TokenPair]:
        """A tenant on plan free with its first user as owner, logged in. EmailTaken, WeakPassword, InvalidArgument."""
        email = names.normal_email(email)
        passwords.check_password(password, email)
        full_name = names.normal_name("full_name", full_name, least=0, most=200)
        tenant_name = names.normal_name("tenant_name", tenant_name or names.tenant_name_from(email), least=1, most=200)
        hashed = await self._hasher.hash(password)
        now = self._clock()
        tenant = Tenant(str(uuid4()), tenant_name, "free", TenantStatus.ACTIVE, 1, now)
        user = User(str(uuid4()), email, full_name, "owner", now)
        async with self._store.transaction(tenant.id) as repository:
            await repository.add_tenant(tenant)
            await repository.add_user(user, hashed)
            await repository.add_membership(tenant.id, user.id, user.role)
            told = {"name": tenant.name, "plan": tenant.plan, "owner": user.email}
            repository.record(tenant.id, Deed("tenant.create", tenant.id, after=told, user_id=user.id))
            pair = await self._open(repository, tenant, user)
        return tenant, user, pair

    async def log_in(self, email: str, password: str, tenant_id: str = "") -> TokenPair:
        """Tokens for the tenant, or the user's first. BadCredentials tells nothing apart; TenantSuspended."""
        try:
            normal = names.normal_email(email)
        except InvalidArgument as error:
            raise BadCredentials from error
        async with self._store.platform() as repository:
            account = await repository.find_account(normal)
        # No transaction is open while the hash is computed.
        if not await self._hasher.verify(password[:1024], account.password_hash if account else None) or not account:
            raise BadCredentials
        async with self._store.platform() as repository:
            chosen = await repository.first_tenant_id(account.user_id, tenant_id)
            if chosen is None:
                raise BadCredentials
            tenant, user = await _members(repository, chosen, account.user_id)
            return await self._open(repository, tenant, user)

    async def refresh(self, token: str) -> TokenPair:
        """The next pair. The same token again within the grace gets the same successor (a lost answer must not log
        people out); later it is theft, and the whole family ends. BadRefreshToken, TenantSuspended.
        """
        now = self._clock()
        reused = False
        async with self._store.platform() as repository:
            stored = await repository.lock_refresh_token(tokens.secret_hash(token[:256]))
            if stored is None or stored.revoked or stored.expires_at <= now:
                raise BadRefreshToken
            if stored.used_at is not None and now - stored.used_at > self._refresh.grace:
                reused = True
                # A used token came back after the grace: it was stolen, before or now.
                await self._end(repository, stored.session, "reuse of a refresh token")
            else:
                pair = await self._succeed(repository, stored, token, now)
        if reused:
            raise BadRefreshToken
        return pair

    async def log_out(self, tenant_id: str, session_id: str) -> None:
        """Ends the session, with its access tokens. A call by API key has none, and nothing happens."""
        if not session_id:
            return
        async with self._store.transaction(tenant_id) as repository:
            await self._end(repository, Session(session_id, tenant_id, ""), "log-out")

    async def _succeed(self, repository: Repository, stored: RefreshToken, token: str, now: datetime) -> TokenPair:
        tenant, user = await _members(repository, stored.session.tenant_id, stored.session.user_id)
        following = tokens.successor(token, self._refresh.key)
        if stored.used_at is None:
            await repository.use_refresh_token(stored.hash, now)
            hashed = tokens.secret_hash(following)
            await repository.add_refresh_token(hashed, stored.session.id, now + self._refresh.life)
        return self._pair(tenant, user, stored.session.id, following)

    async def _open(self, repository: Repository, tenant: Tenant, user: User) -> TokenPair:
        session = Session(str(uuid4()), tenant.id, user.id)
        token = tokens.new_refresh_token()
        await repository.add_session(session)
        repository.record(tenant.id, Deed("session.create", session.id, user_id=user.id))
        expires_at = self._clock() + self._refresh.life
        await repository.add_refresh_token(tokens.secret_hash(token), session.id, expires_at)
        return self._pair(tenant, user, session.id, token)

    def _pair(self, tenant: Tenant, user: User, session_id: str, refresh_token: str) -> TokenPair:
        access, seconds = self._signer.sign(Claims(tenant, user, session_id, roles.scopes_of_role(user.role)))
        return TokenPair(access, refresh_token, seconds)

    @staticmethod
    async def _end(repository: Repository, session: Session, why: str) -> None:
        if await repository.revoke_session(session.id):
            ended = Deed("session.revoke", session.id, after={"reason": why}, user_id=session.user_id)
            repository.record(session.tenant_id, ended)
            await repository.add_changes([(Subject.SESSION, session.id)])


async def _members(repository: Repository, tenant_id: str, user_id: str) -> tuple[Tenant, User]:
    tenant = await repository.get_tenant(tenant_id)
    user = await repository.get_user(tenant_id, user_id)
    if tenant is None or user is None:
        raise BadCredentials
    if tenant.status is TenantStatus.SUSPENDED:
        raise TenantSuspended
    return tenant, user
