"""The way of events from the meter's streams into the ledger: exactly once, priced, rolled up.

The position in each stream is kept with the events, so that what is booked and how far it goes are one commit. A
ledger that is restored from a backup goes on where the backup was; a stream that is read again adds nothing.
"""

from collections import Counter as Counted
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from prometheus_client import Counter

from usage_service.domain.ledger import Entry, LedgerEvent, MeterEvent
from usage_service.domain.ports import EventStream, Repository, Store
from usage_service.policy import ledger as policy
from usage_service.policy.prices import PriceBook
from usage_service.service.budgets import Spendings

log = structlog.get_logger()

BOOKED = Counter("aisp_usage_events_booked_total", "Events booked in the ledger", ["kind"])
CONFLICTS = Counter("aisp_usage_events_conflicting_total", "Events kept apart: they contradict the ledger, or are none")
UNPRICED = Counter("aisp_usage_events_unpriced_total", "Events booked with a line that has no price")

NOBODY = str(UUID(int=0))


class Ledger:
    """One transaction inserts events, adds exactly the inserted ones to the rollups, and moves the positions."""

    def __init__(self, store: Store, stream: EventStream, spendings: Spendings, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._stream = stream
        self._spendings = spendings
        self._clock = clock
        self._partitioned: set[object] = set()
        self._positions: dict[int, str] | None = None
        self._known: tuple[tuple[int, ...], PriceBook] | None = None

    async def move(self, batch: int, wait_seconds: float) -> int:
        """Moves what is there, at most `batch` events a stream; how many were new."""
        entries = await self._stream.read(await self.positions(), batch, wait_seconds)
        if not entries:
            return 0
        try:
            added, reached = await self._book_entries(entries)
        except BaseException:
            # Whether it was committed is not known: the database will say.
            self._positions = None
            raise
        news = {number: entry for number, entry in reached.items() if (self._positions or {}).get(number) != entry}
        self._positions = reached
        await self._stream.committed(news)
        return added

    async def positions(self) -> dict[int, str]:
        """By partition: the last entry that is booked."""
        found = self._positions
        if found is None:
            async with self._store.platform() as repository:
                # Until the transaction has ended somebody may forget them: then the next one reads them again.
                found = self._positions = await repository.positions()
        return found

    def forget_positions(self) -> None:
        """They are read again from the database."""
        self._positions = None

    async def book(self, events: Sequence[MeterEvent]) -> int:
        """Books events; what is there already is left out, what contradicts it is kept apart and alarmed."""
        async with self._store.platform() as repository:
            await repository.lock_ledger()
            return await self._book(repository, events)

    async def trim(self) -> None:
        """Drops old entries that are booked from the streams."""
        await self._stream.trim(await self.positions())

    async def rebuild(self, tenant_id: str) -> None:
        """Makes the tenant's rollups anew out of its events."""
        async with self._store.transaction(tenant_id) as repository:
            await repository.lock_ledger()
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

    async def _book_entries(self, entries: Sequence[Entry]) -> tuple[int, dict[int, str]]:
        async with self._store.platform() as repository:
            await repository.lock_ledger()
            # Another worker may have been faster: its entries are left out.
            before = await repository.positions()
            new = [entry for entry in entries if _ordinal(entry.id) > _ordinal(before.get(entry.partition, "0-0"))]
            for entry in new:
                if entry.raw is not None:
                    CONFLICTS.inc()
                    await repository.keep_conflict(NOBODY, entry.raw)
            added = await self._book(repository, [entry.event for entry in new if entry.event])
            reached = {entry.partition: entry.id for entry in new}
            if reached:
                await repository.set_positions(reached)
        return added, before | reached

    async def _book(self, repository: Repository, events: Sequence[MeterEvent]) -> int:
        book = await self._terms(repository)
        ids = {(event.id, policy.day_of(event.id)) for event in events}
        earlier: dict[str, list[LedgerEvent]] = defaultdict(list)
        for row in await repository.booked(ids):
            earlier[row.event.id].append(row)
        rows = []
        for event in events:
            try:
                new = policy.to_book(event, earlier[event.id], book)
            except policy.Contradiction:
                log.error("an event contradicts the ledger: it was kept apart", lease_id=event.id, kind=event.kind)  # noqa: TRY400
                CONFLICTS.inc()
                await repository.keep_conflict(event.tenant_id, asdict(event))
                continue
            if new:
                earlier[event.id].append(new)
                rows.append(new)
        inserted = await repository.insert_events(rows)
        await repository.add_rollups(policy.roll_up(inserted))
        await self._spendings.book(repository, inserted)
        for kind, number in Counted(row.event.kind for row in inserted).items():
            BOOKED.labels(kind).inc(number)
        if unpriced := [row for row in inserted if row.unpriced]:
            UNPRICED.inc(len(unpriced))
            log.warning(
                "usage without a price was booked at no cost", events=len(unpriced), model=unpriced[0].event.model
            )
        return len(inserted)

    async def _terms(self, repository: Repository) -> PriceBook:
        """All terms: read when there are others than before."""
        stamp = await repository.terms_stamp()
        if self._known is None or self._known[0] != stamp:
            self._known = stamp, PriceBook(await repository.list_prices(), await repository.list_markups())
        return self._known[1]


def _ordinal(position: str) -> tuple[int, int]:
    milliseconds, _, sequence = position.partition("-")
    return int(milliseconds), int(sequence)
