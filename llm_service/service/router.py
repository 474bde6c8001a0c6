"""From the name in a call to the deployments that can take it, in the order in which they are tried."""

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import structlog

from chassis.errors import PlatformError
from llm_service.domain.calls import Call
from llm_service.domain.errors import ModelNotFound, ProviderNotConfigured, Unsupported
from llm_service.domain.models import Credential, Deployment, Model, Retirement
from llm_service.domain.store import Vault
from llm_service.domain.tenancy import ProviderKey, Tenancy
from llm_service.policy.keys import binding
from llm_service.policy.needs import asks, chooses, needs_of
from llm_service.policy.routing import Needs, affinity, allowed, check_allowed, incapable, not_found, ordered, places
from llm_service.service.catalogue import Catalogue
from llm_service.service.tenancies import Tenancies

log = structlog.get_logger()

ANY = Needs()
MOST_KNOWN = 10_000
MOST_NAMED = 5
"""Of models that can do what another cannot."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where a call may go, best first; at least one. `model`: as the ledger calls it."""

    model: str
    deployments: list[Deployment]
    max_output_tokens: int = 0
    retirement: Retirement | None = None


class Router:
    """Knows names and deployments; asks no provider. `source`: of chance, seeded in tests."""

    def __init__(
        self,
        catalogue: Catalogue,
        tenancies: Tenancies,
        vault: Vault,
        open_providers: Collection[str],
        source: random.Random | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._tenancies = tenancies
        self._vault = vault
        self._open = frozenset(open_providers)
        self._known: dict[tuple[str, str], tuple[Tenancy, Model, Route]] = {}
        """Routes that are the same for every call, by tenant and name, and what they were made of."""
        self._random = source or random.Random()  # noqa: S311  # shares of load are no secret

    async def route(self, call: Call) -> Route:
        """ModelNotFound, ModelNotAllowed, Unsupported."""
        tenancy = await self._tenancies.of(call.tenant_id)
        model = self._named(tenancy, call.model)
        known = self._known.get((call.tenant_id, call.model))
        judged = chooses(model)
        if known is not None and known[0] is tenancy and known[1] is model and not (judged and asks(call.body)):
            return known[2]
        self._check(tenancy, call.tenant_id, call.model, model)
        needs = needs_of(call.body) if judged else ANY
        try:
            able = places(model, tenancy, needs)
        except Unsupported as error:
            raise incapable(model, needs, self._capable(needs, tenancy, call.tenant_id)) from error
        found = [self._with_credential(deployment, key) for deployment, key in able]
        alone = len(found) == 1 and (len(model.deployments) == 1 or not judged)
        fixed = alone and found[0].credential is None and not needs.capabilities
        if len(found) > 1:
            chance = affinity(call.tenant_id, call.body) if model.sticky else self._chance
            found = ordered(found, chance)
        route = Route(model.price_key or model.name, found, model.max_output_tokens, model.retirement)
        if fixed:
            self._remember(call, tenancy, model, route)
        return route

    def resolve(self, tenancy: Tenancy, tenant_id: str, asked: str) -> Model:
        """The model that a tenant means by a name. ModelNotFound, ModelNotAllowed."""
        model = self._named(tenancy, asked)
        self._check(tenancy, tenant_id, asked, model)
        return model

    async def meant(self, tenant_id: str, asked: str) -> frozenset[str]:
        """Every name of what a tenant means by one: its own, what an alias stands for, its deployments'."""
        tenancy = await self._tenancies.of(tenant_id)
        try:
            model = self._named(tenancy, asked)
        except ModelNotFound:
            return frozenset((asked,))
        there = (f"{one.provider}/{one.upstream_model}" for one in model.deployments)
        return frozenset((asked, model.name, *there))

    async def permitted(self, tenant_id: str, names: Sequence[str]) -> list[str]:
        """Those of some models, of any service, that a tenant's rules name."""
        tenancy = await self._tenancies.of(tenant_id)
        return [name for name in names if allowed(tenancy.rules, name, tenancy.aliases.get(name, name))]

    async def priced_as(self, tenant_id: str, asked: str) -> str:
        """The name that the ledger has of a language model. ModelNotFound, ModelNotAllowed."""
        tenancy = await self._tenancies.of(tenant_id)
        model = self.resolve(tenancy, tenant_id, asked)
        places(model, tenancy, ANY)
        return model.price_key or model.name

    def _named(self, tenancy: Tenancy, asked: str) -> Model:
        opened = self._open.union(tenancy.keys) if tenancy.keys else self._open
        return self._catalogue.find(tenancy.aliases.get(asked, asked), opened)

    def _check(self, tenancy: Tenancy, tenant_id: str, asked: str, model: Model) -> None:
        if model.tenants and tenant_id not in model.tenants:
            raise not_found(asked)
        check_allowed(tenancy.rules, asked, tenancy.aliases.get(asked, asked))

    def _remember(self, call: Call, tenancy: Tenancy, model: Model, route: Route) -> None:
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[call.tenant_id, call.model] = (tenancy, model, route)

    def _capable(self, needs: Needs, tenancy: Tenancy, tenant_id: str) -> list[str]:
        """Some models of this tenant that have what a call needs."""
        names = (
            model.name
            for model in self._catalogue.models()
            if needs.capabilities <= {*model.capabilities}
            and (not model.tenants or tenant_id in model.tenants)
            and allowed(tenancy.rules, model.name, model.name)
        )
        return list(islice(names, MOST_NAMED))

    def _chance(self, _deployment: Deployment) -> float:
        return self._random.random()

    def _with_credential(self, deployment: Deployment, key: ProviderKey | None) -> Deployment:
        if key is None and deployment.credential_id:
            key = self._catalogue.key(deployment.credential_id)
            if key is None:
                raise ProviderNotConfigured("The key of this model's deployment is gone.")
        if key is None:
            return deployment
        try:
            secret = self._vault.open(key.sealed, *binding(key)).decode()
        except PlatformError as error:
            log.exception("a provider's key does not open: was the encryption secret changed?", key_id=key.id)
            raise ProviderNotConfigured("The key of this model's provider cannot be opened.") from error
        return replace(deployment, credential=Credential(key.id, secret, key.tenant_id))
