"""A deleted tenant: what the books need of it stays, under a name that is nobody's; its counters go.

Its settings, budgets, prices, webhooks and messages are rows like any, which `chassis.tenant_rows` removes.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from uuid import UUID, uuid5

from chassis.erasure import SECONDS, Erased
from usage_service.domain.ports import Meter, Store
from usage_service.policy.ledger import roll_up

APART = ("events", "rollups", "proofs", "differences")
"""The tables whose rows stay: what was used and earned must add up for ever (docs/decisions/0008)."""
BATCH = 10_000
ACCOUNTS = UUID("6d0bca2e-6b0c-4c1f-9f59-9e3c1c6a2b11")


def account_of(deletion_id: str) -> str:
    """Under what the ledger keeps what a deleted tenant used: made of the deletion's id, and not of the tenant's."""
    return str(uuid5(ACCOUNTS, deletion_id))


class Erasure:
    """Moves the tenant's part of the ledger to that account, without users, keys and request ids; forgets counters."""

    def __init__(self, store: Store, meter: Meter, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._meter = meter
        self._clock = clock

    async def erase(self, tenant_id: str, deletion_id: str) -> Erased:
        """A batch is a transaction: doing it again goes on where it stopped."""
        account, ends = account_of(deletion_id), self._clock() + SECONDS
        moved, removed = BATCH, {"ledger_rows": 0}
        while moved == BATCH:
            if self._clock() > ends:
                return Erased(removed, "more rows of the ledger")
            moved = await self._move(tenant_id, account)
            removed["ledger_rows"] += moved
        removed["counters"] = await self._meter.forget(tenant_id)
        return Erased(removed)

    async def _move(self, tenant_id: str, account: str) -> int:
        """Events go with their sums: whoever compares meanwhile finds no difference."""
        async with self._store.platform() as repository:
            await repository.lock_ledger()
            await repository.lock_proof()
            moved = await repository.move_events(tenant_id, account, BATCH)
            added = roll_up(moved).get(account, [])
            taken = [replace(row, amounts=-row.amounts) for row in added]
            await repository.add_rollups({account: added, tenant_id: taken})
            if len(moved) < BATCH:
                await repository.move_rollups(tenant_id, account)
        return len(moved)
