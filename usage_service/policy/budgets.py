"""Budgets: how the meter counts them, how long they last, which thresholds are crossed."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

from usage_service.domain.budgets import Budget, Measure, Period, Scope
from usage_service.domain.errors import BadBudget
from usage_service.domain.ledger import Amounts, LedgerEvent
from usage_service.domain.limits import Subject
from usage_service.policy.limits import MAX_LIMIT

ALL = 100
MAX_NAME = 200
MAX_THRESHOLDS = 8
EPOCH = date(1970, 1, 1)
"""Where the one period of a total begins."""


def check_budget(budget: Budget) -> None:
    """BadBudget for what cannot be."""
    if not 1 <= len(budget.name) <= MAX_NAME:
        raise BadBudget(f"name: must have 1 to {MAX_NAME} characters.")
    if not 1 <= budget.amount <= MAX_LIMIT:
        raise BadBudget("amount: must be from 1 to 2^53.")
    if len(budget.thresholds) > MAX_THRESHOLDS or any(not 1 <= percent <= ALL for percent in budget.thresholds):
        raise BadBudget(f"thresholds: at most {MAX_THRESHOLDS} percentages from 1 to 100.")
    if bool(budget.subject_id) == (budget.scope is Scope.TENANT):
        raise BadBudget("subject_id: a budget of a user or a key names it, one of the tenant does not.")
    if len(budget.subject_id) > 64:
        raise BadBudget("subject_id: is no id of a user or a key.")


def with_budgets(subject: Subject, budgets: Iterable[Budget]) -> Subject:
    """The subject with what the meter is to count for its budgets: limits where they stop, marks where they tell."""
    limits: dict[str, int] = {}
    marks: set[tuple[str, int]] = set()
    for budget in budgets:
        if budget.scope.value != subject.kind or (budget.subject_id and budget.subject_id != subject.id):
            continue
        name = budget.limit_name
        if budget.hard_stop:
            limits[name] = min(budget.amount, limits.get(name, budget.amount))
        told = {*budget.thresholds} if budget.hard_stop else {*budget.thresholds, ALL}
        marks |= {(name, threshold_amount(budget.amount, percent)) for percent in told}
    return replace(subject, budgets=limits, marks=tuple(sorted(marks)))


def threshold_amount(amount: int, percent: int) -> int:
    """The first amount that is at or beyond a percentage."""
    return -(-amount * percent // ALL)


def subjects_with_budgets(budgets: Iterable[Budget]) -> tuple[str, ...]:
    """The kinds of subjects, beside the tenant, of which some have budgets."""
    kinds = {budget.scope.value for budget in budgets} - {Scope.TENANT.value}
    return tuple(sorted(kinds))


def period_start(period: Period, day: date) -> date:
    """The first day of the period that a day is in."""
    match period:
        case Period.DAY:
            return day
        case Period.MONTH:
            return day.replace(day=1)
    return EPOCH


def period_end(period: Period, day: date) -> datetime | None:
    """When the period that a day is in ends, in UTC: the next one's begin. None for a total."""
    match period:
        case Period.DAY:
            following = day + timedelta(days=1)
        case Period.MONTH:
            # The 28th and four days are always in the next month.
            following = (day.replace(day=28) + timedelta(days=4)).replace(day=1)
        case _:
            return None
    return datetime.combine(following, time(), UTC)


def measured(measure: Measure, amounts: Amounts) -> int:
    """What a budget counts of amounts."""
    if measure is Measure.COST:
        return amounts.cost_nano_usd
    return amounts.input_tokens + amounts.output_tokens


def bounds(budget: Budget, row: LedgerEvent) -> bool:
    """Whether an event counts against a budget."""
    event = row.event
    if budget.tenant_id != event.tenant_id:
        return False
    match budget.scope:
        case Scope.USER:
            return event.user_id == budget.subject_id
        case Scope.KEY:
            return event.key_id == budget.subject_id
    return True


def spending(budgets: Sequence[Budget], rows: Iterable[LedgerEvent]) -> dict[tuple[str, date], int]:
    """What events add to budgets, by budget and first day of its period."""
    sums: dict[tuple[str, date], int] = {}
    for row in rows:
        for budget in budgets:
            added = measured(budget.measure, row.amounts)
            if added and bounds(budget, row):
                place = budget.id, period_start(budget.period, row.day)
                sums[place] = sums.get(place, 0) + added
    return sums


def crossed(budget: Budget, used: int) -> list[int]:
    """The percentages that are reached, ascending; the whole is always one of those that count."""
    return [percent for percent in sorted({*budget.thresholds, ALL}) if used * ALL >= budget.amount * percent]
