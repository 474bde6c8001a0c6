"""The audit log: read, exported, added to for other services, and its chains verified."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace

from auth_service.domain.audit import PLATFORM_CHAIN, AuditEvent, AuditFilter, AuditHead, Deed
from auth_service.domain.store import Store
from auth_service.policy import audit
from chassis.pagination import Page, PageRequest

BATCH = 500


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What became of verifying one chain. `problem` names the first broken row; empty if there is none."""

    tenant_id: str
    rows: int
    problem: str


class Audit:
    """Rows are written by the transactions that do the deeds; here they are read."""

    def __init__(self, store: Store, trail: audit.Trail) -> None:
        self._store = store
        self._trail = trail

    async def record(self, tenant_id: str, deed: Deed) -> None:
        """A deed of another service. The platform's own chain is PLATFORM_CHAIN."""
        async with self._store.transaction(tenant_id) as repository:
            repository.record(tenant_id, deed)

    async def page(self, tenant_id: str, which: AuditFilter, request: PageRequest) -> Page[AuditEvent]:
        """Newest first."""
        below = int(request.after[0]) if request.after else 0
        async with self._store.transaction(tenant_id) as repository:
            rows = await repository.list_audit_events(tenant_id, which, request.size, below)
        return request.page(rows, lambda event: (event.sequence,))

    async def head(self, tenant_id: str) -> AuditHead | None:
        """Where the tenant's chain ends, signed; None while nothing was recorded."""
        async with self._store.transaction(tenant_id) as repository:
            return await repository.audit_head(tenant_id)

    async def export(self, tenant_id: str, which: AuditFilter, until: int) -> AsyncIterator[list[AuditEvent]]:
        """All rows up to the sequence `until`, oldest first, in parts; no transaction is open while a part is sent."""
        above = 0
        while above < until:
            async with self._store.transaction(tenant_id) as repository:
                rows = await repository.read_audit_events(tenant_id, which, BATCH, above)
            rows = [row for row in rows if row.sequence <= until]
            if rows:
                yield rows
            if len(rows) < BATCH:
                return
            above = rows[-1].sequence

    async def verify(self, told: Callable[[ChainReport], None], tenant_id: str = "") -> bool:
        """Walks every chain, or one, and tells of each; whether all are whole."""
        async with self._store.platform() as repository:
            chains = [tenant_id] if tenant_id else await repository.audit_chains()
        whole = True
        for chain in chains:
            report = await self._verify(chain)
            whole = whole and not report.problem
            told(report)
        return whole

    async def sign_heads_anew(self) -> int:
        """Signs every head under the current key, so that an old one can be thrown away; how many."""
        async with self._store.platform() as repository:
            chains = await repository.audit_chains()
        for chain in chains:
            async with self._store.transaction(chain) as repository:
                head = await repository.audit_head(chain)
                # A head whose signature is wrong keeps it: signing anew would hide what was done.
                if head is not None and self._trail.is_signed(head):
                    await repository.sign_audit_head(chain, self._trail.sign(head))
        return len(chains)

    async def _verify(self, tenant_id: str) -> ChainReport:
        head = await self.head(tenant_id)
        if head is None:
            return ChainReport(tenant_id, 0, "")
        last = AuditHead(tenant_id, 0, audit.ZERO_HASH)
        async for rows in self.export(tenant_id, AuditFilter(), head.sequence):
            problem = audit.first_break(last, rows)
            if problem:
                return ChainReport(tenant_id, last.sequence + len(rows), problem)
            last = replace(last, sequence=rows[-1].sequence, hash=rows[-1].hash)
        return ChainReport(tenant_id, last.sequence, self._end_problem(last, head))

    def _end_problem(self, last: AuditHead, head: AuditHead) -> str:
        if last.sequence != head.sequence:
            return f"row {last.sequence + 1} is missing"
        signed = self._trail.is_signed(head)
        if signed is None:
            return f"the head at row {head.sequence} is signed under a key that is not here ({head.key_id})"
        if not signed or last.hash != head.hash:
            return f"row {head.sequence} is not the one that was signed as the head: rows were written anew"
        return ""


def chain_of(tenant_id: str, *, platform: bool) -> str:
    """Whose chain a deed belongs into."""
    return PLATFORM_CHAIN if platform else tenant_id
