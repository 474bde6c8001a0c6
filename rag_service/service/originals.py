"""Originals: kept in the object store and counted against the plan, each byte once, whoever dies on the way.

Bytes are admitted before they are kept, and settled when they are. A job is asked for before anything is kept: it gives
back what a worker or a service that died left without a document.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from chassis.job import Job
from rag_service.domain.documents import ObjectStore, original_key, text_key
from rag_service.domain.jobs import RELEASE
from rag_service.domain.originals import Original
from rag_service.domain.store import Repository, Store
from rag_service.domain.usage import Meter, Tally

ABANDONED_SECONDS = 900
"""So long after its beginning an upload that has no document is given up."""


class Originals:
    """Keeps and releases."""

    def __init__(self, store: Store, objects: ObjectStore, meter: Meter, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._objects = objects
        self._meter = meter
        self._clock = clock

    async def keep(self, tenant_id: str, document_id: str, source: Path) -> Original:
        """The bytes are kept and counted; `adopt` makes them a document's. ResourceExhausted where they do not fit."""
        size = (await asyncio.to_thread(source.stat)).st_size
        lease = await self._meter.reserve(stored_bytes=size)
        async with self._store.transaction(tenant_id) as repository:
            version = await repository.next_version(tenant_id, document_id)
            original = Original(tenant_id, document_id, version, size, lease, self._clock())
            await repository.add_original(tenant_id, original)
            await release(repository, document_id, version, ABANDONED_SECONDS)
        await self._objects.put(original_key(tenant_id, document_id, version), source)
        await self._meter.settle_stored(lease, size)
        return replace(original, metered=True)

    @staticmethod
    async def adopt(repository: Repository, original: Original) -> None:
        """In the transaction that makes the document, or its version."""
        await repository.set_metered(original.tenant_id, original.document_id, original.version)
        await repository.withdraw(RELEASE, _name(original.document_id, original.version))

    async def run(self, job: Job) -> None:
        """Jobs of kind release: does nothing where a document has the version, or a file is what was kept."""
        document_id, version = str(job.payload["document_id"]), int(job.payload["version"])
        async with self._store.transaction(job.tenant_id) as repository:
            document = await repository.get_document(job.tenant_id, document_id)
            file = await repository.get_file(job.tenant_id, document_id)
            original = await repository.get_original(job.tenant_id, document_id, version)
        if file is not None and document is None:
            return
        if document is not None and version in (document.version, document.ready_version):
            return
        if original is not None:
            await self.release(original)
        elif document is not None:
            # Made of a file, which keeps its bytes.
            await self._objects.delete([text_key(job.tenant_id, document_id, version)])

    async def release(self, original: Original) -> None:
        """Removes it, with its text, and gives its bytes back: once, however often it is begun."""
        tenant_id, document_id, version = original.tenant_id, original.document_id, original.version
        if not original.metered:
            await self._meter.settle_stored(original.lease, original.bytes)
        lease = original.release_lease
        if not lease:
            fresh = await self._meter.reserve()
            async with self._store.transaction(tenant_id) as repository:
                await repository.set_metered(tenant_id, document_id, version)
                lease = await repository.set_release_lease(tenant_id, document_id, version, fresh)
            if lease != fresh:
                await self._meter.settle(fresh, Tally())
            if not lease:
                return  # another worker has done it
        keys = [original_key(tenant_id, document_id, version), text_key(tenant_id, document_id, version)]
        await self._objects.delete(keys)
        await self._meter.settle_stored(lease, -original.bytes)
        async with self._store.transaction(tenant_id) as repository:
            await repository.delete_original(tenant_id, document_id, version)


async def release(repository: Repository, document_id: str, version: int, delay_seconds: float = 0) -> None:
    """Asks for the removal of a version's original."""
    payload = {"document_id": document_id, "version": version}
    await repository.enqueue(RELEASE, payload, name=_name(document_id, version), delay_seconds=delay_seconds)


def _name(document_id: str, version: int) -> str:
    return f"{document_id}/{version}"
