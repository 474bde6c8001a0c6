"""VectorStores: the configured ones, each opened when it is first needed (their SDKs take seconds and memory)."""

from collections.abc import Callable, Mapping, Sequence

from chassis.erasure import Erased
from rag_service.domain.errors import VectorStoreUnavailable
from rag_service.domain.vectors import VectorStore


class Stores:
    """Stores by name."""

    def __init__(self, openers: Mapping[str, Callable[[], VectorStore]], default: str) -> None:
        """`default` names one of the openers."""
        self._openers = openers
        self._default = default
        self._open: dict[str, VectorStore] = {}

    @property
    def default(self) -> str:
        return self._default

    @property
    def names(self) -> Sequence[str]:
        return tuple(self._openers)

    def __getitem__(self, name: str) -> VectorStore:
        if name not in self._openers:
            raise VectorStoreUnavailable(f"The vector store {name} is not configured (any more).")
        if name not in self._open:
            self._open[name] = self._openers[name]()
        return self._open[name]

    async def erase(self, tenant_id: str, _deletion_id: str) -> Erased:
        """Removes a tenant from every store that is configured. VectorStoreUnavailable."""
        for name in self._openers:
            await self[name].erase(tenant_id)
        return Erased()

    async def close(self) -> None:
        """Those that were opened."""
        for store in self._open.values():
            await store.close()
