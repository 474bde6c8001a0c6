"""ForeignTokens with PyJWT: keys over the guarded client, RFC 8725 and OpenID Connect's rules for ID tokens.

Only asymmetric algorithms, and the one that the key is for: a token cannot choose, and no key does two jobs.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import jwt
import orjson

from auth_service.domain.errors import BadAssertion, IssuerUnavailable
from auth_service.domain.issuers import Issuer
from chassis.errors import PlatformError
from chassis.outbound import Outbound

ALGORITHMS = frozenset(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"))
MAX_TOKEN_CHARACTERS = 16_384
MAX_KEYS = 100
MAX_ISSUERS = 1000
LEAST_SECONDS = 10.0
"""Between two look-ups of one issuer's keys, however many tokens name a key that it does not have."""


@dataclass(frozen=True, slots=True)
class _Keys:
    by_id: Mapping[str, jwt.PyJWK]
    at: float


class OidcTokens:
    """Keeps keys for a while; asks again when a token names one that is not known."""

    def __init__(
        self,
        outbound: Outbound,
        *,
        keys_seconds: float,
        leeway_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._outbound = outbound
        self._keys_seconds = keys_seconds
        self._leeway = leeway_seconds
        self._clock = clock
        self._keys: OrderedDict[tuple[str, str], _Keys] = OrderedDict()
        self._locks: OrderedDict[tuple[str, str], asyncio.Lock] = OrderedDict()

    def addressee(self, token: str) -> tuple[str, tuple[str, ...]]:
        if len(token) > MAX_TOKEN_CHARACTERS:
            raise BadAssertion
        try:
            claims = jwt.decode(token, options={"verify_signature": False})
        except (jwt.InvalidTokenError, ValueError, RecursionError) as error:
            raise BadAssertion from error
        issuer, audience = claims.get("iss"), claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        if not isinstance(issuer, str):
            raise BadAssertion
        return issuer, tuple(one for one in audiences if isinstance(one, str))

    async def verify(self, token: str, issuer: Issuer) -> Mapping[str, object]:
        try:
            header = jwt.get_unverified_header(token)
        except jwt.InvalidTokenError as error:
            raise BadAssertion from error
        algorithm, key_id = header.get("alg"), header.get("kid", "")
        if algorithm not in ALGORITHMS or not isinstance(key_id, str):
            raise BadAssertion
        key = await self._key(issuer, key_id)
        if key is None or key.algorithm_name != algorithm:
            raise BadAssertion
        try:
            claims: dict[str, object] = jwt.decode(
                token,
                key.key,
                algorithms=[algorithm],
                issuer=issuer.issuer,
                audience=issuer.audience,
                leeway=self._leeway,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )
        except (jwt.InvalidTokenError, ValueError, TypeError) as error:
            raise BadAssertion from error
        # Of several audiences the one that asked for the token is named apart, and must be ours.
        if claims.get("azp", issuer.audience) != issuer.audience:
            raise BadAssertion
        return claims

    async def _key(self, issuer: Issuer, key_id: str) -> jwt.PyJWK | None:
        """The key of this id; the only one there is, for a token that names none."""
        name = (issuer.issuer, issuer.jwks_url)
        async with self._locks.setdefault(name, asyncio.Lock()):
            known = self._keys.get(name)
            now = self._clock()
            missing = known is None or (key_id and key_id not in known.by_id)
            age = now - known.at if known else float("inf")
            if age > self._keys_seconds or (missing and age > LEAST_SECONDS):
                try:
                    known = self._keys[name] = _Keys(await self._fetch(issuer), now)
                except PlatformError:
                    if known is None:
                        raise
            self._keys.move_to_end(name)
            while len(self._keys) > MAX_ISSUERS:
                gone, _ = self._keys.popitem(last=False)
                self._locks.pop(gone, None)
        assert known is not None, "fetched, or raised"
        if not key_id:
            return next(iter(known.by_id.values())) if len(known.by_id) == 1 else None
        return known.by_id.get(key_id)

    async def _fetch(self, issuer: Issuer) -> dict[str, jwt.PyJWK]:
        url = issuer.jwks_url
        if not url:
            found = await self._json(f"{issuer.issuer.rstrip('/')}/.well-known/openid-configuration")
            if found.get("issuer") != issuer.issuer or not isinstance(found.get("jwks_uri"), str):
                raise IssuerUnavailable("The issuer's discovery document is not that of this issuer.")
            url = str(found["jwks_uri"])
        rows = (await self._json(url)).get("keys")
        if not isinstance(rows, list) or len(rows) > MAX_KEYS:
            raise IssuerUnavailable("The issuer's keys cannot be read.")
        keys = {}
        for row in rows:
            # Keys for encryption, symmetric ones and kinds that we do not know are not ours to use.
            if not isinstance(row, dict) or row.get("use", "sig") != "sig" or row.get("kty") == "oct":
                continue
            try:
                key = jwt.PyJWK(row)
            except (jwt.PyJWTError, ValueError, TypeError):
                continue
            if key.algorithm_name in ALGORITHMS:
                keys[str(row.get("kid", ""))] = key
        return keys

    async def _json(self, url: str) -> dict[str, object]:
        try:
            answer = await self._outbound.request("GET", url, headers={"Accept": "application/json"})
        except PlatformError as error:
            raise IssuerUnavailable from error
        try:
            document = orjson.loads(answer.body) if answer.status == 200 else None
        except orjson.JSONDecodeError as error:
            raise IssuerUnavailable from error
        if not isinstance(document, dict):
            raise IssuerUnavailable
        return document
