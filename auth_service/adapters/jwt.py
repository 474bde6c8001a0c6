"""TokenSigner with PyJWT: HS256 over the secret's own bytes, or EdDSA with key pairs that rotate.

The gateway verifies what this signs, with one algorithm and never two.
"""

import time
from collections.abc import Callable, Sequence
from typing import Protocol
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from auth_service.domain.errors import SigningKeysUnavailable
from auth_service.domain.sessions import Claims
from auth_service.domain.signing import SigningKey


class Keys(Protocol):
    """What tokens are signed with."""

    algorithm: str

    def current(self, now: float) -> tuple[str, bytes | Ed25519PrivateKey]:
        """The key's id, and the key."""


class SharedSecret:
    """HS256: one key, which the gateway has too."""

    algorithm = "HS256"

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def current(self, now: float) -> tuple[str, bytes | Ed25519PrivateKey]:
        del now
        return "hs256-1", self._secret


class Ed25519Pairs:
    """EdDSA: the newest of the pairs that are active. (RFC 9864 calls it Ed25519; PyJWT knows the older name.)"""

    algorithm = "EdDSA"

    def __init__(self) -> None:
        self._pairs: list[tuple[float, str, Ed25519PrivateKey]] = []

    def new(self) -> tuple[bytes, bytes]:
        """The private and the public half of a fresh pair, 32 bytes each."""
        private = Ed25519PrivateKey.generate()
        return private.private_bytes_raw(), private.public_key().public_bytes_raw()

    def load(self, keys: Sequence[tuple[SigningKey, bytes]]) -> None:
        """From now on these are all there are."""
        made = [(key.active_at.timestamp(), key.id, Ed25519PrivateKey.from_private_bytes(raw)) for key, raw in keys]
        self._pairs = sorted(made, key=lambda pair: pair[:2], reverse=True)

    def current(self, now: float) -> tuple[str, bytes | Ed25519PrivateKey]:
        for active_at, key_id, private in self._pairs:
            if active_at <= now:
                return key_id, private
        raise SigningKeysUnavailable(retry_after=1)


class JwtSigner:
    """Signs access tokens."""

    def __init__(
        self, keys: Keys, *, issuer: str, audience: str, seconds: int, clock: Callable[[], float] = time.time
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._seconds = seconds
        self._clock = clock

    def sign(self, claims: Claims) -> tuple[str, int]:
        now = int(self._clock())
        payload: dict[str, object] = {
            "iss": self._issuer,
            "aud": self._audience,
            "iat": now,
            "nbf": now,
            "exp": now + self._seconds,
            "jti": uuid4().hex,
            "sid": claims.session_id,
            "sub": claims.user.id,
            "tid": claims.tenant.id,
            "role": claims.user.role,
            "scopes": " ".join(claims.scopes),
            "plan": claims.tenant.plan,
            "tv": claims.tenant.version,
        }
        if claims.user.operator:
            payload["op"] = True
        key_id, key = self._keys.current(self._clock())
        header = {"kid": key_id, "typ": "at+jwt"}
        return jwt.encode(payload, key, self._keys.algorithm, headers=header), self._seconds
