"""Log-ins with a tenant's own identity provider, and which providers a tenant trusts."""

from collections.abc import Callable

from auth_service.domain.audit import Deed
from auth_service.domain.changes import Subject
from auth_service.domain.errors import BadAssertion, IssuerNotFound, LastOwner, MemberNotFound, OperatorOnly, TooMany
from auth_service.domain.issuers import ForeignTokens, Identity, Issuer, PlatformIssuer
from auth_service.domain.people import Actor, User, Visitor
from auth_service.domain.sessions import TokenPair
from auth_service.domain.store import Repository, Store
from auth_service.policy import issuers, links, names, roles
from auth_service.policy.tenants import require_active
from auth_service.service.attempts import Attempts
from auth_service.service.clock import Clock
from auth_service.service.sessions import Sessions

CheckUrl = Callable[[str, str], object]
"""(url, field): raises InvalidArgument for a URL that is never called."""


class Issuers:
    """Whom an issuer vouches for is a user of its tenant alone: it can speak for nobody's account elsewhere."""

    def __init__(
        self,
        store: Store,
        sessions: Sessions,
        attempts: Attempts,
        tokens: ForeignTokens,
        check_url: CheckUrl,
        clock: Clock,
        *,
        most: int,
        platform: PlatformIssuer | None = None,
    ) -> None:
        """`most`: issuers of one tenant; `platform`: one that the operator trusts for tenants."""
        self._platform = platform
        self._store = store
        self._sessions = sessions
        self._attempts = attempts
        self._tokens = tokens
        self._check_url = check_url
        self._clock = clock
        self._most = most

    async def create(self, actor: Actor, wanted: Issuer) -> Issuer:
        """Trusts an issuer, for roles that the actor may give. RoleNotGrantable, TooMany, InvalidArgument."""
        self._check(wanted)
        async with self._store.transaction(actor.tenant_id) as repository:
            await repository.lock_tenant(actor.tenant_id)
            own = await repository.get_member(actor.tenant_id, actor.user_id)
            if own is None:
                raise MemberNotFound
            for role in {*wanted.roles.values(), *([wanted.default_role] if wanted.default_role else [])}:
                roles.check_role(role, own.role, actor.scopes)
            if len(await repository.list_issuers(actor.tenant_id)) >= self._most:
                raise TooMany("There are as many identity providers as are allowed; remove one first.")
            await repository.add_issuer(wanted)
            told: dict[str, object] = {"issuer": wanted.issuer, "audience": wanted.audience}
            told |= {"default_role": wanted.default_role, "roles": dict(wanted.roles)}
            repository.record(actor.tenant_id, Deed("issuer.create", wanted.id, after=told))
        return wanted

    async def list(self, tenant_id: str) -> list[Issuer]:
        """Newest first."""
        async with self._store.transaction(tenant_id) as repository:
            return await repository.list_issuers(tenant_id)

    async def remove(self, tenant_id: str, issuer_id: str) -> None:
        """Those whom it vouched for are out: their sessions and keys end. IssuerNotFound."""
        async with self._store.transaction(tenant_id) as repository:
            if not names.is_id(issuer_id):
                raise IssuerNotFound
            gone = await self._end(repository, tenant_id, issuer_id)
            if gone.platform:
                raise OperatorOnly
            if not await repository.count_members(tenant_id, "owner"):
                raise LastOwner

    async def forget_old_platform(self) -> None:
        """The operator trusts an issuer no more: those whom it vouched for are out, in every tenant."""
        trusted = self._platform.template if self._platform else None
        async with self._store.platform() as repository:
            rows = await repository.platform_issuers()
        for row in rows:
            if trusted is None or (row.issuer, row.audience) != (trusted.issuer, trusted.audience):
                async with self._store.transaction(row.tenant_id) as repository:
                    await self._end(repository, row.tenant_id, row.id)

    async def log_in(self, token: str, visitor: Visitor, tenant_id: str = "") -> TokenPair:
        """Tokens for whom a token of a trusted issuer speaks of, who becomes a member at the first time.

        BadAssertion tells nothing apart; IdentityRefused, IssuerUnavailable, TenantSuspended, TooManyAttempts;
        InvalidArgument where nothing tells for which tenant.
        """
        buckets = await self._attempts.begin_from(visitor.address)
        issuer = await self._trusted(token, tenant_id)
        # No transaction is open while keys are asked for.
        claims = await self._tokens.verify(token, issuer)
        identity = issuers.identity_of(claims, issuer)
        if issuer.platform and self._platform:
            issuer = issuers.for_tenant(self._platform, claims, tenant_id, self._clock())
        async with self._store.platform() as repository:
            await repository.forgive_attempts([bucket.name for bucket in buckets])
            tenant = await repository.get_tenant(issuer.tenant_id)
            if tenant is None:
                raise BadAssertion
            require_active(tenant)
            if issuer.platform:
                await repository.ensure_issuer(issuer)
            if not await repository.lock_issuer(issuer.id):
                raise BadAssertion
            user_id = await self._member(repository, issuer, identity)
            user = await repository.get_user(tenant.id, user_id)
            if user is None:
                # Removed from the tenant: the issuer does not bring them back.
                raise BadAssertion
            return await self._sessions.open(repository, tenant, user, visitor)

    async def _end(self, repository: Repository, tenant_id: str, issuer_id: str) -> Issuer:
        await repository.lock_tenant(tenant_id)
        people = await repository.users_of_issuer(tenant_id, issuer_id)
        gone = await repository.end_issuer(tenant_id, issuer_id)
        if gone is None:
            raise IssuerNotFound
        repository.record(tenant_id, Deed("issuer.remove", issuer_id, before={"issuer": gone.issuer}))
        for user_id in people:
            ended = await repository.revoke_sessions_in(tenant_id, user_id)
            keys = await repository.end_api_keys_of(tenant_id, user_id, self._clock())
            await repository.remove_membership(tenant_id, user_id)
            changes = [(Subject.USER, user_id), *((Subject.SESSION, one) for one in ended)]
            await repository.add_changes([*changes, *((Subject.API_KEY, one) for one in keys)])
        return gone

    async def _trusted(self, token: str, tenant_id: str) -> Issuer:
        named, audiences = self._tokens.addressee(token)
        ours = self._platform.template if self._platform else None
        # The platform's own goes first: no tenant can stand between it and those who log in with it.
        if ours is not None and named == ours.issuer and ours.audience in audiences:
            return ours
        async with self._store.platform() as repository:
            found = await repository.find_issuers(named, tenant_id)
        fitting = [issuer for issuer in found if issuer.audience in audiences]
        if not fitting:
            raise BadAssertion
        if len(fitting) > 1:
            raise names.invalid("tenant_id", "is needed: several tenants trust this issuer and audience")
        return fitting[0]

    async def _member(self, repository: Repository, issuer: Issuer, identity: Identity) -> str:
        """The user whom the issuer calls so, made at the first time; with the role that it gives now."""
        user_id = await repository.user_of_identity(issuer.id, identity.subject)
        if user_id is None:
            user = User(links.new_id(), identity.email, identity.full_name, identity.role, self._clock())
            await repository.add_identity(issuer, identity.subject, user)
            await repository.add_membership(issuer.tenant_id, user.id, identity.role)
            told = {"email": user.email, "role": user.role, "issuer": issuer.issuer}
            repository.record(issuer.tenant_id, Deed("member.create", user.id, after=told, user_id=user.id))
            return user.id
        member = await repository.get_member(issuer.tenant_id, user_id)
        # An owner is made and unmade by owners: no claim takes the last one away.
        settled = member is None or member.role in ("owner", identity.role)
        if member is not None and issuer.role_claim and not settled:
            await repository.set_role(issuer.tenant_id, user_id, identity.role)
            changed = Deed("member.update", user_id, {"role": member.role}, {"role": identity.role}, user_id=user_id)
            repository.record(issuer.tenant_id, changed)
            await repository.add_changes([(Subject.USER, user_id)])
        return user_id

    def _check(self, wanted: Issuer) -> None:
        ours = self._platform.template if self._platform else None
        if ours is not None and (wanted.issuer, wanted.audience) == (ours.issuer, ours.audience):
            raise names.invalid("issuer", "is the platform's own with this audience")
        self._check_url(wanted.issuer, "issuer")
        if wanted.jwks_url:
            self._check_url(wanted.jwks_url, "jwks_url")
        issuers.check_claim("audience", wanted.audience)
        issuers.check_claim("claims.email", wanted.email_claim)
        issuers.check_claim("claims.name", wanted.name_claim)
        issuers.check_claim("claims.role", wanted.role_claim, least=0)
        issuers.check_roles(wanted.roles)
        if not wanted.default_role and not (wanted.role_claim and wanted.roles):
            raise names.invalid("default_role", "is needed where no claim gives a role")
