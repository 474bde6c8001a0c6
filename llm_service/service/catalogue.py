"""The catalogue in memory: a snapshot, read again when it changed, so that no call waits for the database."""

from collections.abc import Collection, Mapping
from types import MappingProxyType

from llm_service.domain.errors import CatalogueUnread
from llm_service.domain.models import Model
from llm_service.domain.store import Store
from llm_service.domain.tenancy import ProviderKey
from llm_service.policy.names import STAR
from llm_service.policy.routing import find

MOST_FOUND = 10_000


class Catalogue:
    """Names and where they are served, and the platform's own keys for deployments that name one. Until it was read
    once nothing is known of any name, not even that it means nothing.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._models: Mapping[str, Model] | None = None
        self._keys: Mapping[str, ProviderKey] = MappingProxyType({})
        self._found: dict[tuple[str, Collection[str]], Model] = {}
        """What names were found to mean, of this snapshot."""

    async def refresh(self) -> None:
        """Reads the catalogue."""
        async with self._store.platform() as repository:
            models = await repository.list_models()
            keys = await repository.provider_keys("")
        self._models = MappingProxyType({model.name: model for model in models})
        self._found = {}
        self._keys = MappingProxyType({key.id: key for key in keys})

    def find(self, name: str, open_providers: frozenset[str]) -> Model:
        """ModelNotFound, CatalogueUnread. The same object until the catalogue is read again."""
        found = self._found.get((name, open_providers))
        if found is None:
            if len(self._found) >= MOST_FOUND:
                # Clients may invent names behind a provider's prefix.
                self._found.clear()
            found = self._found[name, open_providers] = find(self._rows(), open_providers, name)
        return found

    def key(self, key_id: str) -> ProviderKey | None:
        """One of the platform's."""
        return self._keys.get(key_id)

    def models(self) -> list[Model]:
        """All rows that are names, not patterns, by name. CatalogueUnread."""
        return [model for name, model in self._rows().items() if STAR not in name]

    @property
    def loaded(self) -> bool:
        """Whether it was read."""
        return self._models is not None

    def _rows(self) -> Mapping[str, Model]:
        if self._models is None:
            raise CatalogueUnread(retry_after=1)
        return self._models
