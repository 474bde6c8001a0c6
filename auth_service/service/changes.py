"""The stream of changes of identity, by which every gateway forgets cached verdicts within a second."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import datetime, timedelta

from auth_service.domain.changes import Change
from auth_service.domain.store import Store

BATCH = 500


class Changes:
    """Tells watchers what changed. Woken by the database's notifications; looks by itself at every heartbeat too."""

    def __init__(self, store: Store, clock: Callable[[], datetime], *, heartbeat: float, kept: timedelta) -> None:
        """`heartbeat`: seconds between messages at most; `kept`: how long changes can be asked for."""
        self._store = store
        self._clock = clock
        self._heartbeat = heartbeat
        self._kept = kept
        self._wakers: set[asyncio.Event] = set()

    def wake(self) -> None:
        """Something changed, on this replica or another."""
        for waker in self._wakers:
            waker.set()

    async def watch(self, since: int) -> AsyncIterator[tuple[int, list[Change], bool]]:
        """(newest version, changes, whether some were missed), at least once a heartbeat. Ends with its reader."""
        waker = asyncio.Event()
        self._wakers.add(waker)
        try:
            version = since
            if not version:
                # Whoever is new is told of all that is kept: a token that was made before may be good no more.
                yield 0, [], True
            while True:
                waker.clear()
                async with self._store.platform() as repository:
                    changes, missed = await repository.changes_since(version, BATCH)
                version = changes[-1].version if changes else version
                yield version, changes, missed
                if len(changes) < BATCH:
                    await self._pause(waker)
        finally:
            self._wakers.discard(waker)

    async def trim(self) -> None:
        """Forgets changes that are older than what is kept."""
        async with self._store.platform() as repository:
            await repository.trim_changes(self._clock() - self._kept)

    async def _pause(self, waker: asyncio.Event) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._heartbeat):
                await waker.wait()
