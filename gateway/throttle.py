"""Throttling of those who are not known yet, by address and by account, in bounded memory of this process."""

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

    def __init__(self, per_address: int, per_account: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_address = per_address
        self._per_account = per_account
        self._clock = clock
        self._counts: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def attempt(self, address: str) -> None:
        """An unauthenticated call from an address. TooManyAttempts."""
        self._add(f"address {address}", self._per_address)

    def check_account(self, account: str) -> None:
        """TooManyAttempts while an account had too many failures."""
        since, count = self._counts.get(f"account {account.lower()}", (0.0, 0))
        left = since + WINDOW_SECONDS - self._clock()
        if count >= self._per_account and left > 0:
            raise TooManyAttempts(retry_after=left)

    def failed(self, account: str) -> None:
        """A log-in to an account that failed."""
        self._add(f"account {account.lower()[:254]}", self._per_account + 1)

    def _add(self, name: str, most: int) -> None:
        now = self._clock()
        since, count = self._counts.pop(name, (now, 0))
        if now - since >= WINDOW_SECONDS:
            since, count = now, 0
        self._counts[name] = (since, count + 1)
        if len(self._counts) > ENTRIES:
            self._counts.popitem(last=False)
        if count + 1 > most:
            raise TooManyAttempts(retry_after=since + WINDOW_SECONDS - now)
