"""What the service asks of its database."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from llm_service.domain.models import Model


class Repository(Protocol):
    """Queries of one transaction."""

    async def list_models(self) -> list[Model]:
        """The catalogue, by name."""


class Store(Protocol):
    """Opens transactions."""

    def platform(self) -> AbstractAsyncContextManager[Repository]:
        """The catalogue is every tenant's."""
