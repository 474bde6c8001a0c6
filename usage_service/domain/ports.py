"""The ports through which the service reaches the world."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import date, datetime
from typing import Protocol

from usage_service.domain.ledger import Entry, EventStatus, LedgerEvent, Line, Price, Rollup
from usage_service.domain.limits import Books, LimitState, Opening, Plan, Standing, Subject, TenantState, Work


class Meter(Protocol):
    """The functions in the meter's store. Every method may raise MeterUnavailable."""

    async def opening(self, tenant_id: str) -> Opening: ...

    async def open(self, number: int, position: str) -> str:
        """Opens a partition whose server started anew; its epoch."""

    async def compile(self, tenant_id: str, opening: Opening, subject: Subject, standing: Standing) -> bool:
        """False: the opening has passed; read everything again."""

    async def invalidate(self, tenant_id: str) -> None:
        """Before its next admission the tenant, its keys and users are compiled anew. Call it after the commit."""

    async def set_prices(self, number: int, name: str, prices: Mapping[str, int]) -> None:
        """Replaces a price list of a partition: by `provider|model|unit`, nano-dollars per million."""

    async def reserve(self, work: Work, version: int) -> str:
        """The lease's id. RateLimited; NeedLimits if compiled limits are not there."""

    async def checkpoint(self, tenant_id: str, lease_id: str, lines: Sequence[Line]) -> None:
        """LeaseClosed if it has ended."""

    async def settle(self, work: Work, lease_id: str, status: EventStatus, lines: Sequence[Line]) -> None:
        """LeaseClosed if it has ended."""

    async def limits(self, tenant_id: str, key_id: str, user_id: str) -> list[LimitState]:
        """NeedLimits."""

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

    async def booked(self, ids: Collection[tuple[str, date]]) -> list[LedgerEvent]:
        """What is booked of leases (id, day)."""

    async def keep_conflict(self, tenant_id: str, content: Mapping[str, object]) -> None:
        """Keeps apart what contradicts the ledger, or cannot be read."""

    async def lock_ledger(self) -> None:
        """One transaction books at a time."""

    async def positions(self) -> dict[int, str]:
        """By partition: the last entry of its stream that is booked."""

    async def set_positions(self, positions: Mapping[int, str]) -> None: ...

    async def standing(self, subject: Subject, tenant_id: str, partition: int, at: datetime) -> Standing:
        """What the subject used, as of one moment."""

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
    """The streams into which the meter appends, one for each partition."""

    async def read(self, positions: Mapping[int, str], count: int, wait_seconds: float) -> list[Entry]:
        """What comes after the positions, in order, at most `count` of a partition."""

    async def closed(self) -> list[int]:
        """The partitions that are not open: their server started anew."""

    async def committed(self, positions: Mapping[int, str]) -> None:
        """Tells the gateways how far the ledger is."""

    async def sweep(self) -> int:
        """Settles expired leases at their last checkpoint; how many."""

    async def trim(self, positions: Mapping[int, str]) -> None:
        """Drops what is old, and booked."""
