"""For operators: plans, prices, markups. What was charged stays: a new version holds from now on or later."""

from typing import Annotated, Any

from aisp.usage.v1 import prices_pb2
from aisp.usage.v1 import usage_service_pb2 as pb
from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, Field

from gateway.admission import UNITS, Call
from gateway.routes.admin import look_up_tenant
from gateway.routes.common import AUTHENTICATED, Body, Paged, Services, StrictRoute, Whole, iso, managed, problems
from gateway.routes.raw import wrong

router = APIRouter(route_class=StrictRoute, prefix="/api/v1/admin", tags=["operator"])

UNIT_NUMBERS = {name: number for number, name in UNITS.items()}
PRICE_ORDER = ("provider", "model", "unit", "effective_at", "version")
Name = Annotated[str, Field(min_length=1, max_length=200)]
Id = Annotated[str, Field(max_length=64)]
Word = Annotated[str, Query(max_length=200)]
PlanName = Annotated[str, Path(pattern="^[a-z][a-z0-9_-]{0,63}$")]


class PlanBody(Body):
    """A plan. A limit that is absent does not limit."""

    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [
        {"limits": {"requests_per_minute": 500, "tokens_per_day": 2000000}, "support": "email", "sla_percent": 99.0}
    ]}}  # fmt: skip

    limits: Annotated[dict[str, Annotated[Whole, Field(ge=0, le=2**53)]], Field(max_length=32)]
    support: Annotated[str, Field(max_length=200)] = ""
    sla_percent: Annotated[float, Field(ge=0, le=100)] | None = None


class NewTier(Body):
    """What one million units cost in a call that reads so many tokens or more: 272001 for "above 272,000"."""

    from_input_tokens: Annotated[Whole, Field(ge=1, le=10**9)]
    nano_usd_per_million: Annotated[Whole, Field(ge=0, le=10**15)]


class NewPrice(Body):
    """A version of a price. Without `tenant_id` for everybody; without `effective_at` from now on. `tiers`: what longer
    calls cost, all of such a call.
    """

    provider: Name
    model: Name
    unit: Annotated[str, Field(max_length=64)]
    nano_usd_per_million: Annotated[Whole, Field(ge=0, le=10**15)]
    effective_at: AwareDatetime | None = None
    source: Annotated[str, Field(max_length=500)] = ""
    tenant_id: Id | None = None
    tiers: Annotated[list[NewTier], Field(max_length=8)] = []


class NewPrices(Body):
    """Versions of prices, all or none."""

    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [{"prices": [{
        "provider": "openai", "model": "gpt-4o-mini", "unit": "output_tokens", "nano_usd_per_million": 600000000,
        "source": "contract 12",
    }]}]}}  # fmt: skip

    prices: Annotated[list[NewPrice], Field(min_length=1, max_length=500)]


class NewMarkup(Body):
    """What a tenant pays beside the prices for everybody: 2,000 basis points are 20 %."""

    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [{"basis_points": 2000}]}}

    basis_points: Annotated[Whole, Field(ge=-10_000, le=1_000_000)]
    effective_at: AwareDatetime | None = None


@router.get("/plans", responses=AUTHENTICATED | problems(400), operation_id="adminListPlans")
async def list_plans(services: Services, part: Paged, call: Call = managed("", operator=True)) -> dict[str, Any]:
    """The plans. A limit that is absent does not limit."""
    found = await services.usage.ListPlans(pb.ListPlansRequest(), context=call.context)
    return part.of([_plan(plan) for plan in found.plans], "position", "name")


@router.put("/plans/{name}", responses=AUTHENTICATED | problems(400, 422), operation_id="adminPutPlan")
async def put_plan(
    name: PlanName,
    body: PlanBody,
    services: Services,
    call: Call = managed("", operator=True, audit="plan.put", platform=True),
) -> dict[str, Any]:
    """Makes or replaces a plan; in force for every tenant on it within a second."""
    plan = pb.Plan(
        name=name, limits=body.limits, support=body.support, sla_basis_points=round((body.sla_percent or 0) * 100)
    )
    written = await services.usage.PutPlan(pb.PutPlanRequest(plan=plan), context=call.context)
    if call.deed:
        call.deed.after = {"limits": body.limits, "support": body.support, "sla_percent": body.sla_percent}
    return _plan(written.plan) | {"tenants": written.tenants}


