"""Plans and prices, for operators."""

from datetime import UTC, datetime
from typing import Any

from aisp.usage.v1 import prices_pb2
from aisp.usage.v1 import usage_service_pb2 as pb
from aisp.usage.v1.usage_service_pb2_grpc import UsageServiceServicer
from google.protobuf.timestamp_pb2 import Timestamp

from chassis import context
from chassis.errors import InvalidArgument
from usage_service.domain.errors import BadTerms
from usage_service.domain.limits import Plan
from usage_service.domain.prices import Markup, Price, Tier
from usage_service.service.limits import Limits
from usage_service.service.prices import Prices
from usage_service.servicer import wire

MAX_PRICES = 500


class TermsServicer(UsageServiceServicer):
    """Translates."""

    _limits: Limits
    _prices: Prices

    async def SetTenantLimits(self, request: pb.SetTenantLimitsRequest, _: Any) -> pb.SetTenantLimitsResponse:
        context.current().require_operator()
        limits = await self._limits.set_own(
            request.tenant_id, request.plan, request.tenant_version, dict(request.limits)
        )
        return pb.SetTenantLimitsResponse(limits=limits)

    async def GetTenantLimits(self, request: pb.GetTenantLimitsRequest, _: Any) -> pb.GetTenantLimitsResponse:
        context.current().require_operator()
        limits, own = await self._limits.of_tenant(request.tenant_id, request.plan)
        return pb.GetTenantLimitsResponse(limits=limits, own_limits=own)

    async def ListPlans(self, _request: pb.ListPlansRequest, _: Any) -> pb.ListPlansResponse:
        context.current().require_operator()
        return pb.ListPlansResponse(plans=[_plan(plan) for plan in await self._limits.plans()])

    async def PutPlan(self, request: pb.PutPlanRequest, _: Any) -> pb.PutPlanResponse:
        context.current().require_operator()
        told = request.plan
        plan, tenants = await self._limits.put_plan(
            Plan(told.name, dict(told.limits), told.support, told.sla_basis_points)
        )
        return pb.PutPlanResponse(plan=_plan(plan), tenants=tenants)

    async def ListPrices(self, request: prices_pb2.ListPricesRequest, _: Any) -> prices_pb2.ListPricesResponse:
        if request.tenant_id or request.history:
            context.current().require_operator()
        if request.tenant_id and not wire.is_id(request.tenant_id):
            raise InvalidArgument("tenant_id: is no id.")
        narrowed = request.provider, request.model
        if request.history or request.tenant_id:
            found = await self._prices.history(request.tenant_id, *narrowed)
        else:
            found = await self._prices.in_force(*narrowed)
        markups = await self._prices.markups(request.tenant_id) if request.tenant_id else []
        return prices_pb2.ListPricesResponse(
            prices=[_price(price) for price in found], markups=[_markup(markup) for markup in markups]
        )

    async def AddPrices(self, request: prices_pb2.AddPricesRequest, _: Any) -> prices_pb2.AddPricesResponse:
        context.current().require_operator()
        if not 1 <= len(request.prices) <= MAX_PRICES:
            raise BadTerms(f"prices: 1 to {MAX_PRICES}.")
        added = await self._prices.add([_read_price(price) for price in request.prices])
        return prices_pb2.AddPricesResponse(prices=[_price(price) for price in added])

    async def AddMarkup(self, request: prices_pb2.AddMarkupRequest, _: Any) -> prices_pb2.AddMarkupResponse:
        context.current().require_operator()
        told = request.markup
        if not wire.is_id(told.tenant_id):
            raise InvalidArgument("tenant_id: is no id.")
        markup = await self._prices.add_markup(
            Markup(0, told.tenant_id, told.basis_points, _from(told.effective_time, told.HasField("effective_time")))
        )
        return prices_pb2.AddMarkupResponse(markup=_markup(markup))


def _plan(plan: Plan) -> pb.Plan:
    return pb.Plan(
        name=plan.name,
        limits=plan.limits,
        support=plan.support,
        sla_basis_points=plan.sla_basis_points,
        version=plan.version,
        position=plan.position,
    )


def _price(price: Price) -> prices_pb2.Price:
    return prices_pb2.Price(
        version=price.version,
        provider=price.provider,
        model=price.model,
        unit=wire.UNITS[price.unit],
        nano_usd_per_million=price.nano_usd_per_million,
        effective_time=wire.time(price.effective_at),
        source=price.source,
        tenant_id=price.tenant_id,
        tiers=[
            prices_pb2.PriceTier(
                from_input_tokens=tier.from_input_tokens, nano_usd_per_million=tier.nano_usd_per_million
            )
            for tier in price.tiers
        ],
    )


def _read_price(told: prices_pb2.Price) -> Price:
    unit = wire.UNITS_BACK.get(told.unit)
    if unit is None:
        raise BadTerms("unit: is missing.")
    if told.tenant_id and not wire.is_id(told.tenant_id):
        raise InvalidArgument("tenant_id: is no id.")
    effective = _from(told.effective_time, told.HasField("effective_time"))
    tiers = tuple(Tier(tier.from_input_tokens, tier.nano_usd_per_million) for tier in told.tiers)
    rate = told.nano_usd_per_million
    return Price(0, told.provider, told.model, unit, rate, effective, told.source, told.tenant_id, tiers)


def _markup(markup: Markup) -> prices_pb2.Markup:
    return prices_pb2.Markup(
        version=markup.version,
        tenant_id=markup.tenant_id,
        basis_points=markup.basis_points,
        effective_time=wire.time(markup.effective_at),
    )


def _from(stamp: Timestamp, given: bool) -> datetime:  # what HasField says of it
    return stamp.ToDatetime(UTC) if given else datetime.now(UTC)
