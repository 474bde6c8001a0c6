"""Runs that are over: work on a document stops within a moment when it is cancelled, replaced or deleted."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

from chassis.errors import PlatformError
from rag_service.domain.documents import Document
from rag_service.domain.store import Store

log = structlog.get_logger()

PLATFORM = "*"


class RunOver(Exception):  # named by what happened
    """Something newer was asked for the document: what is done for an older run ends."""


@dataclass(slots=True, eq=False)
class _Watched:
    run: int
    task: asyncio.Task[object]
    over: bool = False


class Watch:
    """Looks every `seconds` at the runs of all documents that are worked on, in one query."""

    def __init__(self, store: Store, seconds: float) -> None:
        self._store = store
        self._seconds = seconds
        self._watched: dict[str, _Watched] = {}

    @asynccontextmanager
    async def over(self, document: Document) -> AsyncIterator[None]:
        """The work inside is cancelled when the document's run is over. RunOver."""
        task = asyncio.current_task()
        assert task is not None
        watched = self._watched[document.id] = _Watched(document.run, task)
        try:
            yield
        except asyncio.CancelledError:
            # Like asyncio.timeout: our own cancellation becomes an error, another one goes on.
            if watched.over and task.uncancel() <= 0:
                raise RunOver from None
            raise
        finally:
            # A worker whose lease ran out may have taken the same document again.
            if self._watched.get(document.id) is watched:
                del self._watched[document.id]

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(self._seconds)
            if self._watched:
                await self._look()

    async def _look(self) -> None:
        watched = dict(self._watched)
        try:
            async with self._store.transaction(PLATFORM) as repository:
                runs = await repository.present_runs(PLATFORM, list(watched))
        except PlatformError as error:
            log.warning("cannot see whether work is still wanted", reason=error.reason)
            return
        for document_id, one in watched.items():
            if runs.get(document_id) != one.run and not one.over and self._watched.get(document_id) is one:
                one.over = True
                one.task.cancel()
