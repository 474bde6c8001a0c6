"""Bounds on money and tokens that a tenant sets itself."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum


class Scope(Enum):
    """What a budget bounds."""

    TENANT = "tenant"
    USER = "user"
    KEY = "key"


class Measure(Enum):
    """What a budget counts; the value is how the limit of the meter begins."""

    COST = "cost_nano_usd"
    TOKENS = "tokens"


class Period(Enum):
    """How long a budget counts, in UTC; the value is how the limit of the meter ends."""

    DAY = "per_day"
    MONTH = "per_month"
    TOTAL = "total"


@dataclass(frozen=True, slots=True)
class Budget:
    """A bound. `amount` in nano-dollars or tokens, `thresholds` in percent of it, ascending."""

    id: str
    tenant_id: str
    name: str
    scope: Scope
    subject_id: str
    measure: Measure
    period: Period
    amount: int
    thresholds: tuple[int, ...]
    hard_stop: bool
    created_at: datetime

    @property
    def limit_name(self) -> str:
        """The limit of the meter that it is."""
        return f"{self.measure.value}_{self.period.value}"


@dataclass(frozen=True, slots=True)
class BudgetState:
    """A budget, what is used of it in the present period, and when that ends (None: never)."""

    budget: Budget
    used: int
    resets_at: datetime | None


@dataclass(frozen=True, slots=True)
class Spent:
    """What was added to a budget in a period."""

    budget: Budget
    period_start: date
    added: int
