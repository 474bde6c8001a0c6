"""How often a gateway asks who is behind a key that it does not know: once, however many ask with it at once."""

import asyncio
from typing import Any, cast

import pytest
from aisp.auth.v1 import auth_service_pb2 as pb

from auth_service.policy.keys import checksum
from chassis.errors import Unauthenticated
from gateway.auth import Authenticator, CacheRules
from gateway.tokens import SharedSecret, TokenRules, TokenVerifier

pytestmark = pytest.mark.usefixtures("leaping")

TENANT, USER, KEY = "t", "u", "k"
BODY = "aisp_test_0123456789abcdef_" + "a" * 43
SECRET = BODY + checksum(BODY)
RULES = CacheRules(stale_seconds=60)


class Auth:
    """Counts lookups, and answers when it is told to."""

    def __init__(self) -> None:
        self.lookups = 0
        self.answering = asyncio.Event()
        self.known = True

    async def VerifyApiKey(self, _request: Any, **_: Any) -> pb.VerifyApiKeyResponse:  # noqa: N802  # as the RPC
        self.lookups += 1
        await self.answering.wait()
        if not self.known:
            raise Unauthenticated
        return pb.VerifyApiKeyResponse(principal=pb.Principal(tenant=pb.Tenant(id=TENANT), user_id=USER, key_id=KEY))


async def asked(auth: Auth, gateway: Authenticator, count: int) -> list[asyncio.Task[Any]]:
    """So many calls with the key, all of them under way."""
    calls = [asyncio.create_task(gateway.authenticate(None, SECRET, "r")) for _ in range(count)]
    while not auth.lookups:
        await asyncio.sleep(0)
    await asyncio.sleep(0.01)
    return calls


def gateway_of(auth: Auth, *, hearing: bool = True) -> Authenticator:
    gateway = Authenticator(TokenVerifier(SharedSecret(b"s" * 40), TokenRules("aisp", "aisp")), cast(Any, auth), RULES)
    if hearing:
        gateway.heard(pb.WatchChangesResponse(version=1))
    return gateway


async def test_a_thousand_first_calls_of_a_key_are_one_lookup() -> None:
    auth = Auth()
    calls = await asked(auth, gateway_of(auth), 1000)
    calls[0].cancel()
    auth.answering.set()
    callers = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(callers[0], asyncio.CancelledError)
    assert {caller.key_id for caller in callers[1:]} == {KEY}  # type: ignore[union-attr]
    assert auth.lookups == 1


async def test_all_of_them_are_refused_by_one_and_the_next_is_looked_up_anew() -> None:
    auth = Auth()
    auth.known = False
    gateway = gateway_of(auth)
    calls = await asked(auth, gateway, 100)
    auth.answering.set()
    refused = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(refusal, Unauthenticated) for refusal in refused)
    assert auth.lookups == 1
    auth.known = True
    assert (await gateway.authenticate(None, SECRET, "r")).key_id == KEY


async def test_who_comes_after_a_change_was_heard_does_not_share_what_was_asked_before() -> None:
    auth = Auth()
    gateway = gateway_of(auth)
    before = await asked(auth, gateway, 10)
    gateway.heard(pb.WatchChangesResponse(version=2, changes=[pb.Change(subject=pb.SUBJECT_API_KEY, id=KEY)]))
    after = await asked(auth, gateway, 10)
    assert auth.lookups == 2
    auth.answering.set()
    await asyncio.gather(*before, *after)


async def test_who_cannot_hear_of_changes_asks_for_himself() -> None:
    auth = Auth()
    calls = await asked(auth, gateway_of(auth, hearing=False), 5)
    assert auth.lookups == 5
    auth.answering.set()
    await asyncio.gather(*calls)
