"""Registration, tokens, sessions, log-out, forgotten passwords."""

from typing import Any

from aisp.auth.v1 import auth_service_pb2 as pb
from aisp.auth.v1 import people_pb2 as people
from aisp.auth.v1.auth_service_pb2_grpc import AuthServiceServicer

from auth_service.service.issuers import Issuers
from auth_service.service.registrations import Registrations
from auth_service.service.resets import Resets
from auth_service.service.sessions import Sessions
from auth_service.servicer.wire import actor, caller, tenant_message, time_of, tokens_message, user_message, visitor
from chassis.errors import InvalidArgument


class SessionsServicer(AuthServiceServicer):
    """Translates."""

    _sessions: Sessions
    _registrations: Registrations
    _resets: Resets
    _issuers: Issuers

    async def Register(self, request: pb.RegisterRequest, _: Any) -> pb.RegisterResponse:
        made = await self._registrations.register(
            request.email, request.password, request.full_name, request.tenant_name, visitor()
        )
        if made is None:
            return pb.RegisterResponse(confirmation_sent=True)
        return pb.RegisterResponse(
            tenant=tenant_message(made.tenant), user=user_message(made.user), tokens=tokens_message(made.tokens)
        )

    async def ConfirmRegistration(
        self, request: pb.ConfirmRegistrationRequest, _: Any
    ) -> pb.ConfirmRegistrationResponse:
        made = await self._registrations.confirm(request.token, visitor())
        return pb.ConfirmRegistrationResponse(
            tenant=tenant_message(made.tenant), user=user_message(made.user), tokens=tokens_message(made.tokens)
        )

    async def IssueToken(self, request: pb.IssueTokenRequest, _: Any) -> pb.IssueTokenResponse:
        match request.WhichOneof("grant"):
            case "password":
                grant = request.password
                pair = await self._sessions.log_in(grant.email, grant.password, visitor(), request.tenant_id)
            case "refresh_token":
                pair = await self._sessions.refresh(request.refresh_token, request.tenant_id)
            case "assertion":
                pair = await self._issuers.log_in(request.assertion, visitor(), request.tenant_id)
            case _:
                raise InvalidArgument("A password, a refresh token or an assertion is needed.")
        return pb.IssueTokenResponse(tokens=tokens_message(pair))

    async def RevokeSession(self, _request: pb.RevokeSessionRequest, _: Any) -> pb.RevokeSessionResponse:
        calling = caller()
        await self._sessions.log_out(calling.tenant_id, calling.session_id)
        return pb.RevokeSessionResponse()

    async def ListSessions(self, _request: people.ListSessionsRequest, _: Any) -> people.ListSessionsResponse:
        acting = actor()
        found = [
            people.UserSession(
                id=living.session.id,
                tenant_id=living.session.tenant_id,
                address=living.session.address,
                current=living.session.id == acting.session_id,
                create_time=time_of(living.created_at),
                last_use_time=time_of(living.last_used_at),
            )
            for living in await self._sessions.list(acting)
        ]
        return people.ListSessionsResponse(sessions=found)

    async def RevokeUserSession(
        self, request: people.RevokeUserSessionRequest, _: Any
    ) -> people.RevokeUserSessionResponse:
        await self._sessions.revoke(actor(), request.id)
        return people.RevokeUserSessionResponse()

    async def RequestPasswordReset(
        self, request: people.RequestPasswordResetRequest, _: Any
    ) -> people.RequestPasswordResetResponse:
        await self._resets.request(request.email, visitor())
        return people.RequestPasswordResetResponse()

    async def ResetPassword(self, request: people.ResetPasswordRequest, _: Any) -> people.ResetPasswordResponse:
        await self._resets.reset(request.token, request.password, visitor())
        return people.ResetPasswordResponse()
