"""Who calls: turns credentials into a Caller. JWTs are verified here, API keys by one lookup; verdicts are cached.

The auth service streams what changes (a heartbeat four times a second); a change makes the gateway forget at once, and
a token that is older than a change of its user or tenant is asked about once. While the stream is silent, nothing that
is cached is believed: every call is asked about. If the auth service is away, keys are refused (503), and tokens
are good until they expire. It owns no rights beyond that: which scope a route needs is the route's.
"""

import asyncio
import binascii
import hashlib
import hmac
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any, Protocol

import structlog
from aisp.auth.v1 import auth_service_pb2 as pb

from chassis.context import RequestContext
from chassis.errors import (
    Code,
    InvalidArgument,
    PermissionDenied,
    PlatformError,
    Unauthenticated,
    Violation,
)
from gateway.tokens import BadToken, TokenVerifier
from gateway.verdicts import Caller, Marks, Verdict, Verdicts

log = structlog.get_logger()

MAX_TOKEN_CHARACTERS = 4096
RECONNECT_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0)
MUTE_SECONDS = 1.0
"""An auth service that could not be asked about a token is not asked again for so long."""
MARKS_PER_ENTRY = 10
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_KEY = re.compile(r"aisp_(?:live|test)_([0-9A-Za-z]{16})_[0-9A-Za-z]{43}([0-9A-Za-z]{6})")
_AWAY = frozenset((Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED))


class MissingCredentials(Unauthenticated):
    reason = "MISSING_CREDENTIALS"
    message = "Send `Authorization: Bearer <token or API key>` (or `x-api-key: <API key>`)."


class BadApiKey(Unauthenticated):
    reason = "BAD_API_KEY"
    message = "The API key is not valid."


class TwoCredentials(InvalidArgument):
    reason = "TWO_CREDENTIALS"
    message = "Authorization and x-api-key carry different credentials; send one."


class TenantSuspended(PermissionDenied):
    reason = "TENANT_SUSPENDED"
    message = "This tenant is suspended."


class AuthStub(Protocol):
    """What is used of the generated stub."""

    VerifyApiKey: Callable[..., Any]
    VerifySession: Callable[..., Any]
    WatchChanges: Callable[..., Any]


@dataclass(frozen=True, slots=True)
class CacheRules:
    """How long what the auth service said is believed, and how much of it is kept."""

    stale_seconds: float = 0.8
    entries: int = 10_000
    key_seconds: float = 60.0
    lookup_seconds: float = 2.0
    leeway_seconds: float = 5.0


