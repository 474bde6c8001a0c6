"""What the service asks of its database."""

from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from llm_service.domain.guardrails import GuardrailQueries
from llm_service.domain.models import Model
from llm_service.domain.responses import StoredResponse
from llm_service.domain.tenancy import ModelRules, ProviderKey, Tenancy


class Repository(GuardrailQueries, Protocol):
    """Queries of one transaction."""

    async def list_models(self) -> list[Model]:
        """The catalogue, by name."""

    async def put_model(self, model: Model, *, new: bool) -> None:
        """Adds a row, or replaces it with its deployments. ModelExists, ModelNotFound."""

    async def remove_model(self, name: str) -> None:
        """ModelNotFound."""

    async def forget_tenant(self, tenant_id: str) -> int:
        """Takes a tenant out of the rows that are for some; one that was for it alone goes. How many."""

    async def tenancy(self, tenant_id: str) -> Tenancy:
        """What a tenant has of its own."""

    async def put_rules(self, tenant_id: str, rules: ModelRules) -> None:
        """Replaces them."""

    async def put_alias(self, tenant_id: str, alias: str, target: str) -> None:
        """Makes or changes one."""

    async def remove_alias(self, tenant_id: str, alias: str) -> None:
        """AliasNotFound."""

    async def provider_keys(self, tenant_id: str) -> list[ProviderKey]:
        """A tenant's, or (without one) the platform's, by provider and name."""

    async def add_provider_key(self, key: ProviderKey) -> ProviderKey:
        """With its times. ProviderKeyExists."""

    async def replace_provider_key(self, tenant_id: str, key_id: str, sealed: bytes, hint: str) -> ProviderKey:
        """With another secret. ProviderKeyNotFound."""

    async def remove_provider_key(self, tenant_id: str, key_id: str) -> ProviderKey:
        """What was there. ProviderKeyNotFound; ProviderKeyInUse by a deployment."""

    async def response(self, tenant_id: str, response_id: str) -> StoredResponse | None:
        """One that has not expired."""

    async def conversation(self, tenant_id: str, last_id: str, most: int) -> list[StoredResponse]:
        """What led to a response and it itself, oldest first; shorter than `most` where one is gone."""

    async def put_response(self, tenant_id: str, stored: StoredResponse) -> bool:
        """Whether its id was free. What it goes on with stays as long as it does."""

    async def remove_response(self, tenant_id: str, response_id: str) -> bool:
        """Whether it was there."""

    async def remove_expired_responses(self, now: datetime) -> int:
        """Of all tenants; a batch, and how many it had."""


class Store(Protocol):
    """Opens transactions."""

    def platform(self) -> AbstractAsyncContextManager[Repository]:
        """The catalogue is every tenant's."""

    def transaction(self, tenant_id: str) -> AbstractAsyncContextManager[Repository]:
        """Sees the catalogue, and the rows of one tenant. DatabaseUnavailable."""


class Vault(Protocol):
    """Encrypts what is kept; chassis.envelope.Envelope is one."""

    def seal(self, plaintext: bytes, *binding: str) -> bytes: ...

    def open(self, sealed: bytes, *binding: str) -> bytes: ...

    def is_current(self, sealed: bytes) -> bool: ...
