"""What a plan means for a tenant, compiled into the meter."""

from collections.abc import Mapping

from usage_service import policy
from usage_service.domain import LimitState, Meter, Plan, Repository, Store, UnknownPlan


class Limits:
    """Compiles plans, tenants' own limits and keys' limits; versions only grow."""

    def __init__(self, store: Store, meter: Meter) -> None:
        self._store = store
        self._meter = meter

    async def ensure(self, tenant_id: str, plan: str, version: int) -> None:
        """Puts the limits of this version (or a newer one that is known) into the meter. UnknownPlan."""
        async with self._store.transaction(tenant_id) as repository:
            await self._plan(repository, plan)
            state = await repository.put_state(tenant_id, plan, version)
            limits = policy.effective_limits(await self._plan(repository, state.plan), state.limits)
        await self._meter.set_tenant_limits(tenant_id, state.version, limits)

    async def ensure_known(self, tenant_id: str) -> int:
        """Compiles again what is known of the tenant (its store forgot it); the version."""
        async with self._store.transaction(tenant_id) as repository:
            state = await repository.get_state(tenant_id)
        if state is None:
            raise UnknownPlan("Nothing is known of this tenant's plan yet.")
        await self.ensure(tenant_id, state.plan, state.version)
        return state.version

    async def ensure_key(self, tenant_id: str, key_id: str, version: int, limits: Mapping[str, int]) -> None:
        """Puts an API key's own limits into the meter. UnknownLimit."""
        policy.check_limits(limits)
        await self._meter.set_key_limits(tenant_id, key_id, version, limits)

    async def set_own(self, tenant_id: str, plan: str, version: int, changes: Mapping[str, int]) -> dict[str, int]:
        """Changes limits of the tenant's own, under a new version of it; all limits that hold. UnknownLimit."""
        policy.check_limits(changes)
        async with self._store.transaction(tenant_id) as repository:
            await self._plan(repository, plan)
            await repository.put_state(tenant_id, plan, version)
            await repository.change_limits(tenant_id, changes)
            state = await repository.put_state(tenant_id, plan, version)
            limits = policy.effective_limits(await self._plan(repository, state.plan), state.limits)
        await self._meter.set_tenant_limits(tenant_id, state.version, limits)
        return limits

    async def state(self, tenant_id: str, key_id: str) -> list[LimitState]:
        """How much of each limit is used."""
        return await self._meter.limits(tenant_id, key_id)

    async def plans(self) -> list[Plan]:
        """All plans."""
        async with self._store.platform() as repository:
            return await repository.list_plans()

    @staticmethod
    async def _plan(repository: Repository, name: str) -> Plan:
        plan = await repository.get_plan(name)
        if plan is None:
            raise UnknownPlan(f"There is no plan {name[:64]}.")
        return plan
