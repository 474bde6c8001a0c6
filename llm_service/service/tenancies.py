"""What tenants have of their own, in memory: read when asked for, forgotten when the database tells of a change."""

from collections import OrderedDict
from collections.abc import Callable

import structlog

from chassis.errors import PlatformError
from llm_service.domain.store import Store
from llm_service.domain.tenancy import Tenancy

log = structlog.get_logger()

MOST = 10_000
NOTHING = Tenancy()


class Tenancies:
    """The most recently used ones. Each is read again after so many `seconds`, in case nothing was heard of it."""

    def __init__(self, store: Store, clock: Callable[[], float], seconds: float, most: int = MOST) -> None:
        self._store = store
        self._clock = clock
        self._seconds = seconds
        self._most = most
        self._kept: OrderedDict[str, tuple[Tenancy, float]] = OrderedDict()
        self._told = 0
        """Counts what was forgotten: what was read before it may be old by now."""

    async def of(self, tenant_id: str) -> Tenancy:
        """A tenant's. While the database is away, what was last known; DatabaseUnavailable if that is nothing."""
        if not tenant_id:
            return NOTHING
        kept = self._kept.get(tenant_id)
        if kept and self._clock() < kept[1]:
            self._kept.move_to_end(tenant_id)
            return kept[0]
        told = self._told
        try:
            async with self._store.transaction(tenant_id) as repository:
                found = await repository.tenancy(tenant_id)
        except PlatformError as error:
            if kept is None:
                raise
            log.warning("a tenant's models were not read again", tenant_id=tenant_id, reason=error.reason)
            return kept[0]
        if told == self._told:
            self._kept[tenant_id] = (found, self._clock() + self._seconds)
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return found

    def forget(self, tenant_id: str = "") -> None:
        """A tenant's (or everybody's) may have changed: it is read again before it is used again."""
        self._told += 1
        for known in [tenant_id] if tenant_id else list(self._kept):
            if known in self._kept:
                # Kept for the time that the database is away.
                self._kept[known] = (self._kept[known][0], 0.0)
