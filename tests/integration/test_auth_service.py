"""The auth service behind a real wire, on the real database."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from uuid import uuid4

import jwt
import pytest
from aisp.auth.v1 import auth_service_pb2 as pb
from aisp.auth.v1.auth_service_pb2_grpc import AuthServiceStub
from pydantic import SecretStr

from auth_service.app import compose
from auth_service.settings import AuthSection, JwtSettings, Settings
from chassis.context import RequestContext
from chassis.errors import AlreadyExists, InvalidArgument, NotFound, PermissionDenied, Unauthenticated
from chassis.settings import DatabaseSettings, WireSettings
from gateway.auth import Authenticator, ChangeWatcher
from gateway.tokens import SharedSecret, TokenRules, TokenVerifier
from tests.integration.conftest import ROOT, Clock, Serve
from tests.promptness import PROMPT

SECRET = "s" * 40
ANYBODY = RequestContext("r-1")


@pytest.fixture
async def stub(
    migrated: Callable[[str], DatabaseSettings], serve: Serve, clock: Clock
) -> AsyncIterator[AuthServiceStub]:
    settings = Settings(
        database=migrated("auth_service"),
        jwt=JwtSettings(secret_key=SecretStr(SECRET)),
        wire=WireSettings(secret=SecretStr(ROOT.decode())),
    )
    async with serve("auth_service", settings, compose) as channel:
        yield AuthServiceStub(channel)


def address() -> str:
    return f"Ada.{uuid4().hex}@Example.com"


async def register(stub: AuthServiceStub, email: str | None = None) -> tuple[pb.RegisterResponse, RequestContext]:
    request = pb.RegisterRequest(email=email or address(), password="correct horse", full_name="Ada")
    made = await stub.Register(request, context=ANYBODY)
    scopes = ("inference", "documents:read", "documents:write", "usage:read", "keys:manage", "tenant:manage")
    session_id = jwt.decode(made.tokens.access_token, options={"verify_signature": False})["sid"]
    return made, RequestContext(
        "r-2", tenant_id=made.tenant.id, user_id=made.user.id, scopes=scopes, session_id=session_id
    )


def authenticator(stub: AuthServiceStub) -> Authenticator:
    return Authenticator(TokenVerifier(SharedSecret(SECRET.encode()), TokenRules("aisp", "aisp")), stub)


async def test_registration_gives_a_tenant_its_owner_and_a_token_that_the_gateway_verifies(
    stub: AuthServiceStub,
) -> None:
    made, _ = await register(stub)
    caller = await authenticator(stub).authenticate(f"Bearer {made.tokens.access_token}", None, "r")
    assert made.tenant.plan == "free"
    assert made.user.role == "owner"
    assert made.user.email == made.user.email.lower()
    assert (caller.tenant_id, caller.user_id, caller.plan) == (made.tenant.id, made.user.id, "free")
    assert "keys:manage" in caller.scopes


async def test_an_address_is_taken_once_whatever_its_case(stub: AuthServiceStub) -> None:
    email = address()
    await register(stub, email)
    with pytest.raises(AlreadyExists) as caught:
        await register(stub, email.upper())
    assert caught.value.reason == "EMAIL_TAKEN"


@pytest.mark.parametrize("password", ["short", "12345678", "aaaaaaaaaa", "x" * 129])
async def test_weak_passwords_are_refused(stub: AuthServiceStub, password: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await stub.Register(pb.RegisterRequest(email=address(), password=password), context=ANYBODY)
    assert caught.value.reason == "WEAK_PASSWORD"
    assert caught.value.violations[0].field == "password"


async def test_log_in_needs_the_password_and_tells_nothing_apart(stub: AuthServiceStub) -> None:
    email = address()
    await register(stub, email)
    good = pb.PasswordGrant(email=email.upper(), password="correct horse")
    assert (await stub.IssueToken(pb.IssueTokenRequest(password=good), context=ANYBODY)).tokens.access_token
    messages = set()
    for bad in (
        pb.PasswordGrant(email=email, password="wrong horse"),
        pb.PasswordGrant(email="no@no.no", password="x"),
    ):
        with pytest.raises(Unauthenticated) as caught:
            await stub.IssueToken(pb.IssueTokenRequest(password=bad), context=ANYBODY)
        messages.add((caught.value.reason, caught.value.message))
    assert len(messages) == 1


async def test_a_refresh_token_is_used_once_with_grace_and_reuse_ends_the_family(
    stub: AuthServiceStub, clock: Clock
) -> None:
    made, _ = await register(stub)

    async def refresh(token: str) -> pb.TokenPair:
        answer: pb.IssueTokenResponse = await stub.IssueToken(
            pb.IssueTokenRequest(refresh_token=token), context=ANYBODY
        )
        return answer.tokens

    first = await refresh(made.tokens.refresh_token)
    again = await refresh(made.tokens.refresh_token)
    assert first.refresh_token == again.refresh_token != made.tokens.refresh_token
    second = await refresh(first.refresh_token)
    clock.ahead += timedelta(seconds=AuthSection().refresh_grace_seconds + 1)
    for token in (made.tokens.refresh_token, second.refresh_token):
        with pytest.raises(Unauthenticated):
            await refresh(token)


async def test_a_key_works_until_it_is_revoked_and_nobody_else_sees_it(stub: AuthServiceStub) -> None:
    _, owner = await register(stub)
    _, stranger = await register(stub)
    request = pb.CreateApiKeyRequest(name="ci", scopes=["inference"], limits={"requests_per_minute": 5})
    made = await stub.CreateApiKey(request, context=owner)
    caller = await authenticator(stub).authenticate(None, made.secret, "r")
    assert caller.scopes == {"inference"}
    assert (caller.key_version, caller.key_limits) == (1, {"requests_per_minute": 5})
    with pytest.raises(NotFound):
        await stub.GetApiKey(pb.GetApiKeyRequest(id=made.api_key.id), context=stranger)
    with pytest.raises(NotFound):
        await stub.RevokeApiKey(pb.RevokeApiKeyRequest(id=made.api_key.id), context=stranger)
    listed = await stub.ListApiKeys(pb.ListApiKeysRequest(), context=owner)
    assert [key.id for key in listed.api_keys] == [made.api_key.id]
    await stub.RevokeApiKey(pb.RevokeApiKeyRequest(id=made.api_key.id), context=owner)
    with pytest.raises(Unauthenticated):
        await stub.VerifyApiKey(pb.VerifyApiKeyRequest(secret=made.secret), context=ANYBODY)


async def test_a_key_never_gets_what_its_maker_lacks(stub: AuthServiceStub) -> None:
    _, owner = await register(stub)
    weak = owner._replace(scopes=("inference", "keys:manage"))
    with pytest.raises(PermissionDenied) as caught:
        await stub.CreateApiKey(pb.CreateApiKeyRequest(name="x", scopes=["tenant:manage"]), context=weak)
    assert caught.value.reason == "SCOPE_NOT_GRANTABLE"


async def test_rotation_overlaps_and_then_ends_the_old_key(stub: AuthServiceStub, clock: Clock) -> None:
    _, owner = await register(stub)
    old = await stub.CreateApiKey(pb.CreateApiKeyRequest(name="a"), context=owner)
    new = await stub.RotateApiKey(pb.RotateApiKeyRequest(id=old.api_key.id, overlap_seconds=60), context=owner)
    assert new.api_key.id != old.api_key.id
    assert list(new.api_key.scopes) == list(old.api_key.scopes)
    for secret in (old.secret, new.secret):
        await stub.VerifyApiKey(pb.VerifyApiKeyRequest(secret=secret), context=ANYBODY)
    clock.ahead += timedelta(seconds=61)
    with pytest.raises(Unauthenticated):
        await stub.VerifyApiKey(pb.VerifyApiKeyRequest(secret=old.secret), context=ANYBODY)


async def test_keys_are_listed_page_by_page(stub: AuthServiceStub) -> None:
    _, owner = await register(stub)
    made = [await stub.CreateApiKey(pb.CreateApiKeyRequest(name=f"k{n}"), context=owner) for n in range(5)]
    seen: list[str] = []
    token = ""
    while True:
        page = await stub.ListApiKeys(pb.ListApiKeysRequest(page_size=2, page_token=token), context=owner)
        seen += [key.id for key in page.api_keys]
        token = page.next_page_token
        if not token:
            break
    assert seen == [key.api_key.id for key in reversed(made)]


async def test_a_gateway_learns_within_a_second_of_revoked_keys_sessions_and_plans(stub: AuthServiceStub) -> None:
    made, owner = await register(stub)
    key = await stub.CreateApiKey(pb.CreateApiKeyRequest(name="a"), context=owner)
    auth = authenticator(stub)
    watcher = asyncio.create_task(ChangeWatcher(auth, stub).run())
    bearer = f"Bearer {made.tokens.access_token}"
    try:
        while not auth.fresh:
            await asyncio.sleep(0.01)
        caller = await auth.authenticate(bearer, None, "r")
        await auth.authenticate(None, key.secret, "r")
        operator = RequestContext("op", tenant_id="t", operator=True)
        await stub.AdministerTenant(pb.AdministerTenantRequest(id=made.tenant.id, plan="pro"), context=operator)
        await stub.RevokeApiKey(pb.RevokeApiKeyRequest(id=key.api_key.id), context=owner)
        async with asyncio.timeout(PROMPT):
            while (await auth.authenticate(bearer, None, "r")).plan != "pro":
                await asyncio.sleep(0.01)
            await _refused(auth, None, key.secret)
        await stub.RevokeSession(pb.RevokeSessionRequest(), context=owner._replace(session_id=caller.session_id))
        async with asyncio.timeout(PROMPT):
            await _refused(auth, bearer, None)
    finally:
        watcher.cancel()


async def _refused(auth: Authenticator, bearer: str | None, key: str | None) -> None:
    """Waits until it is."""
    while True:
        try:
            await auth.authenticate(bearer, key, "r")
        except Unauthenticated:
            return
        await asyncio.sleep(0.01)


async def test_only_operators_administer_and_a_suspended_tenant_may_nothing(stub: AuthServiceStub) -> None:
    email = address()
    made, owner = await register(stub, email)
    key = await stub.CreateApiKey(pb.CreateApiKeyRequest(name="a"), context=owner)
    request = pb.AdministerTenantRequest(id=made.tenant.id, status=pb.TENANT_STATUS_SUSPENDED)
    with pytest.raises(PermissionDenied):
        await stub.AdministerTenant(request, context=owner)
    await stub.AdministerTenant(request, context=RequestContext("op", tenant_id="t", operator=True))
    with pytest.raises(PermissionDenied):
        await stub.VerifyApiKey(pb.VerifyApiKeyRequest(secret=key.secret), context=ANYBODY)
    grant = pb.PasswordGrant(email=email, password="correct horse")
    with pytest.raises(PermissionDenied):
        await stub.IssueToken(pb.IssueTokenRequest(password=grant), context=ANYBODY)


async def test_a_new_password_needs_the_old_one_and_ends_other_sessions(stub: AuthServiceStub) -> None:
    made, owner = await register(stub)
    grant = pb.PasswordGrant(email=made.user.email, password="correct horse")
    other = (await stub.IssueToken(pb.IssueTokenRequest(password=grant), context=ANYBODY)).tokens
    change = pb.UpdateUserRequest(password="battery staple", current_password="wrong horse")
    with pytest.raises(Unauthenticated):
        await stub.UpdateUser(change, context=owner)
    change.current_password = "correct horse"
    await stub.UpdateUser(change, context=owner)
    # The session that changed it lives on; every other one has ended.
    with pytest.raises(Unauthenticated):
        await stub.IssueToken(pb.IssueTokenRequest(refresh_token=other.refresh_token), context=ANYBODY)
    await stub.IssueToken(pb.IssueTokenRequest(refresh_token=made.tokens.refresh_token), context=ANYBODY)
