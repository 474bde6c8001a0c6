"""Few places, shared out between tenants: who holds the fewest is next, and the last place is left for another one."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count


class Turns:
    """So many places; a tenant has all but one of them at most, if there are several."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._most = max(1, places - 1)
        self._held: Counter[str] = Counter()
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        self._turns = count(1)
        self._last: dict[str, int] = {}
        """When tenants that are here had their last turn."""

    @asynccontextmanager
    async def of(self, tenant_id: str) -> AsyncIterator[None]:
        """A place for as long as the block takes."""
        place = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(tenant_id, deque()).append(place)
        self._give()
        try:
            await place
        except asyncio.CancelledError:
            # It may have got its place in the same moment.
            if not place.cancelled():
                self._take_back(tenant_id)
            raise
        try:
            yield
        finally:
            self._take_back(tenant_id)

    def _give(self) -> None:
        while self._held.total() < self._places:
            able = [tenant_id for tenant_id in self._waiting if self._held[tenant_id] < self._most]
            if not able:
                return
            chosen = min(able, key=lambda tenant_id: (self._held[tenant_id], self._last.get(tenant_id, 0)))
            place = self._waiting[chosen].popleft()
            if not self._waiting[chosen]:
                del self._waiting[chosen]
            if not place.cancelled():
                self._held[chosen] += 1
                self._last[chosen] = next(self._turns)
                place.set_result(None)

    def _take_back(self, tenant_id: str) -> None:
        self._held[tenant_id] -= 1
        self._give()
        if not self._held[tenant_id] and tenant_id not in self._waiting:
            del self._held[tenant_id], self._last[tenant_id]
