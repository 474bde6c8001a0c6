"""When a deletion goes on, and whether somebody means it."""

import unicodedata
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from auth_service.domain.deletions import OWN, SERVICES, Deletion, Step
from auth_service.domain.errors import NotConfirmed
from auth_service.domain.tenants import Tenant

LEASE = timedelta(minutes=1)
"""So long whoever took it has, before somebody else may."""
LONGEST_PAUSE = timedelta(minutes=1)
YOUNG = timedelta(minutes=15)
"""What a session may be old at most, where there is no password to ask for."""


@dataclass(frozen=True, slots=True)
class DeletionRules:
    """`grace`: from the request until anything is removed. `settle`: from the request to the second round; longer than
    any call takes and than access tokens live.
    """

    grace: timedelta
    settle: timedelta


def check_meant(confirm: str, tenant: Tenant) -> None:
    """NotConfirmed unless the tenant's name was given."""
    if unicodedata.normalize("NFC", confirm).strip() != tenant.name:
        raise NotConfirmed


def begun(deletion_id: str, tenant: Tenant, now: datetime, rules: DeletionRules) -> Deletion:
    """A new deletion."""
    starts = now + rules.grace
    steps = tuple(Step(service) for service in (*SERVICES, OWN))
    return Deletion(deletion_id, tenant.id, tenant.status, now, starts, starts, steps=steps)


def open_services(deletion: Deletion) -> tuple[str, ...]:
    """Those that are to be asked in this round."""
    return tuple(step.service for step in deletion.steps if not step.done and step.service != OWN)


def reported(deletion: Deletion, reports: dict[str, Step], now: datetime) -> Deletion:
    """With what became of the services; to be seen to again after a pause that grows."""
    steps = tuple(
        step.after(reports[step.service]) if step.service in reports and not step.done else step
        for step in deletion.steps
    )
    pause = min(LONGEST_PAUSE, timedelta(seconds=2.0 ** min(deletion.tries, 10)))
    return replace(deletion, steps=steps, tries=deletion.tries + 1, next_at=now + pause)


def round_done(deletion: Deletion, now: datetime, rules: DeletionRules) -> Deletion:
    """The round has ended: the second waits until what was under way has, too; after it nothing is left."""
    if deletion.rounds:
        return replace(deletion, rounds=deletion.rounds + 1, erased_at=now)
    again = max(now, deletion.starts_at + rules.settle)
    steps = tuple(replace(step, done=False) for step in deletion.steps)
    return replace(deletion, rounds=1, tries=0, next_at=again, steps=steps)
