"""Log-ins with tokens of a real OpenID Connect provider (a library's, on loopback), and with forged ones."""

import asyncio
import base64
import hashlib
import hmac
import itertools
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx
import jwt
import pytest
from aisp.auth.v1 import auth_service_pb2 as pb
from aisp.auth.v1 import issuers_pb2 as issuers
from aisp.auth.v1.auth_service_pb2_grpc import AuthServiceStub
from oidc_provider_mock import User, run_server_in_thread

from auth_service.app import compose, platform_issuer
from auth_service.settings import AuthSection, JwtSettings, OidcSettings, PasswordSettings, Settings
from chassis.context import RequestContext
from chassis.errors import InvalidArgument, NotFound, PermissionDenied, PlatformError, Unauthenticated
from chassis.settings import ConfigurationError, DatabaseSettings, OutboundSettings, WireSettings
from tests.integration.conftest import ROOT, Serve

# The provider warns of what its own library will change.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
LOOPBACK = OutboundSettings.model_validate({"networks": ["127.0.0.0/8"], "plain_http": True, "total_seconds": 5})
CALLBACK = "http://client.example/callback"


@dataclass
class Provider:
    url: str

    def id_token(self, subject: str, client: str = "aisp") -> str:
        """As a browser gets it: the authorization code flow."""
        asked = {
            "client_id": client,
            "redirect_uri": CALLBACK,
            "response_type": "code",
            "scope": "openid email profile",
        }
        answer = httpx.post(f"{self.url}/oauth2/authorize", params=asked, data={"sub": subject})
        code = parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]
        body = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
        told = httpx.post(f"{self.url}/oauth2/token", data=body, auth=(client, "secret")).raise_for_status().json()
        return str(told["id_token"])

    def add_user(self, subject: str, email: str, **claims: str) -> None:
        httpx.put(f"{self.url}/users/{subject}", json={"email": email, **claims}).raise_for_status()

    def jwk(self) -> dict[str, Any]:
        found: dict[str, Any] = httpx.get(f"{self.url}/jwks").json()["keys"][0]
        return found


@pytest.fixture
def provider() -> Iterator[Provider]:
    ada = User(sub="ada", claims={"email": "Ada@Corp.example", "name": "Ada", "groups": ["staff", "leads"]})
    grace = User(sub="grace", claims={"email": "grace@corp.example", "name": "Grace"})
    with run_server_in_thread(user_claims=[ada, grace]) as server:
        yield Provider(f"http://localhost:{server.server_port}")


@pytest.fixture
async def stub(migrated: Callable[[str], DatabaseSettings], serve: Serve) -> Any:
    settings = Settings(
        database=migrated("auth_service"),
        jwt=JwtSettings.model_validate({"secret_key": "s" * 40}),
        auth=AuthSection(password=PasswordSettings(memory_kib=19_456, passes=1, lanes=1)),
        outbound=LOOPBACK,
        wire=WireSettings.model_validate({"secret": ROOT.decode()}),
    )
    async with serve("auth_service", settings, compose) as channel:
        yield AuthServiceStub(channel)


NETWORKS = itertools.count(1)


def somebody() -> RequestContext:
    return RequestContext("r", address=f"2001:db8:{next(NETWORKS):x}::1")


async def owner_of_a_tenant(stub: AuthServiceStub) -> RequestContext:
    email = f"{uuid4().hex}@example.com"
    made = await stub.Register(pb.RegisterRequest(email=email, password="correct horse battery"), context=somebody())
    return RequestContext(
        "r", tenant_id=made.tenant.id, user_id=made.user.id, scopes=tuple(made.user.scopes), session_id=str(uuid4())
    )


async def trust(stub: AuthServiceStub, owner: RequestContext, url: str, **more: Any) -> str:
    wanted = issuers.Issuer(**({"issuer": url, "audience": "aisp", "default_role": "viewer"} | more))
    made = await stub.CreateIssuer(issuers.CreateIssuerRequest(issuer=wanted), context=owner)
    return str(made.issuer.id)


