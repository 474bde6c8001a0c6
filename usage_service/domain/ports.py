"""The ports through which the service reaches the world."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import date, datetime
from typing import Protocol

from usage_service.domain.budgets import Budget
from usage_service.domain.ledger import (
    Added,
    Alarm,
    Comparison,
    Difference,
    Entry,
    EventFilter,
    EventStatus,
    LedgerDay,
    LedgerEvent,
    Line,
    Rollup,
)
from usage_service.domain.limits import Books, LimitState, Opening, Plan, Standing, Subject, TenantState, Work
from usage_service.domain.prices import Markup, Price
from usage_service.domain.webhooks import Delivery, Webhook


class Meter(Protocol):
    """The functions in the meter's store. Every method may raise MeterUnavailable."""

    async def opening(self, tenant_id: str) -> Opening: ...

    async def open(self, positions: Mapping[int, str]) -> None:
        """Opens partitions whose server started anew: by number, how far the ledger is."""

    async def compile(self, tenant_id: str, opening: Opening, subject: Subject, standing: Standing) -> bool:
        """False: the opening has passed; read everything again."""

    async def invalidate(self, tenant_id: str) -> None:
        """Before its next admission the tenant, its keys and users are compiled anew. Call it after the commit."""

    async def set_plan(self, name: str, version: int) -> None:
        """Before its next admission each tenant on an older version of the plan is compiled anew. After the commit."""

    async def set_prices(self, numbers: Iterable[int], name: str, prices: Mapping[str, object]) -> None:
        """Replaces a price list of partitions: by `provider|model|unit`, nano-dollars per million as their text, behind
        which are tiers as ` from=rate`.
        """

    async def reserve(self, work: Work, version: int) -> str:
        """The lease's id. RateLimited; NeedLimits if compiled limits are not there."""

    async def checkpoint(self, tenant_id: str, lease_id: str, lines: Sequence[Line]) -> None:
        """LeaseClosed if it has ended."""

    async def settle(self, work: Work, lease_id: str, status: EventStatus, lines: Sequence[Line]) -> None:
        """LeaseClosed if it has ended."""

    async def limits(self, tenant_id: str, key_id: str, user_id: str) -> list[LimitState]:
        """NeedLimits."""

    async def books(self) -> Books: ...

    async def forget(self, tenant_id: str) -> int:
        """Removes limits and counters of a tenant, its keys and users; how many keys of the store."""


