"""What verifying a credential costs the gateway, beside PyJWT alone, in one run."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast

import jwt
from aisp.auth.v1 import auth_service_pb2 as pb

from gateway.auth import Authenticator
from gateway.tokens import SharedSecret, TokenRules, TokenVerifier

SECRET = b"s" * 40
ROUNDS = 3000


class Auth:
    """Answers one lookup; more would be seen."""

    def __init__(self) -> None:
        self.lookups = 0

    async def VerifyApiKey(self, _request: Any, **_: Any) -> pb.VerifyApiKeyResponse:  # noqa: N802  # as the RPC
        self.lookups += 1
        return pb.VerifyApiKeyResponse(principal=pb.Principal(tenant=pb.Tenant(id="t"), user_id="u", key_id="k"))


def token() -> str:
    now = int(time.time())
    told = {"iss": "aisp", "aud": "aisp", "iat": now, "nbf": now, "exp": now + 900, "jti": "j", "sid": "s"}
    header = {"typ": "at+jwt", "kid": "hs256-1"}
    return jwt.encode(told | {"sub": "u", "tid": "t", "scopes": "inference"}, SECRET, "HS256", headers=header)


async def cost(call: Callable[[], Awaitable[object]]) -> float:
    """Seconds of CPU that one takes, the best of three."""
    best = float("inf")
    for _ in range(3):
        began = time.process_time()
        for _ in range(ROUNDS):
            await call()
        best = min(best, (time.process_time() - began) / ROUNDS)
    return best


async def test_a_warm_credential_costs_a_fraction_of_pyjwt() -> None:
    stub = Auth()
    gateway = Authenticator(TokenVerifier(SharedSecret(SECRET), TokenRules("aisp", "aisp")), cast(Any, stub))
    bearer, key = token(), "aisp_test_0123456789abcdef_" + "a" * 43
    from auth_service.policy.keys import checksum

    key += checksum(key)

    async def alone() -> object:
        return jwt.decode(bearer, SECRET, algorithms=["HS256"], issuer="aisp", audience="aisp")

    async def warm_token() -> object:
        return await gateway.authenticate(f"Bearer {bearer}", None, "r")

    async def warm_key() -> object:
        return await gateway.authenticate(None, key, "r")

    # The stream says: some time ago something changed, and since then nothing.
    beating = asyncio.create_task(_beat(gateway))
    gateway.heard(pb.WatchChangesResponse(version=1))
    try:
        pyjwt = await cost(alone)
        gateway.heard(pb.WatchChangesResponse(version=1))
        by_token = await _warm(gateway, warm_token)
        by_key = await _warm(gateway, warm_key)
    finally:
        beating.cancel()
    figures = f"PyJWT {pyjwt * 1e6:.1f} us, warm token {by_token * 1e6:.1f} us, warm key {by_key * 1e6:.1f} us"
    print(figures)  # figures
    assert stub.lookups == 1, "a warm key was looked up"
    assert max(by_token, by_key) < pyjwt / 2, figures


async def _warm(gateway: Authenticator, call: Callable[[], Awaitable[object]]) -> float:
    async def beside_heartbeats() -> object:
        gateway.heard(pb.WatchChangesResponse(version=1))
        return await call()

    return await cost(beside_heartbeats)


async def _beat(gateway: Authenticator) -> None:
    while True:
        gateway.heard(pb.WatchChangesResponse(version=1))
        await asyncio.sleep(0.1)
