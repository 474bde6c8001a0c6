"""Identity providers of a tenant."""

from datetime import UTC, datetime
from typing import Any

from aisp.auth.v1 import issuers_pb2 as pb
from aisp.auth.v1.auth_service_pb2_grpc import AuthServiceServicer

from auth_service.domain.issuers import Issuer
from auth_service.policy import links
from auth_service.service.issuers import Issuers
from auth_service.servicer.wire import actor, caller, time_of


class IssuersServicer(AuthServiceServicer):
    """Translates."""

    _issuers: Issuers

    async def CreateIssuer(self, request: pb.CreateIssuerRequest, _: Any) -> pb.CreateIssuerResponse:
        acting, wanted = actor(), request.issuer
        issuer = Issuer(
            id=links.new_id(),
            tenant_id=acting.tenant_id,
            issuer=wanted.issuer,
            audience=wanted.audience,
            jwks_url=wanted.jwks_url,
            email_claim=wanted.email_claim or "email",
            name_claim=wanted.name_claim or "name",
            role_claim=wanted.role_claim,
            roles=dict(wanted.roles),
            default_role=wanted.default_role,
            created_at=datetime.now(UTC),
        )
        return pb.CreateIssuerResponse(issuer=_issuer(await self._issuers.create(acting, issuer)))

    async def ListIssuers(self, _request: pb.ListIssuersRequest, _: Any) -> pb.ListIssuersResponse:
        found = await self._issuers.list(caller().tenant_id)
        return pb.ListIssuersResponse(issuers=[_issuer(issuer) for issuer in found])

    async def RemoveIssuer(self, request: pb.RemoveIssuerRequest, _: Any) -> pb.RemoveIssuerResponse:
        await self._issuers.remove(caller().tenant_id, request.id)
        return pb.RemoveIssuerResponse()


def _issuer(issuer: Issuer) -> pb.Issuer:
    return pb.Issuer(
        id=issuer.id,
        issuer=issuer.issuer,
        audience=issuer.audience,
        jwks_url=issuer.jwks_url,
        email_claim=issuer.email_claim,
        name_claim=issuer.name_claim,
        role_claim=issuer.role_claim,
        roles=dict(issuer.roles),
        default_role=issuer.default_role,
        create_time=time_of(issuer.created_at),
        platform=issuer.platform,
    )
