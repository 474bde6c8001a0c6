"""What lines cost: prices and markups by tenant and time, in integers of nano-dollars."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import TypeVar

from usage_service.domain.ledger import Line, PricedLine, Unit
from usage_service.domain.prices import STANDARD, Markup, Price, Tier

PER = 1_000_000
WHOLE = 10_000
"""Basis points of all of it."""
MAX_NANO_USD_PER_MILLION = 10**15
"""A dollar a unit: beyond it, a request could cost more than what the meter counts exactly."""
EVERYBODY = ""

MAX_FOUND = 10_000
"""Lines of so many kinds are looked up once."""
T = TypeVar("T", Price, Markup)
PRICED_AS = {
    Unit.CACHED_INPUT_TOKENS: Unit.INPUT_TOKENS,
    Unit.CACHE_WRITE_TOKENS: Unit.INPUT_TOKENS,
    Unit.REASONING_TOKENS: Unit.OUTPUT_TOKENS,
}
"""A unit that has no price of its own costs what another does: they are tokens read or written like others."""
AT_MOST = {special.value: ordinary.value for special, ordinary in PRICED_AS.items()}
Key = tuple[str, str, str, Unit]
"""Tenant (or EVERYBODY), provider, model, unit."""


def divided(product: int, divisor: int) -> int:
    """The quotient, rounded to the nearest, halves away from zero: what is taken back is what was charged."""
    sign = -1 if product < 0 else 1
    return sign * ((2 * abs(product) + divisor) // (2 * divisor))


def cost(amount: int, nano_usd_per_million: int) -> int:
    """Nano-dollars of an amount."""
    return divided(amount * nano_usd_per_million, PER)


def marked_up(nano_usd_per_million: int, basis_points: int) -> int:
    """A price with a markup; never below zero."""
    return max(0, divided(nano_usd_per_million * (WHOLE + basis_points), WHOLE))


READ = frozenset({Unit.INPUT_TOKENS, Unit.CACHED_INPUT_TOKENS, Unit.CACHE_WRITE_TOKENS})
TIERED = READ | {Unit.OUTPUT_TOKENS, Unit.REASONING_TOKENS}
"""What can cost more in longer calls."""
MAX_TIERS = 8
MAX_TIER_TOKENS = 10**9


def contexts_of(lines: Sequence[Line]) -> list[int]:
    """For each line, how many tokens its call read: lines of one call stand together, each unit once."""
    found: list[int] = []
    call: object = None
    read, units = 0, set[Unit]()
    for line in lines:
        name = line.service, line.model, line.provider, line.attempt
        if name != call or line.unit in units:
            found += [read] * len(units)
            call, read, units = name, 0, set()
        units.add(line.unit)
        read += line.amount if line.unit in READ else 0
    return found + [read] * len(units)


@dataclass(frozen=True, slots=True)
class Rate:
    """Nano-dollars per million, by tiers where there are some: (from how many tokens, rate), the least first."""

    base: int
    tiers: tuple[tuple[int, int], ...] = ()

    def at(self, context: int) -> int:
        """Of a call that reads so many tokens."""
        return next((rate for start, rate in reversed(self.tiers) if context >= start), self.base)

    def most(self, other: "Rate") -> "Rate":
        """The dearer of both, at each length."""
        starts = sorted({start for start, _ in (*self.tiers, *other.tiers)})
        return Rate(
            max(self.base, other.base), tuple((start, max(self.at(start), other.at(start))) for start in starts)
        )

    def __str__(self) -> str:
        return " ".join([str(self.base), *(f"{start}={rate}" for start, rate in self.tiers)])


def list_name(tenant_id: str, own: Iterable[str]) -> str:
    """The meter's list of prices for a tenant; `own`: the tenants with terms of their own."""
    return f"t:{tenant_id}" if tenant_id in own else STANDARD