async def log_in(stub: AuthServiceStub, assertion: str, tenant_id: str = "") -> dict[str, Any]:
    request = pb.IssueTokenRequest(assertion=assertion, tenant_id=tenant_id)
    answer = await stub.IssueToken(request, context=somebody())
    claims: dict[str, Any] = jwt.decode(answer.tokens.access_token, options={"verify_signature": False})
    return claims


async def test_people_of_a_trusted_provider_become_members_and_stay_the_same_user(
    stub: AuthServiceStub, provider: Provider
) -> None:
    owner = await owner_of_a_tenant(stub)
    await trust(stub, owner, provider.url, role_claim="groups", roles={"leads": "developer", "staff": "viewer"})
    first = await log_in(stub, provider.id_token("ada"), owner.tenant_id)
    again = await log_in(stub, provider.id_token("ada"), owner.tenant_id)
    assert first["sub"] == again["sub"]
    assert (first["tid"], first["role"]) == (owner.tenant_id, "developer")
    user = RequestContext("r", tenant_id=owner.tenant_id, user_id=first["sub"])
    told = (await stub.GetUser(pb.GetUserRequest(), context=user)).user
    assert (told.email, told.full_name) == ("ada@corp.example", "Ada")
    other = await log_in(stub, provider.id_token("grace"), owner.tenant_id)
    assert (other["role"], other["sub"] == first["sub"]) == ("viewer", False)


async def test_a_provider_speaks_for_nobodys_account_elsewhere(stub: AuthServiceStub, provider: Provider) -> None:
    """A tenant that names a provider of its own cannot become a user who registered, or whom another vouches for."""
    victim, attacker = await owner_of_a_tenant(stub), await owner_of_a_tenant(stub)
    email = (await stub.GetUser(pb.GetUserRequest(), context=victim)).user.email
    provider.add_user("mallory", email)
    await trust(stub, attacker, provider.url)
    await trust(stub, victim, provider.url)
    claims = await log_in(stub, provider.id_token("mallory"), attacker.tenant_id)
    assert claims["tid"] == attacker.tenant_id
    assert claims["sub"] != victim.user_id
    # The token alone does not say which of the two tenants that trust its issuer it is for.
    with pytest.raises(InvalidArgument) as caught:
        await log_in(stub, provider.id_token("mallory"))
    assert caught.value.violations[0].field == "tenant_id"


