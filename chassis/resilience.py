"""Retry, circuit breaker and concurrency limit, for wrappers of a port. Adapters never contain these.

All take a clock or a random source, so that tests need not wait.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from chassis.errors import PlatformError, ResourceExhausted, Unavailable

T = TypeVar("T")


class CircuitOpen(Unavailable):
    reason = "CIRCUIT_OPEN"
    message = "The provider failed repeatedly and is given a pause; try again soon."


class QueueFull(ResourceExhausted):
    reason = "QUEUE_FULL"
    message = "Too many calls are waiting; try again soon."


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how long apart: full jitter under an exponential ceiling, never below a Retry-After."""

    attempts: int = 3
    base_seconds: float = 0.25
    max_seconds: float = 8.0

    def delay(self, attempt: int, error: PlatformError, random_source: random.Random) -> float | None:
        """Seconds to wait after the failed `attempt` (from 1), or None to give up."""
        if attempt >= self.attempts:
            return None
        if error.retry_after is not None:
            return error.retry_after if error.retry_after <= self.max_seconds else None
        return random_source.uniform(0, min(self.max_seconds, self.base_seconds * 2 ** (attempt - 1)))


class Breaker:
    """Opens after so many failures in a row; lets one call through after a pause; closes when that succeeds."""

    def __init__(
        self, failures: int = 5, pause_seconds: float = 15.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit = failures
        self._pause = pause_seconds
        self._clock = clock
        self._failures = 0
        self._opened_at: float | None = None

    @property
    def open(self) -> bool:
        """Whether calls are refused now."""
        return self._opened_at is not None and self._clock() - self._opened_at < self._pause

    @property
    def tripped(self) -> bool:
        """Whether nothing has worked since it opened."""
        return self._opened_at is not None

    def check(self) -> None:
        """Raises CircuitOpen while open. After the pause the first caller passes, the rest wait for its outcome."""
        if self._opened_at is None:
            return
        left = self._pause - (self._clock() - self._opened_at)
        if left > 0:
            raise CircuitOpen(retry_after=left)
        self._opened_at = self._clock()

    def succeeded(self) -> None:
        """Tells of a call that worked."""
        self._failures = 0
        self._opened_at = None

    def failed(self) -> None:
        """Tells of a call that failed in a way that counts against the provider."""
        self._failures += 1
        if self._failures >= self._limit:
            self._opened_at = self._clock()


class Bulkhead:
    """At most so many calls at once, and so many waiting, each for so long; what is more is refused with QueueFull."""

    def __init__(self, running: int, waiting: int, wait_seconds: float | None = None) -> None:
        self._semaphore = asyncio.Semaphore(running)
        self._waiting_limit = waiting
        self._wait_seconds = wait_seconds
        self._waiting = 0

    @property
    def full(self) -> bool:
        """Whether who enters now has to wait."""
        return self._semaphore.locked()

    async def enter(self) -> None:
        """Waits for a place; `leave` gives it back."""
        if not self._semaphore.locked():
            await self._semaphore.acquire()
            return
        if self._waiting >= self._waiting_limit:
            raise QueueFull(retry_after=1)
        self._waiting += 1
        try:
            async with asyncio.timeout(self._wait_seconds):
                await self._semaphore.acquire()
        except TimeoutError as error:
            raise QueueFull(retry_after=1) from error
        finally:
            self._waiting -= 1

    def leave(self) -> None:
        """Gives the place to who waits longest."""
        self._semaphore.release()

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Waits for a place."""
        await self.enter()
        try:
            yield
        finally:
            self.leave()


async def retrying(
    operation: Callable[[int], Awaitable[T]],
    policy: RetryPolicy,
    retryable: Callable[[PlatformError], bool],
    random_source: random.Random | None = None,
) -> T:
    """Runs `operation(attempt)` until it succeeds, fails in a way not `retryable`, or the policy gives up."""
    source = random_source or random.Random()  # noqa: S311  # jitter is no secret
    attempt = 1
    while True:
        try:
            return await operation(attempt)
        except PlatformError as error:
            delay = policy.delay(attempt, error, source) if retryable(error) else None
            if delay is None:
                raise
            await asyncio.sleep(delay)
            attempt += 1
