"""Budgets."""

from datetime import UTC, datetime
from typing import Any

from aisp.usage.v1 import budgets_pb2 as pb
from aisp.usage.v1.usage_service_pb2_grpc import UsageServiceServicer

from chassis.pagination import PageRequest
from usage_service.domain.budgets import Budget, BudgetState, Measure, Period, Scope
from usage_service.domain.errors import BadBudget, BudgetNotFound
from usage_service.service.budgets import Budgets
from usage_service.servicer import wire

SCOPES = {
    pb.BUDGET_SCOPE_TENANT: Scope.TENANT, pb.BUDGET_SCOPE_USER: Scope.USER, pb.BUDGET_SCOPE_KEY: Scope.KEY,
}  # fmt: skip
MEASURES = {pb.BUDGET_MEASURE_COST: Measure.COST, pb.BUDGET_MEASURE_TOKENS: Measure.TOKENS}
PERIODS = {
    pb.BUDGET_PERIOD_DAY: Period.DAY, pb.BUDGET_PERIOD_MONTH: Period.MONTH, pb.BUDGET_PERIOD_TOTAL: Period.TOTAL,
}  # fmt: skip
WIRE_SCOPES = {scope: number for number, scope in SCOPES.items()}
WIRE_MEASURES = {measure: number for number, measure in MEASURES.items()}
WIRE_PERIODS = {period: number for number, period in PERIODS.items()}


class BudgetsServicer(UsageServiceServicer):
    """Translates."""

    _budgets: Budgets

    async def CreateBudget(self, request: pb.CreateBudgetRequest, _: Any) -> pb.CreateBudgetResponse:
        state = await self._budgets.create(_read(wire.caller().tenant_id, request.budget))
        return pb.CreateBudgetResponse(budget=_message(state))

    async def ListBudgets(self, request: pb.ListBudgetsRequest, _: Any) -> pb.ListBudgetsResponse:
        paging = PageRequest.parse(request.page_size, request.page_token, key_length=1)
        page = await self._budgets.list(wire.caller().tenant_id, wire.after_an_id(paging))
        return pb.ListBudgetsResponse(
            budgets=[_message(state) for state in page.items], next_page_token=page.next_cursor
        )

    async def GetBudget(self, request: pb.GetBudgetRequest, _: Any) -> pb.GetBudgetResponse:
        state = await self._budgets.get(wire.caller().tenant_id, _id(request.id))
        return pb.GetBudgetResponse(budget=_message(state))

    async def UpdateBudget(self, request: pb.UpdateBudgetRequest, _: Any) -> pb.UpdateBudgetResponse:
        state = await self._budgets.update(
            wire.caller().tenant_id,
            _id(request.id),
            name=request.name if request.HasField("name") else None,
            amount=request.amount if request.HasField("amount") else None,
            thresholds=list(request.thresholds.percents) if request.HasField("thresholds") else None,
            hard_stop=request.hard_stop if request.HasField("hard_stop") else None,
        )
        return pb.UpdateBudgetResponse(budget=_message(state))

    async def DeleteBudget(self, request: pb.DeleteBudgetRequest, _: Any) -> pb.DeleteBudgetResponse:
        await self._budgets.delete(wire.caller().tenant_id, _id(request.id))
        return pb.DeleteBudgetResponse()


def _id(text: str) -> str:
    if not wire.is_id(text):
        raise BudgetNotFound
    return text


def _read(tenant_id: str, told: pb.Budget) -> Budget:
    try:
        scope, measure, period = SCOPES[told.scope], MEASURES[told.measure], PERIODS[told.period]
    except KeyError as error:
        raise BadBudget("scope, measure and period are needed.") from error
    return Budget(
        id="",
        tenant_id=tenant_id,
        name=told.name,
        scope=scope,
        subject_id=told.subject_id,
        measure=measure,
        period=period,
        amount=told.amount,
        thresholds=tuple(sorted(set(told.thresholds))),
        hard_stop=told.hard_stop,
        created_at=datetime.now(UTC),
    )


def _message(state: BudgetState) -> pb.Budget:
    budget = state.budget
    message = pb.Budget(
        id=budget.id,
        name=budget.name,
        scope=WIRE_SCOPES[budget.scope],
        subject_id=budget.subject_id,
        measure=WIRE_MEASURES[budget.measure],
        period=WIRE_PERIODS[budget.period],
        amount=budget.amount,
        thresholds=budget.thresholds,
        hard_stop=budget.hard_stop,
        used=state.used,
        create_time=wire.time(budget.created_at),
    )
    if state.resets_at:
        message.reset_time.CopyFrom(wire.time(state.resets_at))
    return message
