"""What a tenant is offered: the models that it may use, as it may name them, with their health."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from llm_service.domain.calls import LanguageModel
from llm_service.domain.models import Deployment, Health, Model
from llm_service.domain.tenancy import Tenancy
from llm_service.policy.routing import allowed, placed
from llm_service.service.catalogue import Catalogue
from llm_service.service.tenancies import Tenancies

RANK = {Health.OK: 0, Health.FAILING: 1, Health.NOT_CONFIGURED: 2}


@dataclass(frozen=True, slots=True)
class Offer:
    """A model as a tenant sees it. `alias_of`: the name that it stands for."""

    model: Model
    health: Health
    alias_of: str = ""


class Offers:
    """Reads what others keep; asks no provider."""

    def __init__(self, catalogue: Catalogue, tenancies: Tenancies, providers: Mapping[str, LanguageModel]) -> None:
        self._catalogue = catalogue
        self._tenancies = tenancies
        self._providers = providers

    async def to(self, tenant_id: str) -> list[Offer]:
        """By name, aliases last."""
        tenancy = await self._tenancies.of(tenant_id)
        seen = {
            model.name: Offer(model, self.health(model, tenancy))
            for model in self._catalogue.models()
            if not model.tenants or tenant_id in model.tenants
        }
        named = [(name, name) for name in seen]
        named += [(alias, target) for alias, target in tenancy.aliases.items() if target in seen]
        return [
            seen[name] if asked == name else _renamed(asked, seen[name])
            for asked, name in named
            if allowed(tenancy.rules, asked, name) and placed(seen[name].model, tenancy)
        ]

    def health(self, model: Model, tenancy: Tenancy) -> Health:
        """Of its best deployment."""
        return min((self._of(deployment, tenancy) for deployment in model.deployments), key=RANK.__getitem__)

    def _of(self, deployment: Deployment, tenancy: Tenancy) -> Health:
        provider = self._providers.get(deployment.provider)
        if provider is None:
            return Health.NOT_CONFIGURED
        found = provider.health(deployment)
        own = deployment.provider in tenancy.keys and not deployment.base_url
        return Health.OK if found is Health.NOT_CONFIGURED and own else found


def _renamed(alias: str, offer: Offer) -> Offer:
    return replace(offer, model=replace(offer.model, name=alias), alias_of=offer.model.name)
