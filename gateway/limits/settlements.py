"""What was used, on its way to the books: every settlement is kept until the ledger has it, and sent again until then.

A store that is away gets it later; a store that started anew and has lost its last writes gets it once more. In the
ledger it is booked once. What a gateway holds dies with it: its leases are then swept at their last checkpoint.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import structlog
from prometheus_client import Counter, Gauge

from gateway.limits.resp import ReplyError, StoreUnavailable

log = structlog.get_logger()

LOST_LEASES = Counter("aisp_gateway_leases_lost_total", "Leases that the meter's store had lost, booked all the same")
LOST_SETTLEMENTS = Counter("aisp_gateway_settlements_lost_total", "Settlements that were given up")
WAITING = Gauge("aisp_gateway_settlements_waiting", "Settlements that the meter's store has not taken yet")
KEPT = Gauge("aisp_gateway_settlements_kept", "Settlements that the store has taken, and the ledger not yet")

MAX_KEPT = 100_000
BATCH = 200
PAUSE_SECONDS = 0.5
TAKEN = (b"OK", b"CLOSED")
"""Answers of a store that has it."""

Call = Callable[..., Awaitable[Any]]
"""Calls a function of the meter: its name, the tenant, arguments."""
Tell = Callable[..., None]
"""Tells a function of the meter: who hears the reply, its name, the tenant, arguments."""


class Settlement(NamedTuple):
    """The end of a lease. `lines` and `descriptor`: as the meter takes them; the rest is for a store that has lost the
    lease.
    """

    lease_id: str
    tenant_id: str
    status: str
    lines: str
    key_id: str
    user_id: str
    kind: str
    descriptor: bytes


@dataclass(slots=True)
class _Kept:
    """A settlement that the store took: in which entry of its stream, in which epoch."""

    settlement: Settlement
    entry: tuple[int, int]
    epoch: bytes


class Settlements:
    """Delivers settlements. Run `run()` beside it."""

    def __init__(self, call: Call, tell: Tell, partition: Callable[[str], int]) -> None:
        self._call = call
        self._tell = tell
        self._partition = partition
        self._waiting: deque[Settlement] = deque()
        self._kept: dict[int, deque[_Kept]] = defaultdict(deque)
        self._sent = 0
        self._count = 0
        self._lost = 0
        WAITING.set_function(lambda: self.waiting)
        KEPT.set_function(lambda: self._count)

    @property
    def waiting(self) -> int:
        """How many the store has not taken yet, as far as it has said."""
        return len(self._waiting) + self._sent

    @property
    def kept(self) -> int:
        """How many the store has taken, and the ledger not yet."""
        return self._count

    @property
    def lost(self) -> int:
        """How many were given up: too many waited, or the store refused them for good."""
        return self._lost

    async def add(self, settlement: Settlement, *, told: bool = False) -> Sequence[Any]:
        """Delivers it now, or later. With `told`: rows of the limits as they are after it, if the store took it now."""
        rows = await self._deliver(settlement, told=told)
        if rows is not None:
            return rows
        self.later(settlement)
        return ()

    def send(self, settlement: Settlement) -> None:
        """Sends it, and hears later whether the store took it. StoreUnavailable where it cannot be sent now."""
        self._tell(partial(self._heard, settlement), *_asked(settlement), 0)
        self._sent += 1

    def later(self, settlement: Settlement) -> None:
        """Delivers it with the next of those that wait, whether or not it has arrived by then."""
        if len(self._waiting) >= MAX_KEPT:
            self._give_up()
            log.error("a settlement is lost: too many wait", lease_id=settlement.lease_id)
            return
        self._waiting.append(settlement)

    async def run(self) -> None:
        """Sends again what waits, and what a store has lost, until cancelled."""
        while True:
            await asyncio.sleep(PAUSE_SECONDS)
            try:
                await self.flush()
                await self._follow_ledger()
            except (StoreUnavailable, ReplyError) as error:
                log.debug("the meter is not followed", error=repr(error))

    async def flush(self) -> None:
        """Delivers what waits, as far as the store takes it."""
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            done = await asyncio.gather(*(self._deliver(settlement) for settlement in batch))
            failed = [settlement for settlement, rows in zip(batch, done, strict=True) if rows is None]
            self._waiting.extendleft(reversed(failed))
            if failed:
                return

    async def _deliver(self, settlement: Settlement, *, told: bool = False) -> Sequence[Any] | None:
        """What is told of the limits; None where it has to be delivered again."""
        try:
            return await self._settle(settlement, int(told))
        except StoreUnavailable as error:
            log.warning("a settlement waits for the meter", lease_id=settlement.lease_id, error=repr(error))
            return None
        except ReplyError as error:
            if "Function not found" in str(error):
                return None
            self._give_up()
            log.exception("the meter refuses a settlement for good", lease_id=settlement.lease_id)
            return ()

    async def _settle(self, item: Settlement, told: int) -> Sequence[Any]:
        answer = await self._call(*_asked(item), told)
        if answer[0] == b"UNKNOWN":
            LOST_LEASES.inc()
            log.error("the meter has lost a lease: its settlement is booked all the same", lease_id=item.lease_id)
            counts = int(item.kind != "effect")
            answer = await self._call(
                "record", item.tenant_id, item.lease_id, item.tenant_id, item.status, item.lines, item.key_id,
                item.user_id, item.kind, counts, item.descriptor,
            )  # fmt: skip
        if answer[0] == b"NOT_OPEN":
            raise StoreUnavailable(retry_after=1)
        self._took(item, answer)
        rows: Sequence[Any] = answer[3:]
        return rows

    def _heard(self, settlement: Settlement, reply: Any) -> None:
        self._sent -= 1
        if isinstance(reply, Exception) or not self._took(settlement, reply):
            # Whatever it was: what is delivered again has a word for each answer.
            self.later(settlement)

    def _took(self, item: Settlement, answer: Sequence[Any]) -> bool:
        """Whether the store has it, as its answer says. Then it is kept."""
        if answer[0] == b"OK":
            self._keep(_Kept(item, _ordinal(answer[1]), answer[2]))
        return answer[0] in TAKEN

    def _give_up(self) -> None:
        self._lost += 1
        LOST_SETTLEMENTS.inc()

    def _keep(self, kept: _Kept) -> None:
        self._kept[self._partition(kept.settlement.tenant_id)].append(kept)
        self._count += 1
        if self._count > MAX_KEPT:
            # The store has it on disk; only a store that loses its last writes would need it again.
            oldest = next(iter(self._kept))
            self._drop(oldest, [self._kept[oldest][0]])

    async def _follow_ledger(self) -> None:
        numbers = list(self._kept)
        tenants = [self._kept[number][0].settlement.tenant_id for number in numbers]
        answers = await asyncio.gather(*(self._call("progress", tenant) for tenant in tenants))
        for number, (epoch, committed) in zip(numbers, answers, strict=True):
            booked = _ordinal(committed)
            kept = self._kept.get(number, ())
            self._drop(number, [item for item in kept if item.entry <= booked and item.epoch == epoch])
            lost = [item for item in self._kept.get(number, ()) if epoch and item.epoch != epoch]
            self._drop(number, lost)
            for item in lost:
                # Booked or not, in the store or not: it is told again, and counts once.
                await self.add(item.settlement)

    def _drop(self, number: int, items: Iterable[_Kept]) -> None:
        gone = {id(item) for item in items}
        if not gone:
            return
        left = deque(item for item in self._kept[number] if id(item) not in gone)
        self._count -= len(self._kept[number]) - len(left)
        if left:
            self._kept[number] = left
        else:
            del self._kept[number]


def _asked(item: Settlement) -> tuple[str, ...]:
    return "settle", item.tenant_id, item.lease_id, item.tenant_id, item.status, item.lines


def _ordinal(entry: bytes) -> tuple[int, int]:
    milliseconds, _, sequence = entry.partition(b"-")
    return int(milliseconds), int(sequence)
