"""Who calls: turns credentials into a Caller. JWTs are verified here, API keys by one lookup; verdicts are cached.

The auth service streams what changes (a heartbeat four times a second); a change makes the gateway forget at once.
While the stream is silent for longer than a second, keys are looked up every time. It owns no rights beyond that:
which scope a route needs is the route's.
"""

import asyncio
import binascii
import hashlib
import hmac
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Protocol, TypeVar

import jwt
import structlog
from aisp.auth.v1 import auth_service_pb2 as pb

from chassis.context import RequestContext
from chassis.errors import InvalidArgument, NotFound, PermissionDenied, PlatformError, Unauthenticated, Violation

log = structlog.get_logger()

STALE_SECONDS = 1.0
CACHE_ENTRIES = 10_000
KEY_VERDICT_SECONDS = 60.0
MAX_TOKEN_CHARACTERS = 4096
RECONNECT_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0)
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_KEY = re.compile(r"aisp_(?:live|test)_([0-9A-Za-z]{16})_[0-9A-Za-z]{43}([0-9A-Za-z]{6})")

V = TypeVar("V")


class MissingCredentials(Unauthenticated):
    reason = "MISSING_CREDENTIALS"
    message = "Send `Authorization: Bearer <token or API key>` (or `x-api-key: <API key>`)."


class BadToken(Unauthenticated):
    reason = "BAD_TOKEN"
    message = "The access token is not valid."


class TokenExpired(Unauthenticated):
    reason = "TOKEN_EXPIRED"
    message = "The access token has expired; get a new one with your refresh token."


class BadApiKey(Unauthenticated):
    reason = "BAD_API_KEY"
    message = "The API key is not valid."


class TwoCredentials(InvalidArgument):
    reason = "TWO_CREDENTIALS"
    message = "Authorization and x-api-key carry different credentials; send one."


class ScopeMissing(PermissionDenied):
    reason = "SCOPE_MISSING"


