"""Tenants, for operators."""

from typing import Any

from aisp.auth.v1 import auth_service_pb2 as pb
from aisp.auth.v1.auth_service_pb2_grpc import AuthServiceServicer

from auth_service.service.resets import Resets
from auth_service.service.tenants import Tenants
from auth_service.servicer.wire import STATUS_BACK, tenant_message
from chassis import context
from chassis.pagination import PageRequest


class TenantsServicer(AuthServiceServicer):
    """Translates."""

    _tenants: Tenants
    _resets: Resets

    async def ListTenants(self, request: pb.ListTenantsRequest, _: Any) -> pb.ListTenantsResponse:
        context.current().require_operator()
        page = await self._tenants.list(PageRequest.parse(request.page_size, request.page_token))
        return pb.ListTenantsResponse(
            tenants=[tenant_message(tenant) for tenant in page.items], next_page_token=page.next_cursor
        )

    async def LookUpTenant(self, request: pb.LookUpTenantRequest, _: Any) -> pb.LookUpTenantResponse:
        context.current().require_operator()
        return pb.LookUpTenantResponse(tenant=tenant_message(await self._tenants.get(request.id)))

    async def CreateTenant(self, request: pb.CreateTenantRequest, _: Any) -> pb.CreateTenantResponse:
        context.current().require_operator()
        tenant, is_new = await self._tenants.create(request.name, request.owner_email, request.plan or "free")
        secret, link = await self._resets.link_for(request.owner_email) if is_new else ("", "")
        return pb.CreateTenantResponse(tenant=tenant_message(tenant), password_secret=secret, password_link=link)

    async def AdministerTenant(self, request: pb.AdministerTenantRequest, _: Any) -> pb.AdministerTenantResponse:
        context.current().require_operator()
        plan = request.plan if request.HasField("plan") else None
        status = STATUS_BACK.get(request.status) if request.HasField("status") else None
        tenant = await self._tenants.administer(
            request.id, plan=plan, status=status, limits_changed=request.limits_changed
        )
        return pb.AdministerTenantResponse(tenant=tenant_message(tenant))
