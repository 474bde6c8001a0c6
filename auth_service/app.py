"""The composition root of the auth service: the only place where its concrete classes meet."""

import argparse
import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial

from aisp.auth.v1.auth_service_pb2_grpc import add_AuthServiceServicer_to_server
from redis.asyncio import Redis

from auth_service.adapters.argon2 import Argon2Hasher
from auth_service.adapters.jwt import JwtSigner
from auth_service.adapters.notifications import Listener
from auth_service.domain.audit import Origin
from auth_service.policy.audit import Trail
from auth_service.repository import CHANNEL, PostgresStore
from auth_service.service.audit import Audit, ChainReport
from auth_service.service.changes import Changes
from auth_service.service.keys import Keys
from auth_service.service.profiles import Profiles
from auth_service.service.sessions import RefreshRules, Sessions
from auth_service.service.tenants import Tenants
from auth_service.servicer import AuthServicer
from auth_service.settings import Settings
from chassis import context
from chassis.context import derive_key
from chassis.database import Database
from chassis.idempotency import IdempotencyInterceptor, ValkeyAnswerStore
from chassis.server import App, run_server
from chassis.settings import ConfigurationError

TRIM_SECONDS = 300


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


@asynccontextmanager
async def compose(settings: Settings) -> AsyncIterator[App]:
    """The service, connected; everything is closed on leaving."""
    secret = _secret(settings)
    jwt = settings.jwt
    signer = JwtSigner(secret, issuer=jwt.issuer, audience=jwt.audience, seconds=jwt.access_seconds)
    auth = settings.auth
    # One secret never does two jobs: refresh tokens get a key of their own.
    refresh = RefreshRules(
        key=derive_key(secret.encode(), "auth_service", "refresh"),
        life=timedelta(days=auth.refresh_days),
        grace=timedelta(seconds=auth.refresh_grace_seconds),
    )
    hasher = Argon2Hasher(auth.password_workers, auth.password_queue)
    at = settings.cache or settings.redis
    password = at.password.get_secret_value() or None
    cache = Redis(host=at.host, port=at.port, password=password, socket_connect_timeout=2, socket_timeout=5)
    async with Database(settings.database, "auth") as database:
        trail = audit_trail(settings, secret)
        store = PostgresStore(database, trail)
        kept = timedelta(seconds=auth.changes_kept_seconds)
        changes = Changes(store, now, heartbeat=auth.heartbeat_seconds, kept=kept)
        servicer = AuthServicer(
            Sessions(store, hasher, signer, refresh, now),
            Profiles(store, hasher),
            Keys(store, now, live=settings.production),
            Tenants(store, hasher, now),
            changes,
            Audit(store, trail),
        )
        dsn = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
        background = [
            asyncio.create_task(Listener(dsn, CHANNEL, changes.wake).run()),
            asyncio.create_task(_trim(changes)),
        ]
        try:
            yield App(
                register=partial(add_AuthServiceServicer_to_server, servicer),
                services=("aisp.auth.v1.AuthService",),
                ready=database.check,
                interceptors=(IdempotencyInterceptor(ValkeyAnswerStore(cache), settings.keyring("auth_service")),),
            )
        finally:
            await cache.aclose()
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
            hasher.close()


async def serve(settings: Settings) -> None:
    """Serves until told to stop."""
    await run_server("auth_service", settings, settings.auth, compose)


async def make_operator(settings: Settings, arguments: list[str]) -> None:
    """`operator --email E`: makes an operator, with the password in AI_PLATFORM_OPERATOR__PASSWORD."""
    parser = argparse.ArgumentParser(prog="python -m auth_service operator")
    parser.add_argument("--email", required=True)
    email = parser.parse_args(arguments).email
    password = settings.operator.password.get_secret_value()
    if not password:
        raise ConfigurationError("AI_PLATFORM_OPERATOR__PASSWORD is not set: it becomes the operator's password")
    hasher = Argon2Hasher(1, 0)
    try:
        async with Database(settings.database, "auth") as database:
            store = PostgresStore(database, audit_trail(settings, _secret(settings)))
            await Tenants(store, hasher, now).ensure_operator(email, password)
    finally:
        hasher.close()
    print(f"{email} is an operator")  # noqa: T201  # a command's answer


async def audit(settings: Settings, arguments: list[str]) -> None:
    """`audit verify [--tenant ID]`: walks the chains; exits with 1 if one is broken, naming its first broken row."""
    parser = argparse.ArgumentParser(prog="python -m auth_service audit")
    parser.add_argument("what", choices=["verify"])
    parser.add_argument("--tenant", default="", help="the id of one tenant; without it, all are verified")
    tenant = parser.parse_args(arguments).tenant
    trail = audit_trail(settings, _secret(settings))

    def tell(report: ChainReport) -> None:
        print(f"{report.tenant_id}: {report.problem or f'{report.rows} rows, whole'}")  # noqa: T201  # the answer

    async with Database(settings.database, "auth") as database:
        whole = await Audit(PostgresStore(database, trail), trail).verify(tell, tenant)
    if not whole:
        raise SystemExit(1)


def _secret(settings: Settings) -> str:
    return settings.secret("AI_PLATFORM_JWT__SECRET_KEY", settings.jwt.secret_key)


async def _trim(changes: Changes) -> None:
    while True:
        await asyncio.sleep(TRIM_SECONDS)
        # The database may be away; the next round tries again.
        with suppress(Exception):
            await changes.trim()
