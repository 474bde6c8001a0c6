"""Keys of providers: a tenant's own, and the platform's for single deployments. What is told of them has no secret."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

from llm_service.domain.errors import ProviderKeyNotFound
from llm_service.domain.providers import Providers
from llm_service.domain.store import Repository, Store, Vault
from llm_service.domain.tenancy import ProviderKey
from llm_service.policy.keys import binding, check_key, check_secret, hint


class ProviderKeys:
    """`check_address`: the address as it will be called, or an error if it may not be; `new_id` makes UUIDs."""

    def __init__(
        self,
        store: Store,
        vault: Vault,
        providers: Providers,
        check_address: Callable[[str], str],
        new_id: Callable[[], str],
    ) -> None:
        self._store = store
        self._vault = vault
        self._providers = providers
        self._check_address = check_address
        self._new_id = new_id

    async def create(self, key: ProviderKey, secret: str) -> ProviderKey:
        """BadProviderKey, UrlRefused, AddressRefused, ProviderKeyExists."""
        check_key(key, secret, self._providers)
        if key.base_url and key.tenant_id:
            key = replace(key, base_url=self._check_address(key.base_url))
        key = replace(key, id=self._new_id(), hint=hint(secret), name=key.name or key.provider)
        key = replace(key, sealed=self._vault.seal(secret.encode(), *binding(key)))
        async with self._of(key.tenant_id) as repository:
            return await repository.add_provider_key(key)

    async def list(self, tenant_id: str) -> list[ProviderKey]:
        """A tenant's, or (without one) the platform's."""
        async with self._of(tenant_id) as repository:
            return await repository.provider_keys(tenant_id)

    async def rotate(self, tenant_id: str, key_id: str, secret: str) -> ProviderKey:
        """BadProviderKey, ProviderKeyNotFound."""
        check_secret(secret, empty=False)
        async with self._of(tenant_id) as repository:
            known = await _known(repository, tenant_id, key_id)
            sealed = self._vault.seal(secret.encode(), *binding(known))
            return await repository.replace_provider_key(tenant_id, key_id, sealed, hint(secret))

    async def delete(self, tenant_id: str, key_id: str) -> ProviderKey:
        """As it was. ProviderKeyNotFound, ProviderKeyInUse."""
        async with self._of(tenant_id) as repository:
            await _known(repository, tenant_id, key_id)
            return await repository.remove_provider_key(tenant_id, key_id)

    def _of(self, tenant_id: str) -> AbstractAsyncContextManager[Repository]:
        return self._store.transaction(tenant_id) if tenant_id else self._store.platform()


async def _known(repository: Repository, tenant_id: str, key_id: str) -> ProviderKey:
    """Compared here: what is no UUID is no key's id either."""
    for key in await repository.provider_keys(tenant_id):
        if key.id == key_id:
            return key
    raise ProviderKeyNotFound
