"""Budgets: set by tenants, counted by the meter before the work and by the ledger after it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from chassis.pagination import Page, PageRequest
from usage_service.domain.budgets import Budget, BudgetState, Period, Scope
from usage_service.domain.errors import BudgetNotFound, TooManyBudgets
from usage_service.domain.ledger import LedgerEvent
from usage_service.domain.limits import Standing, Subject
from usage_service.domain.ports import Meter, Repository, Store
from usage_service.domain.webhooks import BUDGET_EXHAUSTED, BUDGET_THRESHOLD
from usage_service.policy import budgets as policy
from usage_service.service.tellings import Tellings


class Budgets:
    """Makes, changes, lists. `most`: how many a tenant may have; `partition`: the number of a tenant's; `new_id` makes
    ids in order of time.
    """

    def __init__(
        self,
        store: Store,
        meter: Meter,
        spendings: "Spendings",
        clock: Callable[[], datetime],
        partition: Callable[[str], int],
        new_id: Callable[[], str],
        most: int,
    ) -> None:
        self._new_id = new_id
        self._store = store
        self._meter = meter
        self._spendings = spendings
        self._clock = clock
        self._partition = partition
        self._most = most

    async def create(self, budget: Budget) -> BudgetState:
        """In force at once, with what was used in the present period before. BadBudget, TooManyBudgets."""
        budget = replace(budget, id=self._new_id())
        policy.check_budget(budget)
        async with self._store.transaction(budget.tenant_id) as repository:
            # While nothing is booked: what was used up to now, and what comes, then meet without a gap.
            await repository.lock_ledger()
            if len(await repository.budgets_of([budget.tenant_id])) >= self._most:
                raise TooManyBudgets
            await repository.put_budget(budget)
            start = policy.period_start(budget.period, self._clock().date())
            used = await repository.spend(budget, start, await self._used_before(repository, budget))
            await self._spendings.tell_crossed(repository, budget, start.isoformat(), used)
        await self._meter.invalidate(budget.tenant_id)
        return self._state(budget, used)

    async def list(self, tenant_id: str, request: PageRequest) -> Page[BudgetState]:
        """Newest first."""
        async with self._store.transaction(tenant_id) as repository:
            found = await repository.list_budgets(tenant_id, request.size, request.after)
            states = [await self._read(repository, budget) for budget in found]
        return request.page(states, lambda state: (state.budget.id,))

    async def get(self, tenant_id: str, budget_id: str) -> BudgetState:
        """BudgetNotFound."""
        async with self._store.transaction(tenant_id) as repository:
            return await self._read(repository, await _found(repository, tenant_id, budget_id))

    async def update(
        self,
        tenant_id: str,
        budget_id: str,
        *,
        name: str | None = None,
        amount: int | None = None,
        thresholds: Sequence[int] | None = None,
        hard_stop: bool | None = None,
    ) -> BudgetState:
        """What is None stays. BudgetNotFound, BadBudget."""
        async with self._store.transaction(tenant_id) as repository:
            await repository.lock_ledger()
            before = await _found(repository, tenant_id, budget_id)
            budget = replace(
                before,
                name=before.name if name is None else name,
                amount=before.amount if amount is None else amount,
                thresholds=before.thresholds if thresholds is None else tuple(sorted(set(thresholds))),
                hard_stop=before.hard_stop if hard_stop is None else hard_stop,
            )
            policy.check_budget(budget)
            await repository.put_budget(budget)
            state = await self._read(repository, budget)
            start = policy.period_start(budget.period, self._clock().date())
            await self._spendings.tell_crossed(repository, budget, start.isoformat(), state.used)
        await self._meter.invalidate(tenant_id)
        return state

    async def delete(self, tenant_id: str, budget_id: str) -> None:
        """BudgetNotFound."""
        async with self._store.transaction(tenant_id) as repository:
            if not await repository.delete_budget(tenant_id, budget_id):
                raise BudgetNotFound
        await self._meter.invalidate(tenant_id)

    async def _used_before(self, repository: Repository, budget: Budget) -> int:
        subject = Subject(budget.scope.value, budget.subject_id or budget.tenant_id)
        number = self._partition(budget.tenant_id)
        standing: Standing = await repository.standing(subject, budget.tenant_id, number, self._clock())
        periods = {Period.DAY: standing.day, Period.MONTH: standing.month, Period.TOTAL: standing.total}
        return policy.measured(budget.measure, periods[budget.period])

    async def _read(self, repository: Repository, budget: Budget) -> BudgetState:
        start = policy.period_start(budget.period, self._clock().date())
        return self._state(budget, await repository.used_of(budget.tenant_id, budget.id, start))

    def _state(self, budget: Budget, used: int) -> BudgetState:
        return BudgetState(budget, used, policy.period_end(budget.period, self._clock().date()))


class Spendings:
    """What is booked against budgets, and who is told when a threshold is crossed."""

    def __init__(self, tellings: Tellings) -> None:
        self._tellings = tellings

    async def book(self, repository: Repository, rows: Sequence[LedgerEvent]) -> None:
        """Adds new events of the ledger, in their own transaction."""
        tenants = {row.event.tenant_id for row in rows}
        budgets = await repository.budgets_of(tenants) if tenants else []
        by_id = {budget.id: budget for budget in budgets}
        for (budget_id, start), added in sorted(policy.spending(budgets, rows).items()):
            budget = by_id[budget_id]
            used = await repository.spend(budget, start, added)
            await self.tell_crossed(repository, budget, start.isoformat(), used)

    async def tell_crossed(self, repository: Repository, budget: Budget, start: str, used: int) -> None:
        """Tells of each threshold that is reached, once a period (and once more where the amount was changed)."""
        for percent in policy.crossed(budget, used):
            data = {
                "budget_id": budget.id,
                "name": budget.name,
                "scope": budget.scope.value,
                "subject_id": budget.subject_id if budget.scope is not Scope.TENANT else None,
                "limit": budget.limit_name,
                "amount": budget.amount,
                "used": used,
                "threshold_percent": percent,
                "hard_stop": budget.hard_stop,
                "period_start": start,
            }
            kind = BUDGET_EXHAUSTED if percent == policy.ALL else BUDGET_THRESHOLD
            once = f"budget:{budget.id}:{start}:{budget.amount}:{percent}"
            await self._tellings.tell(repository, budget.tenant_id, kind, data, once)


async def _found(repository: Repository, tenant_id: str, budget_id: str) -> Budget:
    budget = await repository.get_budget(tenant_id, budget_id)
    if budget is None:
        raise BudgetNotFound
    return budget
