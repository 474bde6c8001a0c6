"""What was used: lines, events, sums."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum

START = "0-0"
"""The position before a stream's first entry."""


class Unit(Enum):
    """What is counted."""

    INPUT_TOKENS = "input_tokens"
    CACHED_INPUT_TOKENS = "cached_input_tokens"
    OUTPUT_TOKENS = "output_tokens"
    CHARACTERS = "characters"
    AUDIO_MILLISECONDS = "audio_milliseconds"
    STORED_BYTES = "stored_bytes"
    CACHE_WRITE_TOKENS = "cache_write_tokens"
    REASONING_TOKENS = "reasoning_tokens"
    CACHE_HITS = "cache_hits"
    WEB_SEARCHES = "web_searches"
    """That a provider made for an answer."""
    REQUESTS = "requests"
    """Told by nobody: a line of it is added where the answering model has a price by the request."""

    @property
    def sold(self) -> bool:
        """Whether an amount of it must have a price. Stored bytes are limited, not sold; a request may cost nothing."""
        return self not in (Unit.STORED_BYTES, Unit.REQUESTS)


class EventStatus(Enum):
    """How a lease ended."""

    SETTLED = "settled"
    PARTIAL = "partial"
    ABANDONED = "abandoned"
    REPLAYED = "replayed"


@dataclass(frozen=True, slots=True)
class Line:
    """An amount of one unit, used by one model."""

    service: str
    model: str
    provider: str
    unit: Unit
    amount: int
    attempt: int = 1
    estimated: bool = False
    """The provider did not say the amount."""


OWN_KEY = "own:"
"""Before the provider of a line that the tenant's own key paid for. It costs nothing here, unless it has a price."""


@dataclass(frozen=True, slots=True)
class PricedLine:
    """A line with its cost; price version 0 means that it has no price. `from_input_tokens`: the price's tier by which
    it costs that, 0 where its call reads fewer than any asks for.
    """

    line: Line
    price_version: int
    cost_nano_usd: int
    from_input_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Amounts:
    """Sums of every unit."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    characters: int = 0
    audio_milliseconds: int = 0
    stored_bytes: int = 0
    cost_nano_usd: int = 0

    def __add__(self, other: "Amounts") -> "Amounts":
        return Amounts(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))

    def __neg__(self) -> "Amounts":
        return Amounts(*(-getattr(self, name) for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class MeterEvent:
    """What the meter appended when a lease ended."""

    id: str
    kind: str
    """settle, sweep or correct"""
    status: EventStatus
    tenant_id: str
    counts_request: bool
    request_id: str
    user_id: str
    key_id: str
    service: str
    model: str
    lines: tuple[Line, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class LedgerEvent:
    """A row of the ledger."""

    event: MeterEvent
    day: date
    provider: str
    amounts: Amounts
    lines: tuple[PricedLine, ...]

    @property
    def unpriced(self) -> bool:
        """Whether a line that is sold has no price. What a tenant's own key paid its provider for is only counted."""
        return any(
            not line.price_version and line.line.unit.sold and not line.line.provider.startswith(OWN_KEY)
            for line in self.lines
        )

    @property
    def corrects_id(self) -> str:
        """The event that this one corrects: a correction has its lease's id."""
        return self.event.id if self.event.kind == "correct" else ""


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events are meant; what is None or empty does not narrow."""

    first: date | None = None
    last: date | None = None
    service: str = ""
    model: str = ""
    provider: str = ""
    status: EventStatus | None = None
    key_id: str = ""
    user_id: str = ""
    request_id: str = ""
    unpriced: bool = False


@dataclass(frozen=True, slots=True)
class Rollup:
    """One day of one model of one service."""

    day: date
    service: str
    model: str
    amounts: Amounts


@dataclass(frozen=True, slots=True)
class Difference:
    """A sum of a tenant's day in the ledger that is not that of the rollups. `unit`: an amount's name."""

    tenant_id: str
    day: date
    unit: str
    ledger: int
    rollups: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """The ledger beside its rollups over some days: how many events, what both come to, where they differ (some)."""

    events: int
    ledger: Amounts
    rollups: Amounts
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class LedgerDay:
    """How far a day of the ledger is. `booked` and `proved` are numbers of bookings: transactions that booked events of
    the day, counted from 1. `doubted`: all tenants are to be compared once more; `reviewed`: hours that were read again
    in the review under way.
    """

    day: date
    booked: int
    proved: int
    doubted: bool
    reviewed: int


@dataclass(frozen=True, slots=True)
class Added:
    """What was added to a day's proofs: up to which booking, of whom, and whether there is more."""

    proved: int
    tenants: frozenset[str]
    more: bool


@dataclass(frozen=True, slots=True)
class Alarm:
    """What the ledger and its rollups contradict each other in (some, and how many), and since when all of the ledger
    has been read again.
    """

    differences: tuple[Difference, ...]
    number: int
    reviewed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a partition's stream. `event` is None for a mark, and for what could not be read (`raw`)."""

    partition: int
    id: str
    event: MeterEvent | None
    raw: Mapping[str, str] | None = None
