"""How an ingestion ended, told to the tenant's webhooks: behind the ingestion, as often as it takes, once."""

from typing import Any

from chassis.job import Job
from rag_service.domain.documents import Document
from rag_service.domain.jobs import ANNOUNCE
from rag_service.domain.store import Repository
from rag_service.domain.usage import Herald


class Announcing:
    """Does the jobs of kind announce."""

    def __init__(self, herald: Herald) -> None:
        self._herald = herald

    async def run(self, job: Job) -> None:
        """The payload is the event, with its type and its name."""
        data = dict(job.payload)
        event, once = str(data.pop("event")), str(data.pop("once"))
        await self._herald.tell(event, data, once)


async def announce(repository: Repository, *documents: Document) -> None:
    """In the transaction in which ingestions end."""
    if documents:
        await repository.enqueue_all(ANNOUNCE, [("", _event(document)) for document in documents])


def _event(document: Document) -> dict[str, Any]:
    return {
        "event": f"document.{document.status.value}",
        "id": document.id,
        "title": document.latest.title,
        "collection": document.collection,
        "version": document.version,
        "chunks": document.chunks,
        "error": document.error or None,
        "once": f"document/{document.id}/{document.run}",
    }