async def test_what_attackers_make_of_a_token_is_refused_alike(stub: AuthServiceStub, provider: Provider) -> None:
    owner = await owner_of_a_tenant(stub)
    await trust(stub, owner, provider.url)
    good = provider.id_token("ada")
    head, body, signature = good.split(".")
    claims = jwt.decode(good, options={"verify_signature": False})
    header = jwt.get_unverified_header(good)
    jwk = provider.jwk()
    pem = jwt.PyJWK(jwk).key.public_bytes(*_pem())

    def part(document: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")

    def confused(secret: bytes) -> str:
        text = f"{part(header | {'alg': 'HS256'})}.{body}"
        mac = hmac.digest(secret, text.encode(), hashlib.sha256)
        return f"{text}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"

    attacks = {
        "none": f"{part({'alg': 'none'})}.{body}.",
        "None": f"{part({'alg': 'None', 'typ': 'JWT'})}.{body}.{signature}",
        "hs by the public key": confused(pem),
        "hs by the jwk": confused(json.dumps(jwk).encode()),
        "hs by nothing": confused(b""),
        "another body": f"{head}.{part(claims | {'sub': 'grace'})}.{signature}",
        "no signature": f"{head}.{body}.",
        "another audience": provider.id_token("ada", client="other"),
        "an unknown key": f"{part(header | {'kid': 'nope'})}.{body}.{signature}",
        "a key of its own": f"{part(header | {'jwk': jwk})}.{part(claims | {'sub': 'x'})}.{signature}",
        "a key elsewhere": f"{part(header | {'jku': 'http://127.0.0.1:1/'})}.{part(claims | {'a': 1})}.{signature}",
        "another algorithm": f"{part(header | {'alg': 'RS512'})}.{body}.{signature}",
        "crit": f"{part(header | {'crit': ['x'], 'x': 1})}.{body}.{signature}",
        "our own": jwt.encode(claims | {"exp": time.time() + 60}, "s" * 40, "HS256"),
        "an unknown issuer": f"{head}.{part(claims | {'iss': 'https://evil.example'})}.{signature}",
        "nothing": "",
        "no token": "x.y.z",
        "long": f"{head}.{body}.{'A' * 20_000}",
        "deep": f"{head}.{base64.urlsafe_b64encode(b'[' * 8000).decode()}.{signature}",
    }
    for name, token in attacks.items():
        with pytest.raises(Unauthenticated) as caught:
            await log_in(stub, token, owner.tenant_id)
        assert (caught.value.reason, caught.value.message) == (
            "BAD_ASSERTION",
            "The token of the identity provider is not valid here.",
        ), name
    assert await log_in(stub, good, owner.tenant_id)


async def test_a_provider_that_is_removed_takes_its_people_with_it(stub: AuthServiceStub, provider: Provider) -> None:
    owner, stranger = await owner_of_a_tenant(stub), await owner_of_a_tenant(stub)
    issuer_id = await trust(stub, owner, provider.url)
    claims = await log_in(stub, provider.id_token("ada"), owner.tenant_id)
    with pytest.raises(NotFound):
        await stub.RemoveIssuer(issuers.RemoveIssuerRequest(id=issuer_id), context=stranger)
    assert not (await stub.ListIssuers(issuers.ListIssuersRequest(), context=stranger)).issuers
    await stub.RemoveIssuer(issuers.RemoveIssuerRequest(id=issuer_id), context=owner)
    user = RequestContext("r", tenant_id=owner.tenant_id, user_id=claims["sub"])
    with pytest.raises(NotFound):
        await stub.GetUser(pb.GetUserRequest(), context=user)
    with pytest.raises(Unauthenticated):
        await log_in(stub, provider.id_token("ada"), owner.tenant_id)


async def test_nobody_sets_up_a_provider_for_more_than_they_are(stub: AuthServiceStub, provider: Provider) -> None:
    owner = await owner_of_a_tenant(stub)
    weak = RequestContext("r", tenant_id=owner.tenant_id, user_id=owner.user_id, scopes=("tenant:manage",))
    with pytest.raises(PermissionDenied):
        await trust(stub, weak, provider.url)
    for url in ("http://10.0.0.1/", "http://169.254.169.254/", "file:///etc/passwd", "http://u:p@localhost/"):
        with pytest.raises(PlatformError) as caught:
            await trust(stub, owner, url)
        assert caught.value.violations[0].field == "issuer"
    with pytest.raises(InvalidArgument):
        await trust(stub, owner, provider.url, default_role="")


def _pem() -> tuple[Any, Any]:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return Encoding.PEM, PublicFormat.SubjectPublicKeyInfo


@pytest.fixture
def platform_stub(migrated: Callable[[str], DatabaseSettings], serve: Serve, provider: Provider) -> Callable[..., Any]:
    """The auth service with an issuer for the whole platform."""

    def serving(**oidc: Any) -> Any:
        told = {"issuer": provider.url, "audience": "aisp", "default_role": "viewer", "role_claim": "groups"}
        settings = Settings(
            database=migrated("auth_service"),
            jwt=JwtSettings.model_validate({"secret_key": "s" * 40}),
            auth=AuthSection(password=PasswordSettings(memory_kib=19_456, passes=1, lanes=1)),
            outbound=LOOPBACK,
            wire=WireSettings.model_validate({"secret": ROOT.decode()}),
            oidc=OidcSettings.model_validate(told | {"roles": {"leads": "admin"}} | oidc),
        )
        return serve("auth_service", settings, compose)

    return serving


async def test_the_platforms_issuer_speaks_for_the_tenants_of_its_list(
    stub: AuthServiceStub, platform_stub: Callable[..., Any], provider: Provider
) -> None:
    one, two, other = [await owner_of_a_tenant(stub) for _ in range(3)]
    async with platform_stub(tenants=[one.tenant_id, two.tenant_id]) as channel:
        platform = AuthServiceStub(channel)
        first = await log_in(platform, provider.id_token("ada"), one.tenant_id)
        assert (first["tid"], first["role"]) == (one.tenant_id, "admin")
        # The same person is somebody else in another tenant, and the same again in the first.
        second = await log_in(platform, provider.id_token("ada"), two.tenant_id)
        assert second["sub"] != first["sub"]
        assert (await log_in(platform, provider.id_token("ada"), one.tenant_id))["sub"] == first["sub"]
        with pytest.raises(InvalidArgument):
            await log_in(platform, provider.id_token("ada"))
        for tenant_id in (other.tenant_id, str(uuid4()), "x"):
            with pytest.raises(Unauthenticated):
                await log_in(platform, provider.id_token("ada"), tenant_id)
        with pytest.raises(Unauthenticated):
            await log_in(platform, provider.id_token("ada", client="another"), one.tenant_id)
        (listed,) = (await platform.ListIssuers(issuers.ListIssuersRequest(), context=one)).issuers
        assert listed.platform
        with pytest.raises(PermissionDenied):
            await platform.RemoveIssuer(issuers.RemoveIssuerRequest(id=listed.id), context=one)
        # No tenant can stand between it and those who log in with it.
        with pytest.raises(InvalidArgument):
            await trust(platform, other, provider.url)


async def test_the_platforms_issuer_names_the_tenant_by_a_claim(
    stub: AuthServiceStub, platform_stub: Callable[..., Any], provider: Provider
) -> None:
    one, two = [await owner_of_a_tenant(stub) for _ in range(2)]
    provider.add_user("eve", "eve@corp.example", org=one.tenant_id)
    async with platform_stub(tenant_claim="org") as channel:
        platform = AuthServiceStub(channel)
        assert (await log_in(platform, provider.id_token("eve")))["tid"] == one.tenant_id
        with pytest.raises(Unauthenticated):
            await log_in(platform, provider.id_token("eve"), two.tenant_id)
        # Whom it names no tenant for, it speaks for nobody's.
        with pytest.raises(Unauthenticated):
            await log_in(platform, provider.id_token("ada"), one.tenant_id)


async def test_an_issuer_that_the_operator_takes_away_takes_its_people_along(
    stub: AuthServiceStub, platform_stub: Callable[..., Any], provider: Provider
) -> None:
    owner = await owner_of_a_tenant(stub)
    async with platform_stub(tenants=[owner.tenant_id]) as channel:
        claims = await log_in(AuthServiceStub(channel), provider.id_token("ada"))
    person = RequestContext("r", tenant_id=owner.tenant_id, user_id=claims["sub"], session_id=claims["sid"])
    async with platform_stub(tenants=[owner.tenant_id], audience="another") as channel:
        platform = AuthServiceStub(channel)
        for _ in range(900):
            try:
                await platform.VerifySession(pb.VerifySessionRequest(), context=person)
            except Unauthenticated:
                break
            await asyncio.sleep(0.1)
        else:
            raise AssertionError("still a member")
        assert not (await platform.ListIssuers(issuers.ListIssuersRequest(), context=owner)).issuers


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"audience": "", "tenants": ["x"]}, "__AUDIENCE"),
        ({"audience": "a"}, "__TENANT_CLAIM or __TENANTS"),
        ({"audience": "a", "tenants": ["x"], "default_role": ""}, "__DEFAULT_ROLE"),
    ],
)
def test_settings_that_leave_open_what_an_issuer_may_do_are_refused(wrong: dict[str, Any], told: str) -> None:
    oidc = OidcSettings.model_validate({"issuer": "https://login.example.com", "default_role": "viewer"} | wrong)
    with pytest.raises(ConfigurationError, match=told):
        platform_issuer(Settings(oidc=oidc))
