"""The ledger, read again: an hour of leases after the other, all of it, in a share of the time.

It finds what the watch cannot: events that were changed, lost or put in behind the service's back after they were
proved, and rollups of tenants of whom nothing was booked since.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from usage_service.domain.ledger import LedgerDay
from usage_service.domain.ports import Store
from usage_service.policy.ledger import HOURS, ids_of
from usage_service.service.proof import Proofs

log = structlog.get_logger()

REST_SECONDS = 60.0
"""Until it is looked again whether a day is due."""


@dataclass(frozen=True, slots=True)
class Pace:
    """A day is read again `every` so often, in a `share` (of 1) of the time."""

    every: timedelta
    share: float


class Review:
    """Reads again."""

    def __init__(self, store: Store, proofs: Proofs, clock: Callable[[], datetime], pace: Pace) -> None:
        self._store = store
        self._proofs = proofs
        self._clock = clock
        self._pace = pace

    async def step(self) -> None:
        """Reads an hour, and rests as long as that took, times what its share asks for."""
        began = time.monotonic()
        there_is_more = await self.read_on()
        took = time.monotonic() - began
        await asyncio.sleep(took * (1 / self._pace.share - 1) if there_is_more else REST_SECONDS)

    async def read_on(self) -> bool:
        """Reads the next hour; False if no day is due."""
        async with self._proofs.turn:
            async with self._store.platform() as repository:
                await repository.lock_proof()
                day = await repository.next_review(self._clock() - self._pace.every)
                if day is None:
                    return False
                wrong = await repository.review(day, day.reviewed, ids_of(day.day, day.reviewed))
                await repository.set_reviewed(day.day, day.reviewed + 1)
                if ended := day.reviewed + 1 == HOURS:
                    await repository.end_review(day.day, self._clock())
                elif wrong:
                    await repository.set_proved(day.day, day.proved, doubted=True)
            self._told(day, wrong)
            if ended or wrong:
                await self._proofs.prove_day(day.day)
        return True

    def _told(self, day: LedgerDay, wrong: int) -> None:
        if wrong:
            log.error(
                "events of the ledger are not what was proved: somebody changed, lost or put in some afterwards",
                day=day.day.isoformat(), hour=day.reviewed, tenants=wrong,
            )  # fmt: skip
