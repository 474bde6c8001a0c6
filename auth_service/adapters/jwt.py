"""TokenSigner with PyJWT: HS256 over the secret's own bytes. The gateway verifies what this signs."""

import time
from collections.abc import Callable
from uuid import uuid4

import jwt

from auth_service.domain.sessions import Claims

KEY_ID = "hs256-1"
ALGORITHM = "HS256"


class JwtSigner:
    """Signs access tokens."""

    def __init__(
        self, secret: str, *, issuer: str, audience: str, seconds: int, clock: Callable[[], float] = time.time
    ) -> None:
        self._secret = secret.encode()
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
        header = {"kid": KEY_ID, "typ": "at+jwt"}
        return jwt.encode(payload, self._secret, ALGORITHM, headers=header), self._seconds