class TenantSuspended(PermissionDenied):
    reason = "TENANT_SUSPENDED"
    message = "This tenant is suspended."


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, and what the meter needs to know of them."""

    tenant_id: str
    user_id: str
    key_id: str = ""
    session_id: str = ""
    scopes: frozenset[str] = frozenset()
    operator: bool = False
    plan: str = "free"
    tenant_version: int = 0
    key_version: int = 0
    key_limits: Mapping[str, int] = field(default_factory=dict)

    def require(self, scope: str) -> None:
        """Raises ScopeMissing unless the caller has the scope."""
        if scope not in self.scopes:
            raise ScopeMissing(f"This needs the scope {scope}.", metadata={"scope": scope})


class AuthStub(Protocol):
    """What is used of the generated stub."""

    VerifyApiKey: Callable[..., Any]
    GetTenant: Callable[..., Any]
    GetUser: Callable[..., Any]
    WatchChanges: Callable[..., Any]


@dataclass(frozen=True, slots=True)
class JwtRules:
    """What an access token must be."""

    secret: bytes
    issuer: str
    audience: str
    leeway_seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class _Verdict:
    caller: Caller
    until: float
    """Unix time when it ends by itself."""


class _Lru(Generic[V]):
    """A bounded cache; the least recently used goes first."""

    def __init__(self, entries: int) -> None:
        self._entries = entries
        self._values: OrderedDict[Any, V] = OrderedDict()

    def get(self, key: Any) -> V | None:
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: Any, value: V) -> None:
        self._values[key] = value
        self._values.move_to_end(key)
        if len(self._values) > self._entries:
            self._values.popitem(last=False)

    def drop(self, unwanted: Callable[[V], bool]) -> None:
        for key in [key for key, value in self._values.items() if unwanted(value)]:
            del self._values[key]

    def clear(self) -> None:
        self._values.clear()


class Authenticator:
    """Verifies credentials; knows what was revoked."""

    def __init__(self, rules: JwtRules, stub: AuthStub, clock: Callable[[], float] = time.time) -> None:
        self._rules = rules
        self._stub = stub
        self._clock = clock
        self._verdicts: _Lru[_Verdict] = _Lru(CACHE_ENTRIES)
        self._ended_sessions: _Lru[str] = _Lru(10 * CACHE_ENTRIES)
        self._tenants: _Lru[pb.Tenant] = _Lru(CACHE_ENTRIES)
        self._changed_tenants: _Lru[str] = _Lru(10 * CACHE_ENTRIES)
        self._users: _Lru[pb.User] = _Lru(CACHE_ENTRIES)
        self._changed_users: _Lru[str] = _Lru(10 * CACHE_ENTRIES)
        self._last_word = -STALE_SECONDS

    async def authenticate(self, authorization: str | None, api_key: str | None, request_id: str) -> Caller:
        """The caller behind the two headers. Unauthenticated, or TenantSuspended; Unavailable if a key needs a lookup
        that cannot be made.
        """
        credential = _credential(authorization, api_key)
        name = hashlib.sha256(credential.encode()).digest()
        verdict = self._verdicts.get(name)
        if verdict is not None and verdict.until > self._clock() and self._usable(verdict.caller):
            return verdict.caller
        if credential.startswith("aisp_"):
            verdict = await self._verify_key(credential, request_id)
        else:
            verdict = self._verify_token(credential)
            verdict = replace(verdict, caller=await self._current(verdict.caller, request_id))
        self._verdicts.put(name, verdict)
        return verdict.caller

    def heard(self, message: pb.WatchChangesResponse) -> None:
        """Takes in a message of the stream of changes."""
        self._last_word = time.monotonic()
        if message.reset:
            self._verdicts.clear()
            self._tenants.clear()
            self._users.clear()
        for change in message.changes:
            self._forget(change)

    @property
    def fresh(self) -> bool:
        """Whether the stream of changes is alive, so that cached verdicts can be trusted."""
        return time.monotonic() - self._last_word < STALE_SECONDS

    def _forget(self, change: pb.Change) -> None:
        match change.subject:
            case pb.SUBJECT_API_KEY:
                self._verdicts.drop(lambda verdict: verdict.caller.key_id == change.id)
            case pb.SUBJECT_SESSION:
                self._ended_sessions.put(change.id, change.id)
                self._verdicts.drop(lambda verdict: verdict.caller.session_id == change.id)
            case pb.SUBJECT_USER:
                # As of a tenant: a JWT goes on telling of the old role.
                self._changed_users.put(change.id, change.id)
                self._users.drop(lambda user: user.id == change.id)
                self._verdicts.drop(lambda verdict: verdict.caller.user_id == change.id)
            case pb.SUBJECT_TENANT:
                # A JWT goes on telling of the old plan: from now on the tenant is asked for.
                self._changed_tenants.put(change.id, change.id)
                self._tenants.drop(lambda tenant: tenant.id == change.id)
                self._verdicts.drop(lambda verdict: verdict.caller.tenant_id == change.id)

    def _usable(self, caller: Caller) -> bool:
        # A session's token is verified here whatever happens to the auth service; a key's verdict is its word.
        return self.fresh or bool(caller.session_id)

    def _verify_token(self, token: str) -> _Verdict:
        rules = self._rules
        try:
            claims = jwt.decode(
                token,
                rules.secret,
                algorithms=["HS256"],
                issuer=rules.issuer,
                audience=rules.audience,
                leeway=rules.leeway_seconds,
                options={"require": ["exp", "nbf", "iat", "iss", "aud", "jti", "sid", "sub", "tid"]},
            )
        except jwt.ExpiredSignatureError as error:
            raise TokenExpired from error
        except (jwt.InvalidTokenError, ValueError) as error:
            raise BadToken from error
        if self._ended_sessions.get(claims["sid"]) is not None:
            raise BadToken("The session has ended; log in again.")
        caller = Caller(
            tenant_id=str(claims["tid"]),
            user_id=str(claims["sub"]),
            session_id=str(claims["sid"]),
            scopes=frozenset(str(claims.get("scopes", "")).split()),
            operator=claims.get("op") is True,
            plan=str(claims.get("plan", "free")),
            tenant_version=int(claims.get("tv", 0)),
        )
        return _Verdict(caller, float(claims["exp"]) + rules.leeway_seconds)

    async def _current(self, caller: Caller, request_id: str) -> Caller:
        """The caller with the present plan and role, where they changed after the token was made."""
        if self._changed_users.get(caller.user_id) is not None:
            caller = replace(caller, scopes=await self._present_scopes(caller, request_id))
        if self._changed_tenants.get(caller.tenant_id) is None:
            return caller
        tenant = self._tenants.get(caller.tenant_id)
        if tenant is None:
            asking = RequestContext(request_id, tenant_id=caller.tenant_id, user_id=caller.user_id)
            tenant = (await self._stub.GetTenant(pb.GetTenantRequest(), context=asking)).tenant
            self._tenants.put(caller.tenant_id, tenant)
        if tenant.status == pb.TENANT_STATUS_SUSPENDED:
            raise TenantSuspended
        return replace(caller, plan=tenant.plan, tenant_version=tenant.version)

    async def _present_scopes(self, caller: Caller, request_id: str) -> frozenset[str]:
        name = (caller.tenant_id, caller.user_id)
        user = self._users.get(name)
        if user is None:
            asking = RequestContext(request_id, tenant_id=caller.tenant_id, user_id=caller.user_id)
            try:
                user = (await self._stub.GetUser(pb.GetUserRequest(), context=asking)).user
            except NotFound as error:
                raise BadToken("You do not belong to this tenant any more.") from error
            self._users.put(name, user)
        return frozenset(user.scopes)

    async def _verify_key(self, key: str, request_id: str) -> _Verdict:
        if not _well_formed(key):
            raise BadApiKey
        asking = RequestContext(request_id)
        principal = (await self._stub.VerifyApiKey(pb.VerifyApiKeyRequest(secret=key), context=asking)).principal
        until = self._clock() + KEY_VERDICT_SECONDS
        if principal.HasField("expire_time"):
            until = min(until, principal.expire_time.seconds + principal.expire_time.nanos / 1e9)
        caller = Caller(
            tenant_id=principal.tenant.id,
            user_id=principal.user_id,
            key_id=principal.key_id,
            scopes=frozenset(principal.scopes),
            plan=principal.tenant.plan,
            tenant_version=principal.tenant.version,
            key_version=principal.key_version,
            key_limits=dict(principal.key_limits),
        )
        return _Verdict(caller, until)


class ChangeWatcher:
    """Keeps the stream of changes open, and tells the authenticator what comes."""

    def __init__(self, authenticator: Authenticator, stub: AuthStub) -> None:
        self._authenticator = authenticator
        self._stub = stub
        self._version = 0

    async def run(self) -> None:
        """Runs until cancelled."""
        failures = 0
        while True:
            try:
                async for message in self._stub.WatchChanges(
                    pb.WatchChangesRequest(since_version=self._version), context=RequestContext("watch-changes")
                ):
                    self._version = message.version
                    self._authenticator.heard(message)
                    failures = 0
            except PlatformError as error:
                if failures == 0:
                    log.warning("the stream of identity changes broke off", reason=error.reason)
            failures += 1
            await asyncio.sleep(RECONNECT_SECONDS[min(failures, len(RECONNECT_SECONDS)) - 1])


def _credential(authorization: str | None, api_key: str | None) -> str:
    bearer = ""
    if authorization:
        scheme, _, bearer = authorization.partition(" ")
        bearer = bearer.strip()
        if scheme.lower() != "bearer" or not bearer:
            raise MissingCredentials
    if bearer and api_key and not hmac.compare_digest(bearer.encode(), api_key.encode()):
        raise TwoCredentials(violations=[Violation("x-api-key", "differs from Authorization")])
    credential = bearer or api_key or ""
    if not credential:
        raise MissingCredentials
    if len(credential) > MAX_TOKEN_CHARACTERS or not credential.isascii():
        raise BadToken
    return credential


def _well_formed(key: str) -> bool:
    """Whether form and checksum (CRC-32 in base 62) are right: typing errors never reach the auth service."""
    match = _KEY.fullmatch(key)
    if match is None:
        return False
    number, digits = binascii.crc32(key[:-6].encode()), ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        digits = _ALPHABET[digit] + digits
    return digits == match[2]
