"""Which models a tenant may use, and how it calls them."""

from collections.abc import Sequence
from dataclasses import replace

from llm_service.domain.store import Store
from llm_service.domain.tenancy import ModelRules, Tenancy
from llm_service.policy.catalogue import check_alias, checked_rules
from llm_service.service.router import Router


class Rules:
    """Read and written in the database: the copies in memory follow by themselves."""

    def __init__(self, store: Store, router: Router, max_aliases: int) -> None:
        self._store = store
        self._router = router
        self._max_aliases = max_aliases

    async def of(self, tenant_id: str) -> Tenancy:
        """What a tenant has of its own."""
        async with self._store.transaction(tenant_id) as repository:
            return await repository.tenancy(tenant_id)

    async def permitted(self, tenant_id: str, names: Sequence[str]) -> list[str]:
        """Those that a tenant may use, as calls see it."""
        return await self._router.permitted(tenant_id, names)

    async def priced_as(self, tenant_id: str, names: Sequence[str]) -> list[str]:
        """The names that the ledger has of language models. ModelNotFound, ModelNotAllowed."""
        return [await self._router.priced_as(tenant_id, name) for name in names]

    async def allow(self, tenant_id: str, allowed: tuple[str, ...] | None) -> tuple[Tenancy, Tenancy]:
        """By the tenant's admin. As it is, and as it was. BadRules."""
        async with self._store.transaction(tenant_id) as repository:
            before = await repository.tenancy(tenant_id)
            rules = checked_rules(replace(before.rules, allowed=allowed))
            await repository.put_rules(tenant_id, rules)
        return replace(before, rules=rules), before

    async def grant(self, tenant_id: str, granted: ModelRules) -> tuple[Tenancy, Tenancy]:
        """By an operator; what the tenant itself allows stays. As it is, and as it was. BadRules."""
        async with self._store.transaction(tenant_id) as repository:
            before = await repository.tenancy(tenant_id)
            rules = checked_rules(replace(granted, allowed=before.rules.allowed))
            await repository.put_rules(tenant_id, rules)
        return replace(before, rules=rules), before

    async def set_alias(self, tenant_id: str, alias: str, model: str) -> None:
        """BadRules, ModelNotFound, ModelNotAllowed."""
        async with self._store.transaction(tenant_id) as repository:
            tenancy = await repository.tenancy(tenant_id)
            check_alias(alias, self._max_aliases, list(tenancy.aliases))
            # An alias of an alias would be one more thing to follow: it names a model.
            self._router.resolve(replace(tenancy, aliases={}), tenant_id, model)
            await repository.put_alias(tenant_id, alias, model)

    async def delete_alias(self, tenant_id: str, alias: str) -> None:
        """AliasNotFound."""
        async with self._store.transaction(tenant_id) as repository:
            await repository.remove_alias(tenant_id, alias)
