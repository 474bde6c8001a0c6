"""The composition root of the auth service: the only place where its concrete classes meet."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog
from aisp.auth.v1.auth_service_pb2_grpc import add_AuthServiceServicer_to_server

from auth_service.adapters.argon2 import Argon2Hasher
from auth_service.adapters.jwt import Ed25519Pairs, JwtSigner, SharedSecret
from auth_service.adapters.oidc import OidcTokens
from auth_service.adapters.smtp import SmtpMailer, SmtpServer
from auth_service.adapters.zxcvbn import ZxcvbnJudge
from auth_service.domain.audit import Origin
from auth_service.domain.issuers import Issuer, PlatformIssuer
from auth_service.policy.attempts import AttemptRules
from auth_service.policy.audit import Trail
from auth_service.policy.deletions import DeletionRules
from auth_service.repository import CHANNEL, PostgresStore
from auth_service.repository.tables import jobs as jobs_table
from auth_service.service.attempts import Attempts
from auth_service.service.audit import Audit
from auth_service.service.changes import Changes
from auth_service.service.deletions import Deletions
from auth_service.service.housekeeping import Housekeeping
from auth_service.service.invitations import InvitationRules, Invitations
from auth_service.service.issuers import Issuers
from auth_service.service.keys import Keys
from auth_service.service.last_uses import LastUses
from auth_service.service.mail import MAIL, Post
from auth_service.service.members import Members
from auth_service.service.passwords import Passwords
from auth_service.service.principals import Principals
from auth_service.service.profiles import Profiles
from auth_service.service.registrations import Registrations
from auth_service.service.resets import RESET, Resets
from auth_service.service.sessions import RefreshRules, Sessions
from auth_service.service.signing import RotationRules, SigningKeys
from auth_service.service.tenants import Tenants
from auth_service.servicer import AuthServicer, UseCases
from auth_service.settings import Settings
from chassis import context, valkey
from chassis.background import for_ever
from chassis.context import derive_key
from chassis.database import Database
from chassis.errors import PlatformError
from chassis.idempotency import IdempotencyInterceptor, ValkeyAnswerStore
from chassis.job import Job
from chassis.jobs import CHANNEL as JOBS
from chassis.jobs import JobRunner, Jobs
from chassis.notifications import Listener
from chassis.outbound import Outbound, check_url
from chassis.server import App, run_server
from chassis.settings import ConfigurationError

log = structlog.get_logger()

TRIM_SECONDS = 300
SIGNING_SECONDS = 1.0
"""How often each replica looks for new signing keys."""
CLOCKS_DIFFER_SECONDS = 60


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def acting() -> Origin:
    """Who acts in the running call, for the audit log."""
    calling = context.current_or_none()
    if calling is None:
        return Origin("system")
    named = ("operator", calling.operator), ("api_key", calling.key_id), ("user", calling.user_id), ("anybody", True)
    kind = next(kind for kind, is_so in named if is_so)
    return Origin(kind, calling.user_id, calling.key_id, calling.address, calling.request_id)


def audit_trail(settings: Settings, secret: str) -> Trail:
    """What makes rows of the audit log, with heads signed under a key that the database does not have."""
    envelope = settings.envelope("auth_service/audit", secret)
    return Trail(envelope, acting, now, max_detail_bytes=settings.audit.max_detail_bytes)


def make_store(settings: Settings, secret: str, database: Database) -> PostgresStore:
    """The database, with the audit log and the jobs that its transactions write."""
    jobs = Jobs(jobs_table, settings.keyring("auth_service"))
    return PostgresStore(database, jobs, audit_trail(settings, secret))


@asynccontextmanager
async def compose(settings: Settings) -> AsyncIterator[App]:
    """The service, connected; everything is closed on leaving."""
    secret = _secret(settings)
    auth = settings.auth
    at = settings.cache or settings.redis
    cache = valkey.connect(at, connect_seconds=2, reply_seconds=5)
    keyring = settings.keyring("auth_service")
    hasher = make_hasher(settings)
    async with Database(settings.database, "auth") as database, Outbound(settings.outbound) as outbound:
        store = make_store(settings, secret, database)
        parts = make_parts(settings, secret, store, hasher, outbound)
        runner = JobRunner(
            database,
            jobs_table,
            keyring,
            {
                MAIL: lambda job: parts.post.deliver(dict(job.payload)),
                RESET: lambda job: parts.use_cases.resets.prepare(dict(job.payload)),
            },
            _given_up,
            concurrency=auth.jobs_at_once,
            poll_seconds=auth.jobs_poll_seconds,
        )
        background = [
            asyncio.create_task(Listener(database.dsn, CHANNEL, lambda _told: parts.use_cases.changes.wake()).run()),
            asyncio.create_task(Listener(database.dsn, JOBS, runner.told).run()),
            asyncio.create_task(for_ever(parts.trim, TRIM_SECONDS)),
            asyncio.create_task(for_ever(parts.last_uses.write, auth.last_use_seconds)),
            asyncio.create_task(for_ever(parts.use_cases.signing.refresh, SIGNING_SECONDS)),
            asyncio.create_task(for_ever(runner.run, 0)),
        ]
        try:
            yield App(
                register=partial(add_AuthServiceServicer_to_server, AuthServicer(parts.use_cases)),
                services=("aisp.auth.v1.AuthService",),
                ready=database.check,
                interceptors=(IdempotencyInterceptor(ValkeyAnswerStore(cache), keyring),),
            )
        finally:
            await cache.aclose()
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
            with suppress(PlatformError):
                await parts.last_uses.write()
            hasher.close()


@dataclass(frozen=True)
class Parts:
    """What the service is made of."""

    use_cases: UseCases
    post: Post
    housekeeping: Housekeeping
    last_uses: LastUses

    async def trim(self) -> None:
        """Forgets what is of no use any more."""
        await self.use_cases.changes.trim()
        await self.housekeeping.trim()
        await self.use_cases.issuers.forget_old_platform()


def make_parts(
    settings: Settings, secret: str, store: PostgresStore, hasher: Argon2Hasher, outbound: Outbound
) -> Parts:
    """The use cases on a store."""
    auth, jwt = settings.auth, settings.jwt
    post = make_post(settings, secret)
    passwords = Passwords(hasher, ZxcvbnJudge(auth.password.guesses), auth.password.characters)
    attempts = Attempts(store, AttemptRules(**auth.attempts.model_dump()), now)
    # One secret never does two jobs: refresh tokens get a key of their own.
    refresh = RefreshRules(
        key=derive_key(secret.encode(), "auth_service", "refresh"),
        life=timedelta(days=auth.refresh_days),
        grace=timedelta(seconds=auth.refresh_grace_seconds),
    )
    pairs, last_uses = Ed25519Pairs(), LastUses(store)
    signed_with = pairs if jwt.algorithm == "EdDSA" else SharedSecret(secret)
    signer = JwtSigner(signed_with, issuer=jwt.issuer, audience=jwt.audience, seconds=jwt.access_seconds)
    sessions = Sessions(store, passwords, attempts, signer, refresh, now)
    links = timedelta(hours=auth.link_hours)
    grace, settle = timedelta(seconds=auth.deletion_grace_seconds), timedelta(seconds=auth.erasure_settle_seconds)
    removed = DeletionRules(grace, settle)
    invited = InvitationRules(timedelta(days=auth.invitation_days), auth.max_invitations, auth.max_members)
    use_cases = UseCases(
        sessions=sessions,
        registrations=Registrations(
            store, sessions, passwords, attempts, post, now, confirm=links if auth.confirm_registrations else None
        ),
        resets=Resets(store, passwords, attempts, post, links, now),
        profiles=Profiles(store, sessions, passwords),
        members=Members(store, now),
        invitations=Invitations(store, sessions, passwords, attempts, post, invited, now),
        issuers=make_issuers(settings, store, sessions, attempts, outbound),
        keys=Keys(store, last_uses, now, live=settings.production),
        tenants=Tenants(store, passwords, now),
        # A gateway that starts anew must hear of whatever ended while a token that says otherwise is still good.
        changes=Changes(
            store,
            now,
            heartbeat=auth.heartbeat_seconds,
            kept=timedelta(seconds=max(auth.changes_kept_seconds, jwt.access_seconds + CLOCKS_DIFFER_SECONDS)),
        ),
        audit=Audit(store, audit_trail(settings, secret)),
        principals=Principals(store),
        signing=make_signing_keys(settings, secret, store, pairs),
        deletions=Deletions(store, sessions, removed, now),
    )
    return Parts(use_cases, post, Housekeeping(store, now), last_uses)


def make_signing_keys(settings: Settings, secret: str, store: PostgresStore, pairs: Ed25519Pairs) -> SigningKeys:
    """The key pairs of access tokens, encrypted at rest."""
    jwt = settings.jwt
    lead, life = timedelta(seconds=jwt.rotation_lead_seconds), timedelta(seconds=jwt.access_seconds)
    rules = RotationRules(used=jwt.algorithm == "EdDSA", lead=lead, life=life)
    return SigningKeys(store, settings.envelope("auth_service/signing-keys", secret), pairs, rules, now)


def make_issuers(
    settings: Settings, store: PostgresStore, sessions: Sessions, attempts: Attempts, outbound: Outbound
) -> Issuers:
    """Log-ins with other identity providers, whose keys are asked for over the guarded client."""
    auth = settings.auth
    tokens = OidcTokens(outbound, keys_seconds=auth.issuer_keys_seconds, leeway_seconds=auth.issuer_leeway_seconds)

    def check(url: str, field: str) -> object:
        return check_url(url, settings.outbound, field)

    platform = platform_issuer(settings)
    return Issuers(store, sessions, attempts, tokens, check, now, most=auth.max_issuers, platform=platform)


def platform_issuer(settings: Settings) -> PlatformIssuer | None:
    """The one that the operator trusts. ConfigurationError if its settings leave open what it may do."""
    oidc = settings.oidc
    if not oidc.issuer:
        return None
    if not oidc.audience:
        raise ConfigurationError("AI_PLATFORM_OIDC__AUDIENCE is not set: it tells tokens for this platform from others")
    if not oidc.tenant_claim and not oidc.tenants:
        message = "set AI_PLATFORM_OIDC__TENANT_CLAIM or __TENANTS: they say which tenants the issuer may speak for"
        raise ConfigurationError(message)
    if not oidc.default_role and not (oidc.role_claim and oidc.roles):
        raise ConfigurationError("AI_PLATFORM_OIDC__DEFAULT_ROLE is needed where no claim gives a role")
    named = oidc.model_dump(exclude={"tenant_claim", "tenants"})
    template = Issuer(**named, id="", tenant_id="", created_at=now(), platform=True)
    return PlatformIssuer(template, oidc.tenant_claim, frozenset(oidc.tenants))


def make_hasher(settings: Settings) -> Argon2Hasher:
    """The pool that hashes passwords."""
    cost = settings.auth.password
    return Argon2Hasher(
        settings.auth.password_workers,
        settings.auth.password_queue,
        passes=cost.passes,
        memory_kib=cost.memory_kib,
        lanes=cost.lanes,
    )


def make_post(settings: Settings, secret: str) -> Post:
    """Links, by mail where a server is set. ConfigurationError if one is needed and is not."""
    mail = settings.mail
    if settings.auth.confirm_registrations and not mail.host:
        raise ConfigurationError("AI_PLATFORM_AUTH__CONFIRM_REGISTRATIONS needs AI_PLATFORM_MAIL__HOST: it sends mail")
    mailer = None
    if mail.host:
        fields = mail.model_dump(exclude={"page_url", "password"})
        mailer = SmtpMailer(SmtpServer(**fields, password=mail.password.get_secret_value()))
    return Post(derive_key(secret.encode(), "auth_service", "links"), mailer, mail.page_url)


async def serve(settings: Settings) -> None:
    """Serves until told to stop."""
    await run_server("auth_service", settings, settings.auth, compose)


@asynccontextmanager
async def alone(settings: Settings) -> AsyncIterator[Parts]:
    """The use cases for a command: no server, nothing in the background."""
    secret = _secret(settings)
    hasher = make_hasher(settings)
    try:
        async with Database(settings.database, "auth") as database, Outbound(settings.outbound) as outbound:
            yield make_parts(settings, secret, make_store(settings, secret, database), hasher, outbound)
    finally:
        hasher.close()


def _secret(settings: Settings) -> str:
    return settings.secret("AI_PLATFORM_JWT__SECRET_KEY", settings.jwt.secret_key)


async def _given_up(job: Job, error: PlatformError) -> None:
    log.error("a mail is not sent", job_id=job.id, kind=job.kind, reason=error.reason)