class PriceBook:
    """Prices and markups with their versions in time."""

    def __init__(self, prices: Sequence[Price], markups: Sequence[Markup] = ()) -> None:
        """Both: oldest first."""
        self._prices: dict[Key, list[Price]] = defaultdict(list)
        for price in prices:
            self._prices[price.tenant_id, price.provider, price.model, price.unit].append(price)
        self._markups: dict[str, list[Markup]] = defaultdict(list)
        for markup in markups:
            self._markups[markup.tenant_id].append(markup)
        self.tenants = frozenset({tenant for tenant, *_ in self._prices if tenant} | set(self._markups))
        """Those with terms of their own."""
        self._found: dict[Key, Sequence[Sequence[Price]]] = {}

    def price(self, tenant_id: str, line: Line, at: datetime, context: int = 0) -> PricedLine:
        """The line's cost in a call that read `context` tokens. Version 0 if it has no price."""
        found = self._found_for(tenant_id, line, at)
        if found is None:
            return PricedLine(line, 0, 0)
        rate = self._rate(tenant_id, found, at).at(context)
        return PricedLine(line, found.version, cost(line.amount, rate), tier_of(found, context))

    def tiers(self, tenant_id: str, lines: Sequence[Line], at: datetime) -> list[int]:
        """Of the lines of whole calls: from how many tokens on each line's tier is, 0 for none."""
        found = [self._found_for(tenant_id, line, at) for line in lines]
        if not any(price and price.tiers for price in found):
            return [0] * len(lines)
        return [
            tier_of(price, context) if price else 0 for price, context in zip(found, contexts_of(lines), strict=True)
        ]

    def _found_for(self, tenant_id: str, line: Line, at: datetime) -> Price | None:
        for row in self._rows(tenant_id if tenant_id in self.tenants else EVERYBODY, line):
            if found := _at(row, at):
                return found
        return None

    def _rows(self, tenant_id: str, line: Line) -> Sequence[Sequence[Price]]:
        """The versions of each price that is asked for, the first that holds being the line's."""
        key = (tenant_id, line.provider, line.model, line.unit)
        found = self._found.get(key)
        if found is None:
            asked = (
                (owner, line.provider, model, unit)
                for unit in (line.unit, PRICED_AS.get(line.unit)) if unit
                for owner in (tenant_id, EVERYBODY)
                # openai/gpt-4o-mini and gpt-4o-mini are one model of one provider.
                for model in (line.model, line.model.removeprefix(f"{line.provider}/"))
            )  # fmt: skip
            if len(self._found) >= MAX_FOUND:
                self._found.clear()
            found = self._found[key] = [self._prices[name] for name in asked if name in self._prices]
        return found

    def in_force(self, at: datetime, tenant_id: str = EVERYBODY) -> list[Price]:
        """The prices for everybody (or a tenant's own) that hold at a time."""
        rows = (_at(row, at) for key, row in self._prices.items() if key[0] == tenant_id)
        return [price for price in rows if price]

    def rates(self, tenant_id: str, at: datetime) -> dict[str, Rate]:
        """What the meter counts with: rates by `provider|model|unit`, under each spelling of the
        model, and under `|model|unit` the most that any provider costs, whichever way the tokens are told.
        """
        rates: dict[tuple[str, str, str], Rate] = {}
        for owner in (EVERYBODY, tenant_id) if tenant_id else (EVERYBODY,):
            found = self.in_force(at, owner)
            spelt = [(price, f"{price.provider}/{price.model}") for price in found]
            for price, model in [*spelt, *((price, price.model) for price in found)]:
                rates[price.provider, model, price.unit.value] = self._rate(tenant_id, price, at)
        for special, ordinary in AT_MOST.items():
            for provider, model, unit in [key for key in rates if key[2] == ordinary]:
                rates.setdefault((provider, model, special), rates[provider, model, unit])
        most: dict[str, Rate] = {}
        for (_provider, model, unit), rate in rates.items():
            for name in {f"|{model}|{unit}", f"|{model}|{AT_MOST.get(unit, unit)}"}:
                most[name] = rate.most(most[name]) if name in most else rate
        return most | {"|".join(key): rate for key, rate in rates.items()}

    def next_change(self, at: datetime) -> datetime | None:
        """When, after a time, something else holds."""
        rows: Iterable[Sequence[Price | Markup]] = (*self._prices.values(), *self._markups.values())
        return min((item.effective_at for row in rows for item in row if item.effective_at > at), default=None)

    def _rate(self, tenant_id: str, price: Price, at: datetime) -> Rate:
        markup = _at(self._markups.get(tenant_id, ()), at)
        points = 0 if price.tenant_id or markup is None else markup.basis_points
        return Rate(
            marked_up(price.nano_usd_per_million, points),
            tuple((tier.from_input_tokens, marked_up(tier.nano_usd_per_million, points)) for tier in price.tiers),
        )


def tier_of(price: Price, context: int) -> int:
    """From how many tokens on the tier is that a call which reads so many is in; 0 for none."""
    return max((tier.from_input_tokens for tier in price.tiers if context >= tier.from_input_tokens), default=0)


def checked(tiers: Sequence[Tier]) -> bool:
    """Whether they can be tiers of a price: each of more tokens than the one before."""
    starts = [0, *(tier.from_input_tokens for tier in tiers)]
    rising = all(one < other for one, other in pairwise(starts))
    return rising and len(tiers) <= MAX_TIERS and starts[-1] <= MAX_TIER_TOKENS


def _at(row: Sequence[T], at: datetime) -> T | None:
    for item in reversed(row):
        if item.effective_at <= at:
            return item
    return None


def by_terms(prices: Iterable[Price]) -> list[Price]:
    """In the order in which people read them."""
    return sorted(prices, key=lambda price: (price.provider, price.model, price.unit.value, price.effective_at))
