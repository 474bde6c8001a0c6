"""Forgets what is of no use any more: expired links, invitations, attempts, refresh tokens and ended sessions."""

from datetime import timedelta

from auth_service.domain.store import Store
from auth_service.service.clock import Clock

KEPT = timedelta(days=30)
"""Sessions are kept so long after their last token expired, for those who look into what happened."""


class Housekeeping:
    """Runs now and then on every replica; to do it twice harms nothing."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def trim(self) -> None:
        """Everything that ended before now."""
        now = self._clock()
        async with self._store.platform() as repository:
            await repository.trim_links(now)
            await repository.trim_invitations(now)
            await repository.trim_attempts(now)
            await repository.trim_sessions(now - KEPT)
