"""Which models a tenant may use, set by an operator and, within that, by the tenant's admin; and its aliases."""

from typing import Annotated, Any

from aisp.llm.v1 import catalogue_pb2 as pb
from fastapi import APIRouter, Path
from pydantic import Field

from gateway.admission import Call
from gateway.routes.admin import look_up_tenant
from gateway.routes.common import AUTHENTICATED, Body, Paged, Services, StrictRoute, managed, problems

router = APIRouter(route_class=StrictRoute, tags=["models"])

Names = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=200)]],
    Field(max_length=500, description="Names, and patterns with one `*`"),
]
Alias = Annotated[str, Path(min_length=1, max_length=200)]


class AllowedModels(Body):
    """What a tenant allows itself. None: all that is granted to it."""

    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [{"models": ["local/*", "gpt-4o-mini"]}]}}

    models: Names | None


class AliasBody(Body):
    """The model that an alias stands for."""

    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [{"model": "gpt-4o-mini"}]}}

    model: Annotated[str, Field(min_length=1, max_length=200)]


class Grant(Body):
    """What an operator grants a tenant. `models` null: all. Regions and cost bound the platform's own deployments."""

    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [
        {"models": ["gpt-*", "local/*"], "regions": ["eu"], "max_cost_nano_usd_per_million": 10_000_000_000}
    ]}}  # fmt: skip

    models: Names | None
    regions: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=32)] = []
    max_cost_nano_usd_per_million: Annotated[int, Field(ge=0, le=2**53)] = 0


@router.get("/api/v1/models/allowed", responses=AUTHENTICATED, operation_id="getAllowedModels")
async def get_allowed(services: Services, call: Call = managed("")) -> dict[str, Any]:
    """Which models the tenant may use: what an operator grants, and what the tenant's admin allows of it."""
    return _told((await services.llm.GetModelRules(pb.GetModelRulesRequest(), context=call.context)).rules)


@router.put("/api/v1/models/allowed", responses=AUTHENTICATED | problems(422), operation_id="setAllowedModels")
async def set_allowed(
    body: AllowedModels, services: Services, call: Call = managed("tenant:manage", audit="models.allow")
) -> dict[str, Any]:
    """Sets what the tenant's admin allows; in force within a second."""
    rules = pb.ModelRules(has_allowed=body.models is not None, allowed=body.models or ())
    return await _set(pb.SetModelRulesRequest(rules=rules), services, call)


@router.get("/api/v1/models/aliases", responses=AUTHENTICATED | problems(400), operation_id="listModelAliases")
async def list_aliases(services: Services, part: Paged, call: Call = managed("")) -> dict[str, Any]:
    """The tenant's aliases, by name."""
    found = await services.llm.GetModelRules(pb.GetModelRulesRequest(), context=call.context)
    data = [{"alias": alias, "model": model} for alias, model in sorted(found.rules.aliases.items())]
    return part.of(data, "alias")


@router.put(
    "/api/v1/models/aliases/{alias:path}", responses=AUTHENTICATED | problems(404, 422), operation_id="setModelAlias"
)
async def set_alias(
    alias: Alias,
    body: AliasBody,
    services: Services,
    call: Call = managed("tenant:manage", audit="model_alias.set"),
) -> dict[str, Any]:
    """Makes or changes an alias; in force within a second."""
    await services.llm.SetModelAlias(pb.SetModelAliasRequest(alias=alias, model=body.model), context=call.context)
    if call.deed:
        call.deed.after = {"model": body.model}
    return {"alias": alias, "model": body.model}


@router.delete(
    "/api/v1/models/aliases/{alias:path}",
    status_code=204,
    responses=AUTHENTICATED | problems(404),
    operation_id="deleteModelAlias",
)
async def delete_alias(
    alias: Alias, services: Services, call: Call = managed("tenant:manage", audit="model_alias.delete")
) -> None:
    """Deletes an alias."""
    await services.llm.DeleteModelAlias(pb.DeleteModelAliasRequest(alias=alias), context=call.context)


@router.get("/api/v1/admin/tenants/{tenant_id}/models", responses=AUTHENTICATED | problems(404), tags=["operator"],
            operation_id="adminGetTenantModels")  # fmt: skip
async def get_grant(tenant_id: str, services: Services, call: Call = managed("", operator=True)) -> dict[str, Any]:
    """Which models a tenant may use."""
    tenant = (await look_up_tenant(tenant_id, services, call)).id
    found = await services.llm.GetModelRules(pb.GetModelRulesRequest(tenant_id=tenant), context=call.context)
    return _told(found.rules)


@router.put("/api/v1/admin/tenants/{tenant_id}/models", responses=AUTHENTICATED | problems(404, 422),
            tags=["operator"], operation_id="adminSetTenantModels")  # fmt: skip
async def set_grant(
    tenant_id: str,
    body: Grant,
    services: Services,
    call: Call = managed("", operator=True, audit="models.grant", platform=True),
) -> dict[str, Any]:
    """Sets what is granted to a tenant; in force within a second."""
    rules = pb.ModelRules(
        has_granted=body.models is not None,
        granted=body.models or (),
        regions=body.regions,
        max_cost_nano_usd_per_million=body.max_cost_nano_usd_per_million,
    )
    request = pb.SetModelRulesRequest(rules=rules, tenant_id=(await look_up_tenant(tenant_id, services, call)).id)
    return await _set(request, services, call)


async def _set(request: pb.SetModelRulesRequest, services: Services, call: Call) -> dict[str, Any]:
    written = await services.llm.SetModelRules(request, context=call.context)
    if call.deed:
        call.deed.before, call.deed.after = _told(written.before), _told(written.rules)
    return _told(written.rules)


def _told(rules: pb.ModelRules) -> dict[str, Any]:
    return {
        "granted": list(rules.granted) if rules.has_granted else None,
        "allowed": list(rules.allowed) if rules.has_allowed else None,
        "regions": list(rules.regions),
        "max_cost_nano_usd_per_million": rules.max_cost_nano_usd_per_million,
    }
