"""The caller's own tenant and user."""

from typing import Any

from aisp.auth.v1 import auth_service_pb2 as pb
from aisp.auth.v1.auth_service_pb2_grpc import AuthServiceServicer

from auth_service.service.profiles import Profiles
from auth_service.servicer.wire import actor, caller, tenant_message, user_message

_USER_FIELDS = ("full_name", "password", "current_password")


class ProfilesServicer(AuthServiceServicer):
    """Translates."""

    _profiles: Profiles

    async def GetTenant(self, _request: pb.GetTenantRequest, _: Any) -> pb.GetTenantResponse:
        return pb.GetTenantResponse(tenant=tenant_message(await self._profiles.get_tenant(caller().tenant_id)))

    async def UpdateTenant(self, request: pb.UpdateTenantRequest, _: Any) -> pb.UpdateTenantResponse:
        name = request.name if request.HasField("name") else None
        return pb.UpdateTenantResponse(
            tenant=tenant_message(await self._profiles.update_tenant(caller().tenant_id, name))
        )

    async def GetUser(self, _request: pb.GetUserRequest, _: Any) -> pb.GetUserResponse:
        calling = caller()
        return pb.GetUserResponse(user=user_message(await self._profiles.get_user(calling.tenant_id, calling.user_id)))

    async def UpdateUser(self, request: pb.UpdateUserRequest, _: Any) -> pb.UpdateUserResponse:
        given = {name: getattr(request, name) if request.HasField(name) else None for name in _USER_FIELDS}
        user = await self._profiles.update_user(actor(), **given)
        return pb.UpdateUserResponse(user=user_message(user))
