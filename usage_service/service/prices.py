"""Prices and markups: versions are added, and the meter is told what holds."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from usage_service.domain.errors import BadTerms, PastPrice
from usage_service.domain.ledger import Unit
from usage_service.domain.ports import Meter, Store
from usage_service.domain.prices import STANDARD, Markup, Price
from usage_service.policy.prices import (
    EVERYBODY,
    MAX_NANO_USD_PER_MILLION,
    MAX_TIERS,
    TIERED,
    WHOLE,
    PriceBook,
    by_terms,
    checked,
    list_name,
)

log = structlog.get_logger()

MAX_NAME = 200
MAX_SOURCE = 500
MAX_MARKUP = 100 * WHOLE
LOOK_EVERY = timedelta(seconds=5)
HURRY = timedelta(seconds=5)
"""What is to hold from a moment ago holds from now: the message took so long."""


class Prices:
    """Reads and adds terms. `partitions`: how many the meter has; `partition`: the number of a tenant's."""

    def __init__(
        self,
        store: Store,
        meter: Meter,
        clock: Callable[[], datetime],
        partition: Callable[[str], int],
        partitions: int,
    ) -> None:
        self._store = store
        self._meter = meter
        self._clock = clock
        self._partition = partition
        self._all = range(partitions)
        self._told: tuple[int, ...] | None = None
        self._next: datetime | None = None
        self._looked: datetime | None = None

    async def book(self) -> PriceBook:
        """All terms."""
        async with self._store.platform() as repository:
            return PriceBook(await repository.list_prices(), await repository.list_markups())

    async def in_force(self, provider: str = "", model: str = "") -> list[Price]:
        """The prices for everybody that hold now."""
        found = (await self.book()).in_force(self._clock())
        return by_terms(_narrowed(found, EVERYBODY, provider, model))

    async def history(self, tenant_id: str, provider: str = "", model: str = "") -> list[Price]:
        """Every version for everybody, or of a tenant's own."""
        async with self._store.platform() as repository:
            return by_terms(_narrowed(await repository.list_prices(), tenant_id, provider, model))

    async def markups(self, tenant_id: str) -> list[Markup]:
        """Every version of a tenant's markup."""
        async with self._store.platform() as repository:
            return [markup for markup in await repository.list_markups() if markup.tenant_id == tenant_id]

    async def add(self, prices: Sequence[Price]) -> list[Price]:
        """Adds versions, all or none. PastPrice, PriceExists, BadTerms."""
        now = self._clock()
        added = []
        async with self._store.platform() as repository:
            for price in prices:
                _check(price)
                new = replace(price, effective_at=_from_now_on(price.effective_at, now))
                added.append(replace(new, version=await repository.add_price(new)))
        await self.publish({price.tenant_id for price in added} - {EVERYBODY})
        return added

    async def add_markup(self, markup: Markup) -> Markup:
        """Adds a version. PastPrice, PriceExists, BadTerms."""
        if not -WHOLE <= markup.basis_points <= MAX_MARKUP:
            raise BadTerms(f"basis_points: from -{WHOLE} (everything is free) to {MAX_MARKUP}.")
        new = replace(markup, effective_at=_from_now_on(markup.effective_at, self._clock()))
        async with self._store.platform() as repository:
            new = replace(new, version=await repository.add_markup(new))
        await self.publish({new.tenant_id})
        return new

    async def publish(self, tenants: Iterable[str] = ()) -> None:
        """Tells the meter what holds now. `tenants`: who may have got terms of its own, and is compiled anew."""
        book, now = await self.book(), self._clock()
        await self._tell(book, now, self._all)
        for tenant_id in book.tenants:
            await self._tell_tenant(book, now, tenant_id)
        for tenant_id in tenants:
            await self._meter.invalidate(tenant_id)

    async def publish_changes(self) -> bool:
        """Tells the meter, if anything holds that it was not told of; whether it was so.

        Who adds terms tells it himself: what was not told is looked for now and then.
        """
        now = self._clock()
        if self._looked and now - self._looked < LOOK_EVERY and (self._next is None or now < self._next):
            return False
        self._looked = now
        async with self._store.platform() as repository:
            stamp = await repository.terms_stamp()
        if stamp == self._told and (self._next is None or now < self._next):
            return False
        book = await self.book()
        await self.publish(book.tenants)
        # Read before and after: what was added meanwhile is told the next time.
        self._told, self._next = stamp, book.next_change(now)
        log.info("the meter knows the prices", stamp=stamp)
        return True

    async def publish_to(self, numbers: Sequence[int]) -> None:
        """Tells partitions that start anew the prices for everybody; a tenant's own come when it is compiled."""
        await self._tell(await self.book(), self._clock(), numbers)

    async def list_of(self, tenant_id: str) -> str:
        """The name of the list that a tenant's money is counted with; it is there."""
        book = await self.book()
        name = list_name(tenant_id, book.tenants)
        if name != STANDARD:
            await self._tell_tenant(book, self._clock(), tenant_id)
        return name

    async def _tell(self, book: PriceBook, now: datetime, numbers: Iterable[int]) -> None:
        await self._meter.set_prices(numbers, STANDARD, book.rates(EVERYBODY, now))

    async def _tell_tenant(self, book: PriceBook, now: datetime, tenant_id: str) -> None:
        name = list_name(tenant_id, book.tenants)
        await self._meter.set_prices([self._partition(tenant_id)], name, book.rates(tenant_id, now))


def _narrowed(prices: Iterable[Price], tenant_id: str, provider: str, model: str) -> Iterable[Price]:
    for price in prices:
        if price.tenant_id == tenant_id and provider in ("", price.provider) and model in ("", price.model):
            yield price


def _from_now_on(at: datetime, now: datetime) -> datetime:
    if at < now - HURRY:
        raise PastPrice
    return max(at, now)


def _check(price: Price) -> None:
    if not (1 <= len(price.provider) <= MAX_NAME and 1 <= len(price.model) <= MAX_NAME):
        raise BadTerms(f"provider, model: 1 to {MAX_NAME} characters.")
    if "|" in price.provider + price.model or not (price.provider + price.model).isprintable():
        raise BadTerms("provider, model: of printable characters, without a |.")
    if price.unit is Unit.STORED_BYTES:
        raise BadTerms("unit: stored bytes are limited by the plan, not sold by the byte.")
    if not 0 <= price.nano_usd_per_million <= MAX_NANO_USD_PER_MILLION:
        raise BadTerms(f"nano_usd_per_million: from 0 to {MAX_NANO_USD_PER_MILLION}.")
    rates = (tier.nano_usd_per_million for tier in price.tiers)
    if price.tiers and not (price.unit in TIERED and checked(price.tiers)):
        raise BadTerms(f"tiers: of tokens, at most {MAX_TIERS}, each from_input_tokens more than the one before.")
    if not all(0 <= rate <= MAX_NANO_USD_PER_MILLION for rate in rates):
        raise BadTerms(f"tiers: nano_usd_per_million: from 0 to {MAX_NANO_USD_PER_MILLION}.")
    if len(price.source) > MAX_SOURCE:
        raise BadTerms(f"source: at most {MAX_SOURCE} characters.")
