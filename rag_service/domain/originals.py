"""What is kept of documents in the object store, and counted against the plan."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Original:
    """The original of one version. `lease` is the admission of its bytes; `metered` says that it is settled.

    `release_lease` is the one under which the bytes are given back, once that has begun.
    """

    tenant_id: str
    document_id: str
    version: int
    bytes: int
    lease: str
    created_at: datetime
    metered: bool = False
    release_lease: str = ""


class OriginalQueries(Protocol):
    """On a tenant's originals."""

    async def next_version(self, tenant_id: str, document_id: str) -> int:
        """From 1; nobody else gets the same one before the transaction ends."""

    async def add_original(self, tenant_id: str, original: Original) -> None: ...

    async def get_original(self, tenant_id: str, document_id: str, version: int) -> Original | None: ...

    async def originals_of(self, tenant_id: str, document_id: str) -> Sequence[Original]: ...

    async def set_metered(self, tenant_id: str, document_id: str, version: int) -> None: ...

    async def set_release_lease(self, tenant_id: str, document_id: str, version: int, lease: str) -> str:
        """The first one that is set stays; which it is."""

    async def delete_original(self, tenant_id: str, document_id: str, version: int) -> None: ...
