"""The deletion of a tenant: closed at once, then removed everywhere, and once more when all has come to rest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from typing import Protocol

from auth_service.domain.tenants import TenantStatus

SERVICES = ("usage", "rag", "llm", "embedding", "speech")
"""Those that keep something of tenants, beside this one. The gateway, which calls them, reports of each."""
OWN = "auth"


class DeletionStatus(Enum):
    """How far it is. Only while it waits it can be taken back."""

    WAITING = "waiting"
    RUNNING = "running"
    SETTLING = "settling"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Step:
    """One service's part. `done`: nothing was left in this round; `error`: the reason why the last try failed."""

    service: str
    done: bool = False
    removed: Mapping[str, int] = field(default_factory=dict)
    waiting_for: str = ""
    error: str = ""

    def after(self, report: "Step") -> "Step":
        """With what was reported; removed things add up."""
        names = {**self.removed, **report.removed}
        removed = {name: self.removed.get(name, 0) + report.removed.get(name, 0) for name in names}
        return replace(report, removed=removed)


@dataclass(frozen=True, slots=True)
class Deletion:
    """Of one tenant. There are two rounds: the second removes what calls that were under way have left behind."""

    id: str
    tenant_id: str
    was: TenantStatus
    """The tenant's status before, for when it is taken back."""
    requested_at: datetime
    starts_at: datetime
    next_at: datetime
    """When somebody should see to it."""
    rounds: int = 0
    """Completed."""
    tries: int = 0
    """Of this round, so far."""
    erased_at: datetime | None = None
    steps: tuple[Step, ...] = ()

    def status(self, now: datetime) -> DeletionStatus:
        """How far it is."""
        if self.erased_at is not None:
            return DeletionStatus.DONE
        if self.rounds:
            return DeletionStatus.SETTLING
        return DeletionStatus.RUNNING if self.starts_at <= now else DeletionStatus.WAITING


class DeletionQueries(Protocol):
    """Queries on deletions, in all tenants: who is deleted does not ask any more."""

    async def add_deletion(self, deletion: Deletion) -> None: ...

    async def deletion_of(self, tenant_id: str) -> Deletion | None:
        """Locked until the transaction ends."""

    async def get_deletion(self, deletion_id: str, *, lock: bool = False) -> Deletion | None: ...

    async def list_deletions(self, size: int, after: tuple[str | int, ...] | None) -> list[Deletion]:
        """Newest first, one more than `size`."""

    async def due_deletion(self, now: datetime) -> Deletion | None:
        """One that somebody should see to, locked; those that somebody else has locked are left out."""

    async def put_deletion(self, deletion: Deletion) -> None:
        """Replaces it, with its steps."""

    async def drop_deletion(self, deletion_id: str) -> None: ...

    async def lone_operators(self, tenant_id: str) -> Sequence[str]:
        """Operators who belong to no other tenant."""

    async def erase_tenant(self, tenant_id: str) -> Mapping[str, int]:
        """Removes the tenant and those who belong to no other; how many of what."""