class Authenticator:
    """Verifies credentials; knows what was revoked."""

    def __init__(
        self,
        tokens: TokenVerifier,
        stub: AuthStub,
        rules: CacheRules = CacheRules(),  # frozen
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.tokens = tokens
        self._stub = stub
        self._rules = rules
        self._clock = clock
        self._verdicts = Verdicts(rules.entries)
        self._ended = Marks(MARKS_PER_ENTRY * rules.entries)
        self._changed = Marks(MARKS_PER_ENTRY * rules.entries)
        self._blind_until = 0.0
        self._heard = 0
        self._verifying: dict[tuple[bytes, int], asyncio.Task[Verdict]] = {}
        self._last_word = float("-inf")
        self._muted_until = 0.0

    async def authenticate(
        self, authorization: str | None, api_key: str | None, request_id: str, address: str = ""
    ) -> Caller:
        """The caller behind the two headers. Unauthenticated, TenantSuspended, AddressNotAllowed; Unavailable if a key
        needs a lookup that cannot be made.
        """
        credential = _credential(authorization, api_key)
        name = hashlib.sha256(credential.encode()).digest()
        verdict = self._verdicts.get(name) if self.fresh else None
        if verdict is None or verdict.until <= self._clock():
            verdict = await self._verify_once(name, credential, request_id)
        verdict.caller.require_address(address)
        return verdict.caller

    async def _verify_once(self, name: bytes, credential: str, request_id: str) -> Verdict:
        """A thousand first calls with one key are one lookup; who comes after something was heard makes another, who
        cannot hear makes his own.
        """
        if not self.fresh:
            return await self._verify(name, credential, request_id)
        wanted = (name, self._heard)
        task = self._verifying.get(wanted)
        if task is None:
            task = asyncio.create_task(self._verify(name, credential, request_id))
            self._verifying[wanted] = task
            task.add_done_callback(lambda done: self._verified(wanted, done))
        # Whose client leaves takes nobody else's verdict along.
        return await asyncio.shield(task)

    def _verified(self, wanted: tuple[bytes, int], done: "asyncio.Task[Verdict]") -> None:
        del self._verifying[wanted]
        if not done.cancelled():
            done.exception()  # told to who waits, if anybody still does

    async def _verify(self, name: bytes, credential: str, request_id: str) -> Verdict:
        heard = self._heard
        if credential.startswith("aisp_"):
            verdict, certain = await self._verify_key(credential, request_id), True
        else:
            verdict, certain = await self._verify_token(credential, request_id)
        # What was heard meanwhile may have been about this very verdict.
        if certain and heard == self._heard:
            self._verdicts.put(name, verdict)
        return verdict

    def heard(self, message: pb.WatchChangesResponse) -> None:
        """Takes in a message of the stream of changes."""
        self._last_word = time.monotonic()
        if message.reset:
            # Whatever was made until now may have ended without a word.
            self._heard += 1
            self._blind_until = self._clock()
            self._verdicts.clear()
            self.tokens.keys.forget()
        for change in message.changes:
            self._heard += 1
            self._forget(change)

    @property
    def fresh(self) -> bool:
        """Whether the stream of changes is alive, so that cached verdicts can be trusted."""
        return time.monotonic() - self._last_word < self._rules.stale_seconds

    def _forget(self, change: pb.Change) -> None:
        if change.subject == pb.SUBJECT_SIGNING_KEYS:
            self.tokens.keys.forget()
            self._verdicts.clear()
            return
        if change.subject == pb.SUBJECT_SESSION:
            self._ended.set(change.id, self._clock())
        elif change.subject in (pb.SUBJECT_TENANT, pb.SUBJECT_USER):
            # A JWT goes on telling of the old plan or role: those made before are asked about.
            self._changed.set(change.id, self._clock())
        self._verdicts.forget(change.id)

    async def _verify_token(self, token: str, request_id: str) -> tuple[Verdict, bool]:
        """The verdict, and whether it holds until something else is heard."""
        claims = await self.tokens.verify(token)
        if self._ended.get(claims["sid"]):
            raise BadToken("The session has ended; log in again.")
        caller, certain = _caller_of(claims), True
        if self._may_be_past(claims):
            present = await self._ask(caller, request_id)
            caller, certain = present or caller, present is not None
        return Verdict(caller, float(claims["exp"]) + self._rules.leeway_seconds), certain

    def _may_be_past(self, claims: Mapping[str, Any]) -> bool:
        """Whether something that the token tells of could have changed since it was made."""
        marks = (self._blind_until, self._ended.lost, self._changed.lost)
        newest = max(*marks, self._changed.get(claims["tid"]), self._changed.get(claims["sub"]))
        return not self.fresh or claims["iat"] <= newest + self._rules.leeway_seconds + 1

    async def _ask(self, caller: Caller, request_id: str) -> Caller | None:
        """The caller as they are now; None if the auth service is away, which must not log anybody out."""
        if time.monotonic() < self._muted_until:
            return None
        asking = RequestContext(
            request_id, tenant_id=caller.tenant_id, user_id=caller.user_id, session_id=caller.session_id
        )
        try:
            answer = await self._stub.VerifySession(
                pb.VerifySessionRequest(), context=asking, timeout=self._rules.lookup_seconds
            )
        except PlatformError as error:
            if error.code not in _AWAY:
                raise
            self._muted_until = time.monotonic() + MUTE_SECONDS
            return None
        principal = answer.principal
        return Caller(
            tenant_id=principal.tenant.id,
            user_id=principal.user_id,
            session_id=caller.session_id,
            scopes=frozenset(principal.scopes),
            operator=principal.operator,
            plan=principal.tenant.plan,
            tenant_version=principal.tenant.version,
        )

    async def _verify_key(self, key: str, request_id: str) -> Verdict:
        if not _well_formed(key):
            raise BadApiKey
        asking = RequestContext(request_id)
        request = pb.VerifyApiKeyRequest(secret=key)
        principal = (await self._stub.VerifyApiKey(request, context=asking)).principal
        until = self._clock() + self._rules.key_seconds
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
            models=frozenset(principal.models),
            networks=tuple(ip_network(network) for network in principal.networks),
            answer_cache_seconds=principal.answer_cache_seconds,
        )
        return Verdict(caller, until)


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


def _caller_of(claims: Mapping[str, Any]) -> Caller:
    return Caller(
        tenant_id=claims["tid"],
        user_id=claims["sub"],
        session_id=claims["sid"],
        scopes=frozenset(str(claims.get("scopes", "")).split()),
        operator=claims.get("op") is True,
        plan=str(claims.get("plan", "free")),
        tenant_version=int(claims.get("tv", 0)),
    )


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
