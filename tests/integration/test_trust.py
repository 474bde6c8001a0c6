"""Three gateways and a real auth service: revocation, one cut off, rotation under load, a new encryption secret."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Literal
from uuid import uuid4

import pytest
from aisp.auth.v1 import auth_service_pb2 as pb
from aisp.auth.v1 import signing_pb2
from aisp.auth.v1.auth_service_pb2_grpc import AuthServiceStub
from pydantic import SecretStr

from auth_service.app import compose
from auth_service.settings import AuthSection, JwtSettings, Settings
from chassis.client import Channel, read_service_config
from chassis.context import Keyring, RequestContext
from chassis.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    PermissionDenied,
    Unauthenticated,
    Unavailable,
)
from chassis.settings import DatabaseSettings, EncryptionSettings, WireSettings
from gateway.auth import Authenticator, CacheRules, ChangeWatcher
from gateway.tokens import PublishedKeys, SharedSecret, TokenKeys, TokenRules, TokenVerifier
from tests.integration.conftest import ROOT, Serve
from tests.promptness import PATIENCE, PROMPT

SECRET, OLD, NEW = "s" * 40, "o" * 40, "n" * 40
RULES = TokenRules("aisp", "aisp")
ANYBODY = RequestContext("r", address="192.0.2.1")
OPERATOR = RequestContext("op", tenant_id="00000000-0000-0000-0000-00000000000a", user_id="boss", operator=True)
Algorithm = Literal["HS256", "EdDSA"]
ROUNDS = 100


@pytest.fixture
def auth(migrated: Callable[[str], DatabaseSettings], serve: Serve) -> Callable[..., Any]:
    @asynccontextmanager
    async def serving(
        algorithm: Algorithm = "HS256",
        encryption: EncryptionSettings = EncryptionSettings(),  # noqa: B008  # frozen
    ) -> AsyncIterator[AuthServiceStub]:
        jwt = JwtSettings(secret_key=SecretStr(SECRET), algorithm=algorithm, rotation_lead_seconds=1)
        settings = Settings(
            database=migrated("auth_service"),
            jwt=jwt,
            auth=AuthSection(last_use_seconds=0.1),
            encryption=encryption,
            wire=WireSettings(secret=SecretStr(ROOT.decode())),
        )
        async with serve("auth_service", settings, compose) as channel:
            yield AuthServiceStub(channel)

    return serving


@asynccontextmanager
async def gateways(
    stub: AuthServiceStub, count: int, algorithm: Algorithm = "HS256"
) -> AsyncIterator[list[Authenticator]]:
    """So many that hear the stream, and one more that is cut off from it."""
    made = []
    for _ in range(count + 1):
        keys: TokenKeys = PublishedKeys(stub) if algorithm == "EdDSA" else SharedSecret(SECRET.encode())
        made.append(Authenticator(TokenVerifier(keys, RULES), stub))
    watching = [asyncio.create_task(ChangeWatcher(one, stub).run()) for one in made[:count]]
    try:
        async with asyncio.timeout(PATIENCE):
            while not all(one.fresh for one in made[:count]):
                await asyncio.sleep(0.01)
        yield made
    finally:
        for task in watching:
            task.cancel()


async def register(stub: AuthServiceStub) -> tuple[pb.RegisterResponse, RequestContext]:
    request = pb.RegisterRequest(email=f"{uuid4().hex}@example.com", password="correct horse battery")
    made = await stub.Register(request, context=ANYBODY)
    scopes = ("inference", "keys:manage", "audit:read")
    return made, RequestContext("r", tenant_id=made.tenant.id, user_id=made.user.id, scopes=scopes)


async def refused_after(call: Callable[[], Awaitable[Any]]) -> float:
    """Seconds until a call is refused; PROMPT at most."""
    began = time.perf_counter()
    while time.perf_counter() - began < PROMPT:
        try:
            await call()
        except (Unauthenticated, PermissionDenied):
            return time.perf_counter() - began
        await asyncio.sleep(0.002)
    raise AssertionError("never refused")


async def test_a_revoked_key_is_refused_by_every_gateway_within_a_second(auth: Callable[..., Any]) -> None:
    async with auth() as stub, gateways(stub, 2) as replicas:
        _, owner = await register(stub)
        spent: list[list[float]] = [[], [], []]
        for _ in range(ROUNDS):
            key = await stub.CreateApiKey(pb.CreateApiKeyRequest(name="a"), context=owner)
            for replica in replicas:
                await replica.authenticate(None, key.secret, "r")
            await stub.RevokeApiKey(pb.RevokeApiKeyRequest(id=key.api_key.id), context=owner)
            calls = [partial(one.authenticate, None, key.secret, "r") for one in replicas]
            for place, waited in enumerate(await asyncio.gather(*(refused_after(call) for call in calls))):
                spent[place].append(waited)
        for name, seconds in zip(("first", "second", "cut off"), spent, strict=True):
            p50, worst = statistics.median(seconds), max(seconds)
            figures = f"p50 {p50 * 1e3:.1f} ms, max {worst * 1e3:.1f} ms of {ROUNDS}"
            print(f"revocation to refusal, gateway {name}: {figures}")  # noqa: T201  # figures
            assert p50 < 1


async def test_a_session_that_ended_is_refused_even_where_the_stream_is_cut(auth: Callable[..., Any]) -> None:
    async with auth() as stub, gateways(stub, 1) as replicas:
        made, owner = await register(stub)
        bearer = f"Bearer {made.tokens.access_token}"
        for replica in replicas:
            caller = await replica.authenticate(bearer, None, "r")
        ending = RequestContext("r", tenant_id=owner.tenant_id, user_id=owner.user_id, session_id=caller.session_id)
        await stub.RevokeSession(pb.RevokeSessionRequest(), context=ending)
        for replica in replicas:
            await refused_after(partial(replica.authenticate, bearer, None, "r"))


async def test_a_suspended_tenant_is_refused_by_token_and_key(auth: Callable[..., Any]) -> None:
    async with auth() as stub, gateways(stub, 2) as replicas:
        made, owner = await register(stub)
        key = await stub.CreateApiKey(pb.CreateApiKeyRequest(name="a"), context=owner)
        bearer = f"Bearer {made.tokens.access_token}"
        for replica in replicas:
            await replica.authenticate(bearer, None, "r")
            await replica.authenticate(None, key.secret, "r")
        change = pb.AdministerTenantRequest(id=owner.tenant_id, status=pb.TENANT_STATUS_SUSPENDED)
        await stub.AdministerTenant(change, context=OPERATOR)
        for replica in replicas:
            await refused_after(partial(replica.authenticate, bearer, None, "r"))
            await refused_after(partial(replica.authenticate, None, key.secret, "r"))


async def test_tokens_go_on_while_the_auth_service_is_away_and_keys_are_503(auth: Callable[..., Any]) -> None:
    async with auth() as stub:
        made, owner = await register(stub)
        key = await stub.CreateApiKey(pb.CreateApiKeyRequest(name="a"), context=owner)
    keyring, away = Keyring("gateway", root=ROOT), "127.0.0.1:1"
    config = read_service_config()
    async with Channel(away, keyring=keyring, callee="auth_service", service_config=config) as channel:
        replica = Authenticator(
            TokenVerifier(SharedSecret(SECRET.encode()), RULES), AuthServiceStub(channel), CacheRules(lookup_seconds=1)
        )
        for _ in range(3):
            caller = await replica.authenticate(f"Bearer {made.tokens.access_token}", None, "r")
            assert caller.tenant_id == owner.tenant_id
        with pytest.raises((Unavailable, DeadlineExceeded)):
            await replica.authenticate(None, key.secret, "r")


async def test_rotation_under_load_refuses_nobody_and_a_theft_ends_old_tokens(auth: Callable[..., Any]) -> None:
    async with auth("EdDSA") as stub, gateways(stub, 2, "EdDSA") as replicas:
        made, _ = await register(stub)
        tokens, kids = [made.tokens.access_token], set()
        refused = verified = late = 0
        stop = False

        async def load(replica: Authenticator) -> None:
            nonlocal refused, verified, late
            while not stop:
                for token in tokens[-3:]:
                    try:
                        await replica.authenticate(f"Bearer {token}", None, "r")
                        verified += 1
                    except (Unauthenticated, PermissionDenied):
                        refused += 1
                    except (Unavailable, DeadlineExceeded):
                        # Who is cut off asks each time, within a second, which a busy machine may take.
                        late += 1
                await asyncio.sleep(0.005)

        running = [asyncio.create_task(load(replica)) for replica in replicas]
        refresh = made.tokens.refresh_token
        for step in range(30):
            if step % 10 == 5:
                await stub.RotateSigningKeys(signing_pb2.RotateSigningKeysRequest(), context=OPERATOR)
            pair = (await stub.IssueToken(pb.IssueTokenRequest(refresh_token=refresh), context=ANYBODY)).tokens
            refresh = pair.refresh_token
            tokens.append(pair.access_token)
            kids.add(pair.access_token.partition(".")[0])
            await asyncio.sleep(0.2)
        stop = True
        await asyncio.gather(*running)
        print(f"rotation under load: {verified} verified, {refused} refused, {late} late, {len(kids)} keys signed")  # noqa: T201  # figures
        assert (refused, len(kids) >= 3, late < verified) == (0, True, True)
        await stub.RotateSigningKeys(signing_pb2.RotateSigningKeysRequest(at_once=True), context=OPERATOR)
        for replica in replicas[:2]:
            await refused_after(partial(replica.authenticate, f"Bearer {tokens[-1]}", None, "r"))
        published = await replicas[0].tokens.keys.published()
        assert [sorted(one) for one in published] == [["alg", "crv", "kid", "kty", "use", "x"]]


async def test_a_new_encryption_secret_lets_the_old_one_go(auth: Callable[..., Any]) -> None:
    old, new = SecretStr(OLD), SecretStr(NEW)
    async with auth("EdDSA", EncryptionSettings(secret=old)) as stub:
        await stub.RotateSigningKeys(signing_pb2.RotateSigningKeysRequest(at_once=True), context=OPERATOR)
        made, _ = await register(stub)
    async with auth("EdDSA", EncryptionSettings(secret=new, previous=(old,))) as stub:
        done = await stub.ReencryptSecrets(signing_pb2.ReencryptSecretsRequest(), context=OPERATOR)
        assert done.signing_keys >= 1
        again = await stub.ReencryptSecrets(signing_pb2.ReencryptSecretsRequest(), context=OPERATOR)
        assert again.signing_keys == 0
    async with auth("EdDSA", EncryptionSettings(secret=new)) as stub, gateways(stub, 1, "EdDSA") as (replica, _):
        await replica.authenticate(f"Bearer {made.tokens.access_token}", None, "r")
        later, _ = await register(stub)
        await replica.authenticate(f"Bearer {later.tokens.access_token}", None, "r")


async def test_only_operators_rotate_and_only_pairs_are_rotated(auth: Callable[..., Any]) -> None:
    async with auth() as stub:
        _, owner = await register(stub)
        for request, method in (
            (signing_pb2.RotateSigningKeysRequest(), stub.RotateSigningKeys),
            (signing_pb2.ReencryptSecretsRequest(), stub.ReencryptSecrets),
        ):
            with pytest.raises(PermissionDenied):
                await method(request, context=owner)
        with pytest.raises(FailedPrecondition):
            await stub.RotateSigningKeys(signing_pb2.RotateSigningKeysRequest(), context=OPERATOR)


async def test_a_key_made_by_a_key_inherits_its_bounds_and_its_last_use_is_written(auth: Callable[..., Any]) -> None:
    async with auth() as stub:
        _, owner = await register(stub)
        request = pb.CreateApiKeyRequest(name="a", scopes=["keys:manage"], models=["tiny"], networks=["192.0.2.0/24"])
        parent = await stub.CreateApiKey(request, context=owner)
        by_key = RequestContext(
            "r", tenant_id=owner.tenant_id, user_id=owner.user_id, key_id=parent.api_key.id, scopes=("keys:manage",)
        )
        child = await stub.CreateApiKey(pb.CreateApiKeyRequest(name="b", scopes=["keys:manage"]), context=by_key)
        assert (list(child.api_key.models), list(child.api_key.networks)) == (["tiny"], ["192.0.2.0/24"])
        wide = pb.CreateApiKeyRequest(name="c", scopes=["keys:manage"], models=["huge"])
        with pytest.raises(PermissionDenied) as caught:
            await stub.CreateApiKey(wide, context=by_key)
        assert caught.value.reason == "KEY_TOO_WIDE"
        free = await stub.CreateApiKey(pb.CreateApiKeyRequest(name="d", scopes=["keys:manage"]), context=owner)
        with pytest.raises(PermissionDenied):
            await stub.RotateApiKey(pb.RotateApiKeyRequest(id=free.api_key.id), context=by_key)
        await stub.VerifyApiKey(pb.VerifyApiKeyRequest(secret=free.secret), context=ANYBODY)
        async with asyncio.timeout(PATIENCE):
            while True:
                found = await stub.GetApiKey(pb.GetApiKeyRequest(id=free.api_key.id), context=owner)
                if found.api_key.HasField("last_use_time"):
                    break
                await asyncio.sleep(0.05)


async def test_a_gateway_whose_stream_breaks_off_refuses_within_a_second_too(auth: Callable[..., Any]) -> None:
    async with auth() as stub:
        _, owner = await register(stub)
        spent = []
        for _ in range(10):
            tokens = TokenVerifier(SharedSecret(SECRET.encode()), RULES)
            replica = Authenticator(tokens, stub)
            watching = asyncio.create_task(ChangeWatcher(replica, stub).run())
            key = await stub.CreateApiKey(pb.CreateApiKeyRequest(name="a"), context=owner)
            async with asyncio.timeout(PATIENCE):
                while not replica.fresh:
                    await asyncio.sleep(0.01)
            await replica.authenticate(None, key.secret, "r")
            watching.cancel()
            await stub.RevokeApiKey(pb.RevokeApiKeyRequest(id=key.api_key.id), context=owner)
            spent.append(await refused_after(partial(replica.authenticate, None, key.secret, "r")))
        p50, worst = statistics.median(spent), max(spent)
        print(f"revocation as the stream breaks off: p50 {p50 * 1e3:.0f} ms, max {worst * 1e3:.0f} ms")  # noqa: T201
        assert p50 < 1
