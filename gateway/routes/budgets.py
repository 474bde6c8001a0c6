"""Budgets: bounds on money and tokens that a tenant sets itself, of all of it, of a user, of a key."""

from typing import Annotated, Any, Literal

from aisp.auth.v1 import auth_service_pb2 as auth_pb
from aisp.auth.v1 import people_pb2
from aisp.usage.v1 import budgets_pb2 as pb
from fastapi import APIRouter
from pydantic import Field

from chassis.errors import NotFound
from gateway.admission import Call
from gateway.clients import Clients
from gateway.routes.common import (
    AUTHENTICATED,
    Body,
    Cursor,
    Limit,
    Services,
    StrictRoute,
    Whole,
    iso,
    iso_or_none,
    managed,
    page,
    problems,
)
from gateway.routes.raw import wrong

router = APIRouter(route_class=StrictRoute, prefix="/api/v1/budgets", tags=["budgets"])

SCOPES = {"tenant": pb.BUDGET_SCOPE_TENANT, "user": pb.BUDGET_SCOPE_USER, "key": pb.BUDGET_SCOPE_KEY}
MEASURES = {"cost_nano_usd": pb.BUDGET_MEASURE_COST, "tokens": pb.BUDGET_MEASURE_TOKENS}
PERIODS = {"day": pb.BUDGET_PERIOD_DAY, "month": pb.BUDGET_PERIOD_MONTH, "total": pb.BUDGET_PERIOD_TOTAL}
SCOPE_NAMES = {number: name for name, number in SCOPES.items()}
MEASURE_NAMES = {number: name for name, number in MEASURES.items()}
PERIOD_NAMES = {number: name for name, number in PERIODS.items()}

Name = Annotated[str, Field(min_length=1, max_length=200)]
Amount = Annotated[Whole, Field(ge=1, le=2**53, description="Nano-dollars, or tokens")]
Thresholds = Annotated[
    list[Annotated[Whole, Field(ge=1, le=100)]],
    Field(max_length=8, description="Percentages at which webhooks and the header X-AISP-Budget tell"),
]


class NewBudget(Body):
    """A budget to make."""

    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [
        {"name": "this month", "amount": 50000000000, "measure": "cost_nano_usd", "period": "month"}
    ]}}  # fmt: skip

    name: Name
    amount: Amount
    measure: Literal["cost_nano_usd", "tokens"] = "cost_nano_usd"
    period: Literal["day", "month", "total"] = "month"
    scope: Literal["tenant", "user", "key"] = "tenant"
    subject_id: Annotated[str, Field(max_length=64, description="The user's or the key's id")] | None = None
    thresholds: Thresholds = [80]
    hard_stop: bool = True


class BudgetChange(Body):
    """What is to be changed; the rest stays."""

    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [{"amount": 80000000000}]}}

    name: Name | None = None
    amount: Amount | None = None
    thresholds: Thresholds | None = None
    hard_stop: bool | None = None


@router.post("", status_code=201, responses=AUTHENTICATED | problems(400, 422), operation_id="createBudget")
async def create(
    body: NewBudget, services: Services, call: Call = managed("tenant:manage", audit="budget.create")
) -> dict[str, Any]:
    """Makes a budget. It is in force at once, with what was used in the present period before."""
    if body.subject_id:
        await _check_subject(body.scope, body.subject_id, services, call)
    budget = pb.Budget(
        name=body.name,
        amount=body.amount,
        measure=MEASURES[body.measure],
        period=PERIODS[body.period],
        scope=SCOPES[body.scope],
        subject_id=body.subject_id or "",
        thresholds=body.thresholds,
        hard_stop=body.hard_stop,
    )
    made = await services.usage.CreateBudget(pb.CreateBudgetRequest(budget=budget), context=call.context)
    return _told(call, made.budget)


@router.get("", responses=AUTHENTICATED | problems(400), operation_id="listBudgets")
async def list_budgets(
    services: Services, limit: Limit = 50, cursor: Cursor = "", call: Call = managed("usage:read")
) -> dict[str, Any]:
    """The tenant's budgets, newest first, with what is used of them."""
    request = pb.ListBudgetsRequest(page_size=limit, page_token=cursor)
    found = await services.usage.ListBudgets(request, context=call.context)
    return page([_budget(budget) for budget in found.budgets], found.next_page_token)


@router.get("/{budget_id}", responses=AUTHENTICATED | problems(404), operation_id="getBudget")
async def get(budget_id: str, services: Services, call: Call = managed("usage:read")) -> dict[str, Any]:
    """One budget."""
    found = await services.usage.GetBudget(pb.GetBudgetRequest(id=budget_id), context=call.context)
    return _budget(found.budget)


@router.patch("/{budget_id}", responses=AUTHENTICATED | problems(404, 422), operation_id="updateBudget")
async def update(
    budget_id: str,
    body: BudgetChange,
    services: Services,
    call: Call = managed("tenant:manage", audit="budget.update"),
) -> dict[str, Any]:
    """Changes a budget; in force at once."""
    request = pb.UpdateBudgetRequest(id=budget_id, name=body.name, amount=body.amount)
    if body.hard_stop is not None:
        request.hard_stop = body.hard_stop
    if body.thresholds is not None:
        request.thresholds.CopyFrom(pb.Thresholds(percents=body.thresholds))
    return _told(call, (await services.usage.UpdateBudget(request, context=call.context)).budget)


@router.delete("/{budget_id}", status_code=204, responses=AUTHENTICATED | problems(404), operation_id="deleteBudget")
async def delete(
    budget_id: str, services: Services, call: Call = managed("tenant:manage", audit="budget.delete")
) -> None:
    """Takes a budget away."""
    await services.usage.DeleteBudget(pb.DeleteBudgetRequest(id=budget_id), context=call.context)


async def _check_subject(scope: str, subject_id: str, services: Clients, call: Call) -> None:
    """A budget of nobody would bind nobody, and nobody would see it."""
    try:
        if scope == "key":
            await services.auth.GetApiKey(auth_pb.GetApiKeyRequest(id=subject_id), context=call.context)
        elif scope == "user":
            await services.auth.GetMember(people_pb2.GetMemberRequest(user_id=subject_id), context=call.context)
    except NotFound as error:
        raise wrong("subject_id", f"is no {scope} of this tenant") from error


def _told(call: Call, budget: pb.Budget) -> dict[str, Any]:
    document = _budget(budget)
    if call.deed:
        call.deed.resource_id = budget.id
        call.deed.after = {key: document[key] for key in ("name", "amount", "measure", "period", "scope", "hard_stop")}
    return document


def _budget(budget: pb.Budget) -> dict[str, Any]:
    return {
        "id": budget.id,
        "name": budget.name,
        "scope": SCOPE_NAMES[budget.scope],
        "subject_id": budget.subject_id or None,
        "measure": MEASURE_NAMES[budget.measure],
        "period": PERIOD_NAMES[budget.period],
        "amount": budget.amount,
        "used": budget.used,
        "remaining": max(0, budget.amount - budget.used),
        "thresholds": list(budget.thresholds),
        "hard_stop": budget.hard_stop,
        "resets_at": iso_or_none(budget, "reset_time"),
        "created_at": iso(budget.create_time),
    }
