"""Log-in, refresh and log-out."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from auth_service.domain.attempts import Bucket
from auth_service.domain.audit import Deed
from auth_service.domain.changes import Subject
from auth_service.domain.errors import (
    BadCredentials,
    BadRefreshToken,
    SessionNeeded,
    SessionNotFound,
    UserNotFound,
)
from auth_service.domain.people import Account, Actor, User, Visitor
from auth_service.domain.sessions import Claims, LivingSession, RefreshToken, Session, TokenPair, TokenSigner
from auth_service.domain.store import Repository, Store
from auth_service.domain.tenants import Tenant
from auth_service.policy import names, roles, tokens
from auth_service.policy.tenants import require_active
from auth_service.service.attempts import Attempts
from auth_service.service.clock import Clock
from auth_service.service.passwords import Passwords
from chassis.errors import InvalidArgument

MOST_LISTED = 200


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
        passwords: Passwords,
        attempts: Attempts,
        signer: TokenSigner,
        refresh: RefreshRules,
        clock: Clock,
    ) -> None:
        self._store = store
        self._passwords = passwords
        self._attempts = attempts
        self._signer = signer
        self._refresh = refresh
        self._clock = clock

    async def log_in(self, email: str, password: str, visitor: Visitor, tenant_id: str = "") -> TokenPair:
        """Tokens for the tenant, or the user's first. BadCredentials tells nothing apart; TenantSuspended,
        TooManyAttempts, LoginBusy.
        """
        try:
            normal = names.normal_email(email)
        except InvalidArgument as error:
            raise BadCredentials from error
        account = await self.check_password(normal, password, visitor)
        async with self._store.platform() as repository:
            chosen = await repository.first_tenant_id(account.user_id, tenant_id)
            if chosen is None:
                raise BadCredentials
            tenant, user = await _members(repository, chosen, account.user_id)
            return await self.open(repository, tenant, user, visitor)

    async def check_password(self, email: str, password: str, visitor: Visitor) -> Account:
        """The account of a normal address, if the password is its. BadCredentials, TooManyAttempts, LoginBusy."""
        # What limits comes before what costs; and no transaction is open while the hash is computed.
        account, buckets = await self._attempts.begin_log_in(email, visitor.address)
        try:
            matches = await self._passwords.matches(password, account.password_hash if account else None)
        except Exception:
            await self._forgive(buckets)
            raise
        if not matches or account is None:
            raise BadCredentials
        async with self._store.platform() as repository:
            await self._attempts.succeed(repository, account.user_id, visitor.address, buckets)
        return account

    async def refresh(self, token: str, tenant_id: str = "") -> TokenPair:
        """The next pair. The same token again within the grace gets the same successor (a lost answer must not log
        people out); later it is theft, and the whole family ends. BadRefreshToken, TenantSuspended; InvalidArgument
        for another tenant than the session's.
        """
        now = self._clock()
        reused = False
        async with self._store.platform() as repository:
            stored = await repository.lock_refresh_token(tokens.secret_hash(token[:256]))
            if stored is None or stored.revoked or stored.expires_at <= now:
                raise BadRefreshToken
            if tenant_id and tenant_id != stored.session.tenant_id:
                raise names.invalid("tenant_id", "is not the one that the refresh token is for; log in to the other")
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

    async def list(self, actor: Actor) -> tuple[LivingSession, ...]:
        """The user's, in all tenants, newest first. SessionNeeded."""
        if not actor.session_id:
            raise SessionNeeded
        async with self._store.platform() as repository:
            return tuple(await repository.list_sessions(actor.user_id, self._clock(), MOST_LISTED))

    async def revoke(self, actor: Actor, session_id: str) -> None:
        """Ends one of the user's. SessionNotFound, SessionNeeded."""
        if not actor.session_id:
            raise SessionNeeded
        async with self._store.platform() as repository:
            known = names.is_id(session_id)
            tenant_id = await repository.revoke_user_session(actor.user_id, session_id) if known else None
            if tenant_id is None:
                raise SessionNotFound
            repository.record(tenant_id, Deed("session.revoke", session_id, after={"reason": "by its user"}))
            await repository.add_changes([(Subject.SESSION, session_id)])

    async def open(self, repository: Repository, tenant: Tenant, user: User, visitor: Visitor) -> TokenPair:
        """A new session of a user who proved who they are."""
        session = Session(str(uuid4()), tenant.id, user.id, visitor.address)
        token = tokens.new_refresh_token()
        await repository.add_session(session)
        repository.record(tenant.id, Deed("session.create", session.id, user_id=user.id))
        expires_at = self._clock() + self._refresh.life
        await repository.add_refresh_token(tokens.secret_hash(token), session.id, expires_at)
        return self._pair(tenant, user, session.id, token)

    async def _succeed(self, repository: Repository, stored: RefreshToken, token: str, now: datetime) -> TokenPair:
        try:
            tenant, user = await _members(repository, stored.session.tenant_id, stored.session.user_id)
        except UserNotFound as error:
            raise BadRefreshToken from error
        following = tokens.successor(token, self._refresh.key)
        if stored.used_at is None:
            await repository.use_refresh_token(stored.hash, now)
            hashed = tokens.secret_hash(following)
            await repository.add_refresh_token(hashed, stored.session.id, now + self._refresh.life)
        return self._pair(tenant, user, stored.session.id, following)

    def _pair(self, tenant: Tenant, user: User, session_id: str, refresh_token: str) -> TokenPair:
        access, seconds = self._signer.sign(Claims(tenant, user, session_id, roles.scopes_of_role(user.role)))
        return TokenPair(access, refresh_token, seconds)

    async def _forgive(self, buckets: tuple[Bucket, ...]) -> None:
        """The attempt was not judged: the pool was full, say."""
        async with self._store.platform() as repository:
            await repository.forgive_attempts([bucket.name for bucket in buckets])

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
        raise UserNotFound
    require_active(tenant)
    return tenant, user
