"""Identity providers (OpenID Connect) that the tenant trusts: its people log in with a token of theirs."""

from typing import Annotated, Any, Literal

from aisp.auth.v1 import issuers_pb2 as pb
from fastapi import APIRouter
from pydantic import Field

from gateway.admission import Call
from gateway.routes.common import AUTHENTICATED, Body, Paged, Services, StrictRoute, iso, managed, problems

router = APIRouter(route_class=StrictRoute, prefix="/api/v1/identity-providers", tags=["members"])

Role = Literal["owner", "admin", "developer", "viewer"]
Claim = Annotated[str, Field(min_length=1, max_length=100)]


class ClaimNames(Body):
    """Which claim of a token says what."""

    email: Claim = "email"
    name: Claim = "name"
    role: Claim | None = None


class NewProvider(Body):
    """Whose tokens are taken."""

    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [
        {"issuer": "https://login.example.com", "audience": "aisp", "claims": {"role": "groups"},
         "roles": {"platform-admins": "admin"}, "default_role": "viewer"}
    ]}}  # fmt: skip

    issuer: Annotated[str, Field(min_length=1, max_length=2048)]
    audience: Annotated[str, Field(min_length=1, max_length=100)]
    jwks_url: Annotated[str, Field(max_length=2048)] | None = None
    claims: ClaimNames = ClaimNames()
    roles: Annotated[dict[Annotated[str, Field(min_length=1, max_length=200)], Role], Field(max_length=50)] = {}
    default_role: Role | None = None


@router.post("", status_code=201, responses=AUTHENTICATED | problems(400, 422), operation_id="createIdentityProvider")
async def create(body: NewProvider, services: Services, call: Call = managed("tenant:manage")) -> dict[str, Any]:
    """Trusts an issuer, for roles that the caller may give."""
    wanted = pb.Issuer(
        issuer=body.issuer,
        audience=body.audience,
        jwks_url=body.jwks_url or "",
        email_claim=body.claims.email,
        name_claim=body.claims.name,
        role_claim=body.claims.role or "",
        roles=body.roles,
        default_role=body.default_role or "",
    )
    made = await services.auth.CreateIssuer(pb.CreateIssuerRequest(issuer=wanted), context=call.context)
    return _provider(made.issuer)


@router.get("", responses=AUTHENTICATED | problems(400), operation_id="listIdentityProviders")
async def list_providers(services: Services, part: Paged, call: Call = managed("tenant:manage")) -> dict[str, Any]:
    """All that the tenant trusts, newest first."""
    found = await services.auth.ListIssuers(pb.ListIssuersRequest(), context=call.context)
    return part.of([_provider(issuer) for issuer in found.issuers], "created_at", "id", newest_first=True)


@router.delete(
    "/{provider_id}",
    status_code=204,
    responses=AUTHENTICATED | problems(400, 404),
    operation_id="deleteIdentityProvider",
)
async def remove(provider_id: str, services: Services, call: Call = managed("tenant:manage")) -> None:
    """Trusts it no more: those whom it vouched for are out within a second."""
    await services.auth.RemoveIssuer(pb.RemoveIssuerRequest(id=provider_id), context=call.context)


def _provider(issuer: pb.Issuer) -> dict[str, Any]:
    return {
        "id": issuer.id,
        "issuer": issuer.issuer,
        "audience": issuer.audience,
        "jwks_url": issuer.jwks_url or None,
        "claims": {"email": issuer.email_claim, "name": issuer.name_claim, "role": issuer.role_claim or None},
        "roles": dict(issuer.roles),
        "default_role": issuer.default_role or None,
        "managed_by": "platform" if issuer.platform else "tenant",
        "created_at": iso(issuer.create_time),
    }
