"""The nouns of metering, the ports through which the service reaches the world, and its errors.

ResourceExhausted  RateLimited
Unavailable        MeterUnavailable
InvalidArgument    UnknownPlan, UnknownLimit, BadDateRange
FailedPrecondition LeaseClosed
PermissionDenied   OperatorOnly
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum
from typing import Protocol

from chassis.errors import (
    FailedPrecondition,
    InvalidArgument,
    PermissionDenied,
    ResourceExhausted,
    Unavailable,
)


class RateLimited(ResourceExhausted):
    reason = "RATE_LIMITED"
    message = "A limit is exhausted."


class MeterUnavailable(Unavailable):
    reason = "METER_UNAVAILABLE"
    message = "The meter does not answer at the moment; try again soon."


class UnknownPlan(InvalidArgument):
    reason = "UNKNOWN_PLAN"
    message = "There is no such plan."


class UnknownLimit(InvalidArgument):
    reason = "UNKNOWN_LIMIT"
    message = "There is no such limit."


class LeaseClosed(FailedPrecondition):
    reason = "LEASE_CLOSED"
    message = "The lease is unknown or has ended."


class BadDateRange(InvalidArgument):
    reason = "BAD_DATE_RANGE"
    message = "from and to must be dates (YYYY-MM-DD), in order, and not too far apart."


class OperatorOnly(PermissionDenied):
    reason = "OPERATOR_ONLY"
    message = "Only an operator may do this."


class Unit(Enum):
    """What is counted."""

    INPUT_TOKENS = "input_tokens"
    CACHED_INPUT_TOKENS = "cached_input_tokens"
    OUTPUT_TOKENS = "output_tokens"
    CHARACTERS = "characters"
    AUDIO_MILLISECONDS = "audio_milliseconds"
    STORED_BYTES = "stored_bytes"


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


@dataclass(frozen=True, slots=True)
class PricedLine:
    """A line with its cost; price version 0 means that it has no price."""

    line: Line
    price_version: int
    cost_nano_usd: int


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
    def corrects_id(self) -> str:
        """The event that this one corrects: a correction has its lease's id."""
        return self.event.id if self.event.kind == "correct" else ""


@dataclass(frozen=True, slots=True)
class Rollup:
    """One day of one model of one service."""

    day: date
    service: str
    model: str
    amounts: Amounts


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan: its limits by name; one that is absent does not limit."""

    name: str
    limits: Mapping[str, int]
    support: str
    sla_basis_points: int


@dataclass(frozen=True, slots=True)
class Price:
    """What one million units of one model cost, from a time on."""

    version: int
    provider: str
    model: str
    unit: Unit
    nano_usd_per_million: int
    effective_at: datetime


@dataclass(frozen=True, slots=True)
class TenantState:
    """What usage knows of a tenant: the plan it was told, and limits of its own."""

    plan: str
    version: int
    limits: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LimitState:
    """How much of a limit is used. `reset_ms`: until all of it is free; 0 where time does not free it."""

    scope: str
    name: str
    limit: int
    used: int
    reset_ms: int


@dataclass(frozen=True, slots=True)
class Work:
    """A piece of work that asks for admission."""

    tenant_id: str
    request_id: str
    user_id: str
    key_id: str
    service: str
    tokens: int
    storage_bytes: int
    lease_seconds: int
    counts_request: bool


@dataclass(frozen=True, slots=True)
class Books:
    """Leases ever admitted, and what became of them."""

    admitted: int
    settled: int
    abandoned: int
    live: int

    @property
    def balanced(self) -> bool:
        """Whether every admitted lease is accounted for."""
        return self.admitted == self.settled + self.abandoned + self.live


class NeedLimits(Exception):  # an answer of the meter, not a failure
    """The meter lacks the compiled limits of the tenant."""


class Meter(Protocol):
    """The functions in the meter's store. Every method may raise MeterUnavailable."""

    async def set_tenant_limits(self, tenant_id: str, version: int, limits: Mapping[str, int]) -> None: ...

    async def set_key_limits(self, tenant_id: str, key_id: str, version: int, limits: Mapping[str, int]) -> None: ...

    async def reserve(self, work: Work, version: int) -> str:
        """The lease's id. RateLimited; NeedLimits if the compiled limits are not there."""

    async def checkpoint(self, tenant_id: str, lease_id: str, lines: Sequence[Line]) -> None:
        """LeaseClosed if it has ended."""

    async def settle(self, tenant_id: str, lease_id: str, status: EventStatus, lines: Sequence[Line]) -> None:
        """LeaseClosed if it has ended."""

    async def limits(self, tenant_id: str, key_id: str) -> list[LimitState]: ...

    async def books(self) -> Books: ...


class Repository(Protocol):
    """Queries of one transaction."""

    async def get_plan(self, name: str) -> Plan | None: ...

    async def list_plans(self) -> list[Plan]: ...

    async def list_prices(self) -> list[Price]:
        """All of them, oldest first."""

    async def get_state(self, tenant_id: str) -> TenantState | None: ...

    async def put_state(self, tenant_id: str, plan: str, version: int) -> TenantState:
        """Keeps the newest version, and answers what holds now."""

    async def change_limits(self, tenant_id: str, changes: Mapping[str, int]) -> None:
        """Sets limits of the tenant's own; a negative number takes one away."""

    async def ensure_partition(self, day: date) -> None: ...

    async def insert_events(self, events: Sequence[LedgerEvent]) -> list[LedgerEvent]:
        """Those that were not there."""

    async def keep_conflicts(self, events: Sequence[LedgerEvent]) -> int:
        """Keeps apart what has the identity of a row but not its content; how many."""

    async def add_rollups(self, tenant_id: str, rollups: Sequence[Rollup]) -> None: ...

    async def list_rollups(self, tenant_id: str, first: date, last: date) -> list[Rollup]: ...

    async def stored_bytes(self, tenant_id: str) -> int: ...

    async def list_events(self, tenant_id: str, size: int, after: tuple[str | int, ...] | None) -> list[LedgerEvent]:
        """Newest first, one more than `size`."""

    async def all_events(self, tenant_id: str) -> list[LedgerEvent]: ...

    async def replace_rollups(self, tenant_id: str, rollups: Sequence[Rollup]) -> None: ...


class Store(Protocol):
    """Opens transactions."""

    def transaction(self, tenant_id: str) -> AbstractAsyncContextManager[Repository]:
        """Sees one tenant's rows."""

    def platform(self) -> AbstractAsyncContextManager[Repository]:
        """Sees all rows: the worker moves every tenant's events."""


class EventStream(Protocol):
    """The streams into which the meter appends."""

    async def read(self, count: int, wait_seconds: float) -> list[tuple[str, str, MeterEvent]]:
        """(stream, entry id, event): first what was read before and not acknowledged, then what is new."""

    async def acknowledge(self, entries: Sequence[tuple[str, str]]) -> None: ...

    async def sweep(self) -> int:
        """Settles expired leases at their last checkpoint; how many."""

    async def trim(self) -> None: ...