@router.get("/prices", responses=AUTHENTICATED | problems(400, 422), operation_id="adminListPrices")
async def list_prices(
    services: Services,
    provider: Word = "",
    model: Word = "",
    tenant_id: Annotated[str, Query(max_length=64, description="Whose own terms, every version")] = "",
    history: Annotated[bool, Query(description="Every version, not only what is in force")] = False,
    *,
    part: Paged,
    call: Call = managed("", operator=True),
) -> dict[str, Any]:
    """The prices in force for everybody; every version with `history`; a tenant's own terms with `tenant_id`."""
    request = prices_pb2.ListPricesRequest(provider=provider, model=model, tenant_id=tenant_id, history=history)
    found = await services.usage.ListPrices(request, context=call.context)
    document = part.of([_price(price) for price in found.prices], *PRICE_ORDER)
    return document | ({"markups": [_markup(markup) for markup in found.markups]} if tenant_id else {})


@router.post(
    "/prices", status_code=201, responses=AUTHENTICATED | problems(404, 409, 422), operation_id="adminAddPrices"
)
async def add_prices(
    body: NewPrices,
    services: Services,
    call: Call = managed("", operator=True, audit="price.create", platform=True),
) -> dict[str, Any]:
    """Adds versions, from now or a later time on."""
    request = prices_pb2.AddPricesRequest()
    for tenant_id in {price.tenant_id for price in body.prices if price.tenant_id}:
        await look_up_tenant(tenant_id, services, call)
    for index, price in enumerate(body.prices):
        if price.unit not in UNIT_NUMBERS:
            raise wrong(f"prices.{index}.unit", f"must be one of {', '.join(UNIT_NUMBERS)}")
        row = request.prices.add(
            provider=price.provider,
            model=price.model,
            unit=UNIT_NUMBERS[price.unit],
            nano_usd_per_million=price.nano_usd_per_million,
            source=price.source,
            tenant_id=price.tenant_id or "",
        )
        if price.effective_at is not None:
            row.effective_time.FromDatetime(price.effective_at)
        for tier in price.tiers:
            row.tiers.add(from_input_tokens=tier.from_input_tokens, nano_usd_per_million=tier.nano_usd_per_million)
    added = (await services.usage.AddPrices(request, context=call.context)).prices
    if call.deed:
        call.deed.after = {"versions": [price.version for price in added]}
    return {"data": [_price(price) for price in added]}


@router.post(
    "/tenants/{tenant_id}/markups",
    status_code=201,
    responses=AUTHENTICATED | problems(404, 409, 422),
    operation_id="adminAddMarkup",
)
async def add_markup(
    tenant_id: Annotated[str, Path(max_length=64)],
    body: NewMarkup,
    services: Services,
    call: Call = managed("", operator=True, audit="markup.create", platform=True),
) -> dict[str, Any]:
    """Adds a version of a tenant's markup. Its own prices are not marked up."""
    await look_up_tenant(tenant_id, services, call)
    markup = prices_pb2.Markup(tenant_id=tenant_id, basis_points=body.basis_points)
    if body.effective_at is not None:
        markup.effective_time.FromDatetime(body.effective_at)
    added = (await services.usage.AddMarkup(prices_pb2.AddMarkupRequest(markup=markup), context=call.context)).markup
    if call.deed:
        call.deed.after = {"basis_points": added.basis_points, "version": added.version}
    return _markup(added)


def _plan(plan: pb.Plan) -> dict[str, Any]:
    return {
        "name": plan.name,
        "limits": dict(plan.limits),
        "support": plan.support,
        "sla_percent": plan.sla_basis_points / 100 or None,
        "version": plan.version,
        "position": plan.position,
    }


def _price(price: prices_pb2.Price) -> dict[str, Any]:
    return {
        "version": price.version,
        "provider": price.provider,
        "model": price.model,
        "unit": UNITS[price.unit],
        "nano_usd_per_million": price.nano_usd_per_million,
        "effective_at": iso(price.effective_time),
        "source": price.source,
        "tenant_id": price.tenant_id or None,
        "tiers": tiers_of(price),
    }


def tiers_of(price: prices_pb2.Price) -> list[dict[str, int]]:
    """What longer calls cost."""
    return [
        {"from_input_tokens": tier.from_input_tokens, "nano_usd_per_million": tier.nano_usd_per_million}
        for tier in price.tiers
    ]


def _markup(markup: prices_pb2.Markup) -> dict[str, Any]:
    return {
        "version": markup.version,
        "tenant_id": markup.tenant_id,
        "basis_points": markup.basis_points,
        "effective_at": iso(markup.effective_time),
    }
