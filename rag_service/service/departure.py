"""A deleted tenant: its documents are closed, so that no worker goes on with one, before anything else is removed."""

from chassis.erasure import Erased
from rag_service.domain.store import Store


class Departure:
    """Removes documents, and the jobs on them that nobody has taken up; waits for those that somebody has."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def erase(self, tenant_id: str, _deletion_id: str) -> Erased:
        """A job whose document is gone removes what it made of it, and ends."""
        async with self._store.transaction(tenant_id) as repository:
            documents = await repository.delete_documents(tenant_id)
            running = await repository.drop_jobs(tenant_id)
        return Erased({"documents": documents}, f"{running} documents that are being ingested" if running else "")
