"""What a plan means for a tenant, compiled into the meter, with what the ledger says that it used.

The meter asks (NEED_LIMITS) where it has nothing compiled, or knows that it is out of date: after a change, after a
day of rest, and after its server started anew, when writes may be lost.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import structlog
from prometheus_client import Counter

from usage_service.domain.errors import MeterUnavailable, NeedLimits, UnknownPlan
from usage_service.domain.limits import LimitState, Plan, Standing, Subject, TenantState
from usage_service.domain.ports import Meter, Repository, Store
from usage_service.policy.budgets import subjects_with_budgets, with_budgets
from usage_service.policy.limits import check_limits, check_plan, effective_limits
from usage_service.service.prices import Prices

log = structlog.get_logger()

OPENED = Counter("aisp_usage_partitions_opened_total", "Partitions of the meter opened for a server that started anew")
COMPILE_ATTEMPTS = 5


class Limits:
    """Compiles plans, tenants' own limits, keys' limits and budgets. `partition`: the number of a tenant's;
    `refuse_unpriced`: whether work of models without a price is refused to everybody.
    """

    def __init__(
        self,
        store: Store,
        meter: Meter,
        prices: Prices,
        clock: Callable[[], datetime],
        partition: Callable[[str], int],
        *,
        refuse_unpriced: bool,
    ) -> None:
        self._store = store
        self._meter = meter
        self._prices = prices
        self._flags = ("unpriced",) if refuse_unpriced else ()
        self._clock = clock
        self._partition = partition

    async def ensure(
        self, tenant_id: str, plan: str, version: int, key: Subject | None = None, user_id: str = ""
    ) -> None:
        """Compiles what an admission needs: the tenant under this version (or a newer one that is known), the key,
        the user. UnknownPlan, UnknownLimit.
        """
        if key:
            check_limits(key.limits)
        async with self._store.transaction(tenant_id) as repository:
            await self._plan(repository, plan)
            await repository.put_state(tenant_id, plan, version)
        others = [*([key] if key else []), *([Subject("user", user_id)] if user_id else [])]
        for _ in range(COMPILE_ATTEMPTS):
            if await self._compile(tenant_id, others):
                return
        raise MeterUnavailable(retry_after=1)

    async def ensure_known(self, tenant_id: str, key_id: str = "", user_id: str = "") -> int:
        """Compiles again what is known of the tenant; its version. UnknownPlan."""
        state = await self._state(tenant_id)
        if state is None:
            raise UnknownPlan("Nothing is known of this tenant's plan yet.")
        key = Subject("key", key_id) if key_id else None
        await self.ensure(tenant_id, state.plan, state.version, key, user_id)
        return state.version

    async def set_own(self, tenant_id: str, plan: str, version: int, changes: Mapping[str, int]) -> dict[str, int]:
        """Changes limits of the tenant's own, under a new version of it; all limits that hold. UnknownLimit."""
        check_limits(changes)
        async with self._store.transaction(tenant_id) as repository:
            await self._plan(repository, plan)
            await repository.put_state(tenant_id, plan, version)
            await repository.change_limits(tenant_id, changes)
            state = await repository.put_state(tenant_id, plan, version)
            limits = effective_limits(await self._plan(repository, state.plan), state.limits)
        await self._meter.invalidate(tenant_id)
        return limits

    async def of_tenant(self, tenant_id: str, plan: str) -> tuple[dict[str, int], dict[str, int]]:
        """The limits that hold for a tenant on this plan, and those that are its own. UnknownPlan."""
        async with self._store.transaction(tenant_id) as repository:
            state = await repository.get_state(tenant_id)
            own = dict(state.limits) if state else {}
            return effective_limits(await self._plan(repository, plan), own), own

    async def state(self, tenant_id: str, key_id: str, user_id: str = "") -> list[LimitState]:
        """How much of each limit is used; nothing of a tenant that never asked for admission. Marks are no limits."""
        try:
            found = await self._meter.limits(tenant_id, key_id, user_id)
        except NeedLimits:
            if await self._state(tenant_id) is None:
                return []
            await self.ensure_known(tenant_id, key_id, user_id)
            found = await self._meter.limits(tenant_id, key_id, user_id)
        return [row for row in found if not row.name.endswith("~")]

    async def open_partitions(self, numbers: Sequence[int]) -> None:
        """Opens partitions whose server started anew."""
        async with self._store.platform() as repository:
            positions = await repository.positions()
        await self._prices.publish_to(numbers)
        await self._meter.open({number: positions[number] for number in numbers})
        OPENED.inc(len(numbers))
        log.warning("the meter's server started anew: its partitions are open again", partitions=len(numbers))

    async def plans(self) -> list[Plan]:
        """All plans."""
        async with self._store.platform() as repository:
            return await repository.list_plans()

    async def put_plan(self, plan: Plan) -> tuple[Plan, int]:
        """Makes or replaces a plan; in force for the tenants on it at once: how many. UnknownLimit, BadTerms."""
        check_plan(plan)
        async with self._store.platform() as repository:
            written = await repository.put_plan(plan)
            tenants = await repository.tenants_on(plan.name)
        await self._meter.set_plan(written.name, written.version)
        return written, tenants

    @staticmethod
    async def _plan(repository: Repository, name: str) -> Plan:
        plan = await repository.get_plan(name)
        if plan is None:
            raise UnknownPlan(f"There is no plan {name[:64]}.")
        return plan

    async def _state(self, tenant_id: str) -> TenantState | None:
        async with self._store.transaction(tenant_id) as repository:
            return await repository.get_state(tenant_id)

    async def _compile(self, tenant_id: str, others: Sequence[Subject]) -> bool:
        """False where something changed meanwhile."""
        number = self._partition(tenant_id)
        opening = await self._meter.opening(tenant_id)
        if not opening.epoch:
            await self.open_partitions([number])
            opening = await self._meter.opening(tenant_id)
        prices = await self._prices.list_of(tenant_id)
        async with self._store.transaction(tenant_id) as repository:
            state = await repository.get_state(tenant_id)
            assert state is not None, "put_state came first"
            plan = await self._plan(repository, state.plan)
            limits = effective_limits(plan, state.limits)
            budgets = await repository.budgets_of([tenant_id])
            flags = (*subjects_with_budgets(budgets), *self._flags)
            tenant = Subject(
                "tenant", tenant_id, state.version, limits, flags=flags, prices=prices, plan=plan.name,
                plan_version=plan.version,
            )  # fmt: skip
            # A key without limits of its own, and a user, count only where the tenant says that some have budgets.
            wanted = [other for other in others if other.version or other.kind in flags]
            found: list[tuple[Subject, Standing]] = []
            for subject in (tenant, *wanted):
                standing = await repository.standing(subject, tenant_id, number, self._clock())
                found.append((with_budgets(replace(subject, prices=prices), budgets), standing))
        compiled = await asyncio.gather(
            *(self._meter.compile(tenant_id, opening, subject, standing) for subject, standing in found)
        )
        return all(compiled)
