"""For operators: tenants."""

from typing import Annotated, Any, Literal

from aisp.auth.v1 import auth_service_pb2 as auth_pb
from aisp.usage.v1 import usage_service_pb2 as usage_pb
from fastapi import APIRouter
from pydantic import Field

from chassis.context import RequestContext
from chassis.errors import InvalidArgument
from gateway.admission import Call
from gateway.clients import Clients
from gateway.routes.auth import tenant_document
from gateway.routes.common import (
    AUTHENTICATED,
    Body,
    Cursor,
    Limit,
    Services,
    StrictRoute,
    Whole,
    managed,
    page,
    problems,
)

router = APIRouter(route_class=StrictRoute, prefix="/api/v1/admin", tags=["operator"])

STATUS = {"active": auth_pb.TENANT_STATUS_ACTIVE, "suspended": auth_pb.TENANT_STATUS_SUSPENDED}


class NewTenant(Body):
    """A tenant to make for somebody."""

    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [
        {"name": "Analytical Engines", "owner_email": "ada@example.com", "plan": "pro"}
    ]}}  # fmt: skip

    name: Annotated[str, Field(min_length=1, max_length=400)]
    owner_email: Annotated[str, Field(min_length=3, max_length=320)]
    plan: Annotated[str, Field(min_length=1, max_length=64)] = "free"


class TenantChange(Body):
    """What an operator changes of a tenant. A limit that is null (or -1) is the plan's again; those not named stay."""

    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [
        {"plan": "pro", "limits": {"requests_per_minute": 2000}}
    ]}}  # fmt: skip

    plan: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    status: Literal["active", "suspended"] | None = None
    limits: Annotated[dict[str, Annotated[Whole, Field(ge=-1, le=2**53)] | None], Field(max_length=32)] | None = None


@router.get("/tenants", responses=AUTHENTICATED | problems(400), operation_id="adminListTenants")
async def list_tenants(
    services: Services, limit: Limit = 50, cursor: Cursor = "", call: Call = managed("", operator=True)
) -> dict[str, Any]:
    """All tenants, newest first."""
    request = auth_pb.ListTenantsRequest(page_size=limit, page_token=cursor)
    found = await services.auth.ListTenants(request, context=call.context)
    return page([tenant_document(tenant) for tenant in found.tenants], found.next_page_token)


@router.post("/tenants", status_code=201, responses=AUTHENTICATED | problems(422), operation_id="adminCreateTenant")
async def create_tenant(body: NewTenant, services: Services, call: Call = managed("", operator=True)) -> dict[str, Any]:
    """Makes a tenant for somebody. An owner without an account gets one, and sets its password with what is in
    `password`, once.
    """
    await _check_plan(services, call, body.plan)
    request = auth_pb.CreateTenantRequest(name=body.name, owner_email=body.owner_email, plan=body.plan)
    made = await services.auth.CreateTenant(request, context=call.context)
    password = {"token": made.password_secret, "link": made.password_link or None} if made.password_secret else None
    return tenant_document(made.tenant) | {"password": password}


@router.get("/tenants/{tenant_id}", responses=AUTHENTICATED | problems(404), operation_id="adminGetTenant")
async def get_tenant(tenant_id: str, services: Services, call: Call = managed("", operator=True)) -> dict[str, Any]:
    """One tenant, with the limits in force and those of them that are its own, not its plan's."""
    return await _with_limits(await look_up_tenant(tenant_id, services, call), services, call)


@router.patch("/tenants/{tenant_id}", responses=AUTHENTICATED | problems(404, 422), operation_id="adminPatchTenant")
async def patch_tenant(
    tenant_id: str, body: TenantChange, services: Services, call: Call = managed("", operator=True)
) -> dict[str, Any]:
    """Changes a tenant's plan, status or limits; in force at once."""
    if body.plan is not None or body.limits:
        await _check_plan(services, call, body.plan)
    request = auth_pb.AdministerTenantRequest(id=tenant_id, plan=body.plan, limits_changed=bool(body.limits))
    if body.status is not None:
        request.status = STATUS[body.status]
    tenant = (await services.auth.AdministerTenant(request, context=call.context)).tenant
    if body.limits:
        limits = {name: -1 if limit is None else limit for name, limit in body.limits.items()}
        change = usage_pb.SetTenantLimitsRequest(
            tenant_id=tenant.id, plan=tenant.plan, tenant_version=tenant.version, limits=limits
        )
        await services.usage.SetTenantLimits(change, context=call.context)
    elif body.plan is not None:
        ensure = usage_pb.EnsureLimitsRequest(plan=tenant.plan, tenant_version=tenant.version)
        await services.usage.EnsureLimits(ensure, context=RequestContext(call.context.request_id, tenant_id=tenant.id))
    return await _with_limits(tenant, services, call)


async def look_up_tenant(tenant_id: str, services: Clients, call: Call) -> auth_pb.Tenant:
    """TenantNotFound."""
    found = await services.auth.LookUpTenant(auth_pb.LookUpTenantRequest(id=tenant_id), context=call.context)
    tenant: auth_pb.Tenant = found.tenant
    return tenant


async def _with_limits(tenant: auth_pb.Tenant, services: Clients, call: Call) -> dict[str, Any]:
    asked = usage_pb.GetTenantLimitsRequest(tenant_id=tenant.id, plan=tenant.plan)
    found = await services.usage.GetTenantLimits(asked, context=call.context)
    return tenant_document(tenant) | {"limits": dict(found.limits), "own_limits": dict(found.own_limits)}


async def _check_plan(services: Services, call: Call, plan: str | None) -> None:
    """Before anything changes: an unknown plan is refused, and so is a change of which usage_service cannot hear."""
    plans = (await services.usage.ListPlans(usage_pb.ListPlansRequest(), context=call.context)).plans
    if plan is not None and plan not in {known.name for known in plans}:
        raise UnknownPlan(f"There is no plan {plan[:64]}.")


class UnknownPlan(InvalidArgument):
    reason = "UNKNOWN_PLAN"
