"""The end of files and of vector stores whose makers said when: a job looks when it may be due, and again while it is
not. What is due is deleted as if a client had asked for it.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

import structlog

from chassis.job import Job
from rag_service.domain.errors import FileNotThere
from rag_service.domain.store import Store
from rag_service.service.ends import look_again
from rag_service.service.erasure import Erasures

log = structlog.get_logger()


class Expiry:
    """Does the jobs of kind expire."""

    def __init__(self, store: Store, erasures: Erasures, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._erasures = erasures
        self._clock = clock

    async def run(self, job: Job) -> None:
        """A file goes whole; of a collection its documents, as often as it is found to have some."""
        file_id, collection_id = str(job.payload.get("file_id", "")), str(job.payload.get("collection_id", ""))
        if file_id:
            with suppress(FileNotThere):  # deleted before
                await self._erasures.begin_file(job.tenant_id, file_id)
                log.info("file expired", file_id=file_id)
            return
        now = self._clock()
        async with self._store.transaction(job.tenant_id) as repository:
            collection = await repository.get_collection(job.tenant_id, collection_id, counted=True)
            ends = collection.expires_at if collection else None
            if collection is None or ends is None:
                return
            if ends > now:
                await look_again(repository, {"collection_id": collection_id}, ends, now)
                return
        if not collection.documents:
            return
        await self._erasures.empty(job.tenant_id, collection_id)
        log.info("collection expired", collection_id=collection_id)
