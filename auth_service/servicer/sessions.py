"""Registration, tokens, log-out."""

from typing import Any

from aisp.auth.v1 import auth_service_pb2 as pb
from aisp.auth.v1.auth_service_pb2_grpc import AuthServiceServicer

from auth_service.domain.sessions import TokenPair
from auth_service.service.sessions import Sessions
from auth_service.servicer.wire import caller, tenant_message, user_message
from chassis.errors import InvalidArgument


class SessionsServicer(AuthServiceServicer):
    """Translates."""

    _sessions: Sessions

    async def Register(self, request: pb.RegisterRequest, _: Any) -> pb.RegisterResponse:
        made = await self._sessions.register(request.email, request.password, request.full_name, request.tenant_name)
        return pb.RegisterResponse(tenant=tenant_message(made[0]), user=user_message(made[1]), tokens=_tokens(made[2]))

    async def IssueToken(self, request: pb.IssueTokenRequest, _: Any) -> pb.IssueTokenResponse:
        match request.WhichOneof("grant"):
            case "password":
                grant = request.password
                pair = await self._sessions.log_in(grant.email, grant.password, request.tenant_id)
            case "refresh_token":
                pair = await self._sessions.refresh(request.refresh_token)
            case _:
                raise InvalidArgument("A password or a refresh token is needed.")
        return pb.IssueTokenResponse(tokens=_tokens(pair))

    async def RevokeSession(self, _request: pb.RevokeSessionRequest, _: Any) -> pb.RevokeSessionResponse:
        calling = caller()
        await self._sessions.log_out(calling.tenant_id, calling.session_id)
        return pb.RevokeSessionResponse()


def _tokens(pair: TokenPair) -> pb.TokenPair:
    return pb.TokenPair(
        access_token=pair.access_token, refresh_token=pair.refresh_token, expires_in_seconds=pair.expires_in_seconds
    )
