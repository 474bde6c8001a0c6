"""The catalogue as an operator changes it. What is written is in force once the database has told of it."""

from collections.abc import Callable
from datetime import datetime

from chassis.erasure import Erased
from llm_service.domain.errors import BadModel
from llm_service.domain.models import Model
from llm_service.domain.providers import Providers
from llm_service.domain.store import Repository, Store
from llm_service.policy.catalogue import announced, checked_model
from llm_service.policy.routing import not_found


class Models:
    """Rows."""

    def __init__(self, store: Store, providers: Providers, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._providers = providers
        self._clock = clock

    async def list(self) -> list[Model]:
        """All rows as they stand in the database, by name; patterns, too."""
        async with self._store.platform() as repository:
            return await repository.list_models()

    async def create(self, model: Model) -> Model:
        """BadModel, ModelExists."""
        wanted = announced(checked_model(model, self._providers), self._clock())
        async with self._store.platform() as repository:
            await _check_credentials(repository, wanted)
            await repository.put_model(wanted, new=True)
            return _named(await repository.list_models(), model.name)

    async def update(self, model: Model) -> tuple[Model, Model]:
        """As it is now, and as it was. BadModel, ModelNotFound."""
        wanted = checked_model(model, self._providers)
        async with self._store.platform() as repository:
            before = _named(await repository.list_models(), model.name)
            await _check_credentials(repository, wanted)
            await repository.put_model(announced(wanted, self._clock(), before), new=False)
            return _named(await repository.list_models(), model.name), before

    async def delete(self, name: str) -> Model:
        """As it was. ModelNotFound."""
        async with self._store.platform() as repository:
            before = _named(await repository.list_models(), name)
            await repository.remove_model(name)
            return before

    async def erase(self, tenant_id: str, _deletion_id: str) -> Erased:
        """Of a tenant that was deleted: the rows that are for it."""
        async with self._store.platform() as repository:
            return Erased({"models_of_its_own": await repository.forget_tenant(tenant_id)})


async def _check_credentials(repository: Repository, model: Model) -> None:
    known = {key.id for key in await repository.provider_keys("")}
    for deployment in model.deployments:
        if deployment.credential_id and deployment.credential_id not in known:
            raise BadModel(f"There is no key {deployment.credential_id[:64]} of the platform.")


def _named(models: list[Model], name: str) -> Model:
    for model in models:
        if model.name == name:
            return model
    raise not_found(name)
