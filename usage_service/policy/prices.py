"""What lines cost: prices and markups by tenant and time, in integers of nano-dollars."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TypeVar

from usage_service.domain.ledger import Line, PricedLine, Unit
from usage_service.domain.prices import STANDARD, Markup, Price

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

    def price(self, tenant_id: str, line: Line, at: datetime) -> PricedLine:
        """The line's cost. Version 0 if it has no price."""
        for row in self._rows(tenant_id if tenant_id in self.tenants else EVERYBODY, line):
            if found := _at(row, at):
                return PricedLine(line, found.version, cost(line.amount, self._rate(tenant_id, found, at)))
        return PricedLine(line, 0, 0)

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

    def rates(self, tenant_id: str, at: datetime) -> dict[str, int]:
        """What the meter counts with: nano-dollars per million by `provider|model|unit`, under each spelling of the
        model, and under `|model|unit` the most that any provider costs, whichever way the tokens are told.
        """
        rates: dict[tuple[str, str, str], int] = {}
        for owner in (EVERYBODY, tenant_id) if tenant_id else (EVERYBODY,):
            found = self.in_force(at, owner)
            spelt = [(price, f"{price.provider}/{price.model}") for price in found]
            for price, model in [*spelt, *((price, price.model) for price in found)]:
                rates[price.provider, model, price.unit.value] = self._rate(tenant_id, price, at)
        for special, ordinary in AT_MOST.items():
            for provider, model, unit in [key for key in rates if key[2] == ordinary]:
                rates.setdefault((provider, model, special), rates[provider, model, unit])
        most: dict[str, int] = {}
        for (_provider, model, unit), rate in rates.items():
            for name in (unit, AT_MOST.get(unit, unit)):
                most[f"|{model}|{name}"] = max(rate, most.get(f"|{model}|{name}", 0))
        return most | {"|".join(key): rate for key, rate in rates.items()}

    def next_change(self, at: datetime) -> datetime | None:
        """When, after a time, something else holds."""
        rows: Iterable[Sequence[Price | Markup]] = (*self._prices.values(), *self._markups.values())
        return min((item.effective_at for row in rows for item in row if item.effective_at > at), default=None)

    def _rate(self, tenant_id: str, price: Price, at: datetime) -> int:
        markup = _at(self._markups.get(tenant_id, ()), at)
        if price.tenant_id or markup is None:
            return price.nano_usd_per_million
        return marked_up(price.nano_usd_per_million, markup.basis_points)


def _at(row: Sequence[T], at: datetime) -> T | None:
    for item in reversed(row):
        if item.effective_at <= at:
            return item
    return None


def by_terms(prices: Iterable[Price]) -> list[Price]:
    """In the order in which people read them."""
    return sorted(prices, key=lambda price: (price.provider, price.model, price.unit.value, price.effective_at))