class Repository(Protocol):
    """Queries of one transaction."""

    async def get_plan(self, name: str) -> Plan | None: ...

    async def list_plans(self) -> list[Plan]: ...

    async def put_plan(self, plan: Plan) -> Plan:
        """Makes or replaces it, under the next version."""

    async def tenants_on(self, plan: str) -> int:
        """How many."""

    async def list_prices(self) -> list[Price]:
        """All of them, oldest first."""

    async def add_price(self, price: Price) -> int:
        """Its version. PriceExists."""

    async def list_markups(self) -> list[Markup]:
        """All of them, oldest first."""

    async def add_markup(self, markup: Markup) -> int:
        """Its version. PriceExists."""

    async def terms_stamp(self) -> tuple[int, ...]:
        """The newest versions of prices and markups."""

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

    async def add_rollups(self, added: Mapping[str, Sequence[Rollup]]) -> None:
        """By tenant."""

    async def list_rollups(self, tenant_id: str, first: date, last: date) -> list[Rollup]: ...

    async def stored_bytes(self, tenant_id: str) -> int: ...

    async def list_events(
        self, tenant_id: str, wanted: EventFilter, size: int, after: tuple[str | int, ...] | None, *, oldest_first: bool
    ) -> list[LedgerEvent]:
        """By time, one more than `size`."""

    async def all_events(self, tenant_id: str) -> list[LedgerEvent]: ...

    async def replace_rollups(self, tenant_id: str, rollups: Sequence[Rollup]) -> None: ...

    async def compare(self, first: date, last: date) -> Comparison:
        """The ledger beside its rollups, as of one moment."""

    async def lock_proof(self) -> None:
        """One transaction proves at a time."""

    async def days_to_prove(self) -> list[date]:
        """Those in which something was booked since, whose proof is doubted, or that have differences."""

    async def ledger_day(self, day: date) -> LedgerDay | None: ...

    async def prove(self, day: LedgerDay, most: int) -> Added:
        """Adds to the proofs what was booked since, about `most` events; `set_proved` says so."""

    async def differing(self, day: date, proved: int, tenants: Collection[str] | None, most: int) -> list[Difference]:
        """Where the proofs, and what is booked behind them, contradict the rollups as of one moment: of tenants, or of
        all; of at most `most` tenants.
        """

    async def tenants_differing(self, day: date) -> set[str]:
        """Who had differences when they were compared last."""

    async def put_differences(
        self, day: date, tenants: Collection[str] | None, differences: Sequence[Difference]
    ) -> None:
        """Replaces those of the tenants, or all."""

    async def set_proved(self, day: date, proved: int, *, doubted: bool) -> None: ...

    async def alarm(self, most: int) -> Alarm:
        """With `most` differences."""

    async def next_review(self, before: datetime) -> LedgerDay | None:
        """The day that was read again longest ago, and before then."""

    async def review(self, day: LedgerDay, hour: int, ids: tuple[str, str]) -> int:
        """Reads the proved events of an hour, whose ids are from the first up to the second, again, and puts right the
        proofs of whom they contradict: how many tenants.
        """

    async def set_reviewed(self, day: date, reviewed: int) -> None:
        """How many hours of it were read again in this review."""

    async def end_review(self, day: date, at: datetime) -> None:
        """All of it was: its tenants are all to be compared, and those of days beside it that have rollups only."""

    async def move_events(self, tenant_id: str, account: str, most: int) -> list[LedgerEvent]:
        """Puts events, with their proofs, under another name, without whom and what they were for."""

    async def move_rollups(self, tenant_id: str, account: str) -> None:
        """Puts sums under another name, and what else is kept beside the events."""

    async def budgets_of(self, tenant_ids: Collection[str]) -> list[Budget]: ...

    async def list_budgets(self, tenant_id: str, size: int, after: tuple[str | int, ...] | None) -> list[Budget]:
        """Newest first, one more than `size`."""

    async def get_budget(self, tenant_id: str, budget_id: str) -> Budget | None: ...

    async def put_budget(self, budget: Budget) -> None:
        """Makes or replaces it."""

    async def delete_budget(self, tenant_id: str, budget_id: str) -> bool: ...

    async def spend(self, budget: Budget, period_start: date, added: int) -> int:
        """Adds to what is used; the sum."""

    async def used_of(self, tenant_id: str, budget_id: str, period_start: date) -> int: ...

    async def put_webhook(self, webhook: Webhook) -> None:
        """Makes or replaces it."""

    async def get_webhook(self, tenant_id: str, webhook_id: str, *, lock: bool = False) -> Webhook | None: ...

    async def webhooks_of(self, tenant_id: str) -> list[Webhook]: ...

    async def list_webhooks(self, tenant_id: str, size: int, after: tuple[str | int, ...] | None) -> list[Webhook]:
        """Newest first, one more than `size`."""

    async def delete_webhook(self, tenant_id: str, webhook_id: str) -> bool: ...

    async def add_deliveries(self, rows: Sequence[Delivery]) -> None:
        """With the jobs that deliver them."""

    async def get_delivery(self, tenant_id: str, delivery_id: str) -> Delivery | None: ...

    async def put_delivery(self, row: Delivery) -> None:
        """Replaces it."""

    async def list_deliveries(
        self, tenant_id: str, webhook_id: str, size: int, after: tuple[str | int, ...] | None
    ) -> list[Delivery]:
        """Newest first, one more than `size`."""

    async def tell_once(self, tenant_id: str, once: str, at: datetime) -> bool:
        """False: it was told before."""

    async def forget_tellings(self, before: datetime) -> int:
        """Deliveries that ended, and what was told once, of a time that has passed; how many rows."""


class Store(Protocol):
    """Opens transactions."""

    def transaction(self, tenant_id: str) -> AbstractAsyncContextManager[Repository]:
        """Sees one tenant's rows."""

    def platform(self, seconds: int | None = None) -> AbstractAsyncContextManager[Repository]:
        """Sees all rows: the worker moves every tenant's events. `seconds` bound its statements."""


class EventStream(Protocol):
    """The streams into which the meter appends, one for each partition."""

    async def read(self, positions: Mapping[int, str], count: int, wait_seconds: float) -> list[Entry]:
        """What comes after the positions, in order, at most `count` of a partition."""

    async def suspect(self) -> bool:
        """Whether the server may have started anew, or nobody has looked for some time. Cheap."""

    async def closed(self) -> list[int]:
        """The partitions that are not open: their server started anew."""

    async def committed(self, positions: Mapping[int, str]) -> None:
        """Tells the gateways how far the ledger is."""

    async def sweep(self) -> int:
        """Settles expired leases at their last checkpoint; how many."""

    async def trim(self, positions: Mapping[int, str]) -> None:
        """Drops what is old, and booked."""


class Vault(Protocol):
    """Encrypts secrets at rest, bound to what they belong to."""

    def seal(self, plaintext: bytes, *binding: str) -> bytes: ...

    def open(self, sealed: bytes, *binding: str) -> bytes: ...


class Messenger(Protocol):
    """Sends messages to addresses that tenants chose."""

    def check(self, url: str) -> str:
        """The address as it will be called. UrlRefused, AddressRefused."""

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """The status of the answer. UrlRefused, AddressRefused, Unavailable."""
