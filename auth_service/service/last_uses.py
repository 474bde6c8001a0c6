"""When keys were last used: noted in memory, and written for many at once, never while a caller waits."""

from collections import OrderedDict
from datetime import datetime

from auth_service.domain.store import Store

MOST = 10_000
"""Keys that are noted between two writes; of more, the oldest notes are lost, and made again at the next use."""


class LastUses:
    """What is not written yet."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._noted: OrderedDict[str, datetime] = OrderedDict()

    def note(self, key_id: str, at: datetime) -> None:
        """A key was used."""
        self._noted[key_id] = at
        self._noted.move_to_end(key_id)
        if len(self._noted) > MOST:
            self._noted.popitem(last=False)

    async def write(self) -> None:
        """Writes what was noted; what cannot be written now is noted still."""
        if not self._noted:
            return
        noted, self._noted = self._noted, OrderedDict()
        try:
            async with self._store.platform() as repository:
                await repository.touch_api_keys(noted)
        except Exception:
            self._noted = OrderedDict(sorted({**noted, **self._noted}.items(), key=lambda item: item[1])[-MOST:])
            raise
