"""The way of events from the meter's streams into the ledger: exactly once, priced, rolled up."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import structlog

from usage_service import policy
from usage_service.domain import EventStream, MeterEvent, Store

log = structlog.get_logger()


class Ledger:
    """One transaction inserts events and adds exactly the inserted ones to the rollups; then they are acknowledged."""

    def __init__(self, store: Store, stream: EventStream, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._stream = stream
        self._clock = clock
        self._partitioned: set[object] = set()

    async def move(self, batch: int, wait_seconds: float) -> int:
        """Moves what is there, at most `batch` events a stream; how many were new."""
        entries = await self._stream.read(batch, wait_seconds)
        if not entries:
            return 0
        added = await self.book([event for _, _, event in entries])
        await self._stream.acknowledge([(stream, entry) for stream, entry, _ in entries])
        return added

    async def book(self, events: Sequence[MeterEvent]) -> int:
        """Books events; what is there already is left out, what contradicts it is kept apart and alarmed."""
        async with self._store.platform() as repository:
            book = policy.PriceBook(await repository.list_prices())
            rows = [policy.to_ledger(event, book) for event in events]
            inserted = await repository.insert_events(rows)
            known = {(row.event.id, row.event.kind) for row in inserted}
            rest = [row for row in rows if (row.event.id, row.event.kind) not in known]
            conflicts = await repository.keep_conflicts(rest) if rest else 0
            for tenant_id, rollups in policy.roll_up(inserted).items():
                await repository.add_rollups(tenant_id, rollups)
        if conflicts:
            log.error("events with a known id and other content were kept apart", conflicts=conflicts)
        return len(inserted)

    async def rebuild(self, tenant_id: str) -> None:
        """Makes the tenant's rollups anew out of its events."""
        async with self._store.transaction(tenant_id) as repository:
            rollups = policy.roll_up(await repository.all_events(tenant_id))
            await repository.replace_rollups(tenant_id, rollups.get(tenant_id, []))

    async def ensure_partitions(self) -> None:
        """Makes the partitions of the next days ahead of their first event."""
        today = self._clock().date()
        for day in (today, today + timedelta(days=1), today + timedelta(days=2)):
            if day not in self._partitioned:
                async with self._store.platform() as repository:
                    await repository.ensure_partition(day)
                self._partitioned.add(day)
