"""Access tokens: verified here, by RFC 8725. One algorithm, which the settings say and no token; no other is accepted.

A header has exactly `alg`, `typ` and `kid`: whatever else it might hold (jwk, jku, x5u, crit) is refused unread.
Owns the keys that verify them, and tells of them (JWKS). Whether a session was ended is not its business.
"""

import asyncio
import base64
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import jwt
import orjson
import structlog
from aisp.auth.v1 import signing_pb2 as pb
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from chassis.context import RequestContext
from chassis.errors import PlatformError, Unauthenticated, Unavailable

log = structlog.get_logger()

TYPE = "at+jwt"
SHARED_KEY_ID = "hs256-1"
REQUIRED = ("exp", "nbf", "iat", "iss", "aud", "jti", "sid", "sub", "tid")
TEXTS = ("iss", "aud", "jti", "sid", "sub", "tid")
TIMES = ("exp", "nbf", "iat")
FETCH_SECONDS = 1.0
"""Keys that are not known are asked for at most so often, whatever tokens come."""
_PARTS = re.compile(r"[A-Za-z0-9_-]{1,512}\.[A-Za-z0-9_-]{1,4096}\.[A-Za-z0-9_-]{1,256}")


class BadToken(Unauthenticated):
    reason = "BAD_TOKEN"
    message = "The API key or access token is not valid."


class TokenExpired(Unauthenticated):
    reason = "TOKEN_EXPIRED"
    message = "The access token has expired; get a new one with your refresh token."


class TokenKeysUnavailable(Unavailable):
    reason = "TOKEN_KEYS_UNAVAILABLE"
    message = "Access tokens cannot be verified at the moment; try again soon."


@dataclass(frozen=True, slots=True)
class TokenRules:
    """What an access token must say."""

    issuer: str
    audience: str
    leeway_seconds: float = 5.0


Key = bytes | Ed25519PublicKey


class TokenKeys(Protocol):
    """Where keys are found. Each source has one algorithm."""

    algorithm: str

    async def find(self, key_id: str) -> Key | None:
        """The key of that id, or None. TokenKeysUnavailable if that cannot be told."""

    def forget(self) -> None:
        """Something changed: look again before a key is trusted."""

    async def published(self) -> list[dict[str, str]]:
        """The public keys, as JWKs."""


class SharedSecret:
    """HS256: the secret's own bytes. There is nothing to publish."""

    algorithm = "HS256"

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    async def find(self, key_id: str) -> Key | None:
        return self._secret if key_id == SHARED_KEY_ID else None

    def forget(self) -> None:
        """The secret is a setting."""

    async def published(self) -> list[dict[str, str]]:
        return []


class SigningKeysStub(Protocol):
    """What is used of the generated stub."""

    ListSigningKeys: Callable[..., Any]


class PublishedKeys:
    """EdDSA: the public keys that the auth service tells of; they are kept while it is away."""

    algorithm = "EdDSA"

    def __init__(self, stub: SigningKeysStub, clock: Callable[[], float] = time.time) -> None:
        self._stub = stub
        self._clock = clock
        self._keys: dict[str, tuple[Ed25519PublicKey, float, bytes]] | None = None
        self._stale = True
        self._asked = -FETCH_SECONDS
        self._one = asyncio.Lock()

    async def find(self, key_id: str) -> Key | None:
        if self._stale or self._keys is None or key_id not in self._keys:
            await self._fetch(unknown=key_id)
        found = (self._keys or {}).get(key_id)
        return found[0] if found is not None and found[1] > self._clock() else None

    def forget(self) -> None:
        self._stale = True

    async def published(self) -> list[dict[str, str]]:
        if self._stale or self._keys is None:
            await self._fetch()
        now = self._clock()
        return [
            {"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": key_id, "x": _base64url(raw)}
            for key_id, (_, retires_at, raw) in (self._keys or {}).items()
            if retires_at > now
        ]

    async def _fetch(self, unknown: str = "") -> None:
        async with self._one:
            known = self._keys is not None and (not unknown or unknown in self._keys)
            if known and not self._stale:
                return
            # Tokens with invented key ids must not become calls.
            if not self._stale and time.monotonic() - self._asked < FETCH_SECONDS:
                return
            self._asked, self._stale = time.monotonic(), False
            try:
                answer = await self._stub.ListSigningKeys(
                    pb.ListSigningKeysRequest(), context=RequestContext("signing-keys")
                )
            except PlatformError as error:
                self._stale = True
                if not known:
                    raise TokenKeysUnavailable(retry_after=1) from error
                log.warning("signing keys could not be asked for; those that are known go on", reason=error.reason)
                return
            self._keys = {key.id: _read(key) for key in answer.keys}


class TokenVerifier:
    """Verifies access tokens."""

    def __init__(self, keys: TokenKeys, rules: TokenRules) -> None:
        self.keys = keys
        self._rules = rules

    async def verify(self, token: str) -> Mapping[str, Any]:
        """The claims. BadToken for whatever is wrong, TokenExpired; TokenKeysUnavailable."""
        if not _PARTS.fullmatch(token):
            raise BadToken
        key = await self.keys.find(self._key_id(token))
        if key is None:
            raise BadToken
        rules = self._rules
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[self.keys.algorithm],
                issuer=rules.issuer,
                audience=rules.audience,
                leeway=rules.leeway_seconds,
                options={"require": list(REQUIRED), "strict_aud": True},
            )
        except jwt.ExpiredSignatureError as error:
            raise TokenExpired from error
        except (jwt.InvalidTokenError, ValueError, TypeError, RecursionError) as error:
            raise BadToken from error
        # PyJWT takes numbers in text for times, and any text for an id.
        if not all(type(claims[name]) is int for name in TIMES):
            raise BadToken
        if not all(isinstance(claims[name], str) and 0 < len(claims[name]) <= 255 for name in TEXTS):
            raise BadToken
        return claims

    def _key_id(self, token: str) -> str:
        head = token.partition(".")[0]
        try:
            header = orjson.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
        except ValueError as error:
            raise BadToken from error
        if not isinstance(header, dict) or header.keys() != {"alg", "typ", "kid"}:
            raise BadToken
        key_id = header["kid"]
        if header["alg"] != self.keys.algorithm or header["typ"] != TYPE or not isinstance(key_id, str):
            raise BadToken
        return key_id


def _read(key: pb.SigningKey) -> tuple[Ed25519PublicKey, float, bytes]:
    retires = key.retire_time
    until = retires.seconds + retires.nanos / 1e9 if key.HasField("retire_time") else float("inf")
    return Ed25519PublicKey.from_public_bytes(key.public_key), until, key.public_key


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
