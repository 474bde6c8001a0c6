"""The catalogue in memory: a snapshot, read again every few seconds, so that no call waits for the database."""

from collections.abc import Mapping
from types import MappingProxyType

from llm_service.domain.models import Model
from llm_service.domain.store import Store
from llm_service.policy.routing import resolve


class Catalogue:
    """Names and where they are served."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._models: Mapping[str, Model] = MappingProxyType({})

    async def refresh(self) -> None:
        """Reads the catalogue."""
        async with self._store.platform() as repository:
            models = await repository.list_models()
        self._models = MappingProxyType({model.name: model for model in models})

    def resolve(self, name: str) -> Model:
        """ModelNotFound."""
        return resolve(self._models, name)

    def models(self) -> list[Model]:
        """All rows, by name."""
        return list(self._models.values())
