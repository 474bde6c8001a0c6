"""Throttling of those who are not known yet, by address, in bounded memory of this process.

Who fails to log in to which account, the auth service counts, for all gateways together.
"""

import time
from collections import OrderedDict
from collections.abc import Callable

from chassis.errors import ResourceExhausted

ENTRIES = 50_000
WINDOW_SECONDS = 60.0


class TooManyAttempts(ResourceExhausted):
    reason = "TOO_MANY_ATTEMPTS"
    message = "Too many attempts; wait a minute."


class Throttle:
    """Counts in minutes that start with a first attempt."""

    def __init__(self, per_address: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_address = per_address
        self._clock = clock
        self._counts: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def attempt(self, address: str) -> None:
        """An unauthenticated call from an address. TooManyAttempts."""
        now = self._clock()
        since, count = self._counts.pop(address, (now, 0))
        if now - since >= WINDOW_SECONDS:
            since, count = now, 0
        self._counts[address] = (since, count + 1)
        if len(self._counts) > ENTRIES:
            self._counts.popitem(last=False)
        if count + 1 > self._per_address:
            raise TooManyAttempts(retry_after=since + WINDOW_SECONDS - now)
