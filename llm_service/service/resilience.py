"""Wrappers of LanguageModel: retries, a breaker, and places in a bounded queue. Each satisfies the port again.

What they remember is of one deployment under one key, and bounded: clients may invent models behind a prefix.
"""

import random
import time
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, TypeVar

from chassis.errors import PlatformError
from chassis.resilience import Breaker, Bulkhead, RetryPolicy, retrying
from llm_service.domain.calls import Answer, Call, Ending, Format, LanguageModel, Out
from llm_service.domain.models import Deployment, Health
from llm_service.policy.failures import blames, retryable
from llm_service.service.measures import (
    BREAKERS_OPEN,
    LOST_INPUT_BYTES,
    WAIT_SECONDS,
    WAITING,
    attempt_seconds,
    attempts,
)

REMEMBERED = 1000

T = TypeVar("T")


class Remembered(Generic[T]):
    """One thing a deployment, the most recently used ones."""

    def __init__(self, make: Callable[[Deployment], T], most: int = REMEMBERED) -> None:
        self._make = make
        self._most = most
        self._kept: OrderedDict[str, T] = OrderedDict()

    def of(self, deployment: Deployment) -> T:
        key = deployment.key
        found = self._kept.get(key)
        if found is None:
            found = self._kept[key] = self._make(deployment)
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(key)
        return found

    def known(self, deployment: Deployment) -> T | None:
        """Without making one."""
        return self._kept.get(deployment.key)

    def all(self) -> list[T]:
        return list(self._kept.values())


class Attempt(Generic[T]):
    """One attempt to be made, for a whole answer or for a stream: `await attempt.make()`."""

    __slots__ = ("_out", "call", "deployment", "make")

    def __init__(
        self, deployment: Deployment, call: Call, make: Callable[[], Awaitable[T]], out: Out | None = None
    ) -> None:
        self.deployment = deployment
        self.call = call
        self.make = make
        self._out = out

    @property
    def streams(self) -> bool:
        """Whether it writes what comes."""
        return self._out is not None

    @property
    def started(self) -> bool:
        """Whether anything was written, and no other attempt can follow."""
        return self._out is not None and self._out.started


class Wrapper(ABC):
    """A model around another. What happens around an attempt is the same for a whole answer and a stream."""

    def __init__(self, inner: LanguageModel) -> None:
        self._inner = inner

    def speaks(self, form: Format) -> bool:
        return self._inner.speaks(form)

    def health(self, deployment: Deployment) -> Health:
        return self._inner.health(deployment)

    def complete(self, deployment: Deployment, call: Call) -> Coroutine[Any, Any, Answer]:
        return self.around(Attempt(deployment, call, lambda: self._inner.complete(deployment, call)))

    def stream(self, deployment: Deployment, call: Call, out: Out) -> Coroutine[Any, Any, Ending]:
        return self.around(Attempt(deployment, call, lambda: self._inner.stream(deployment, call, out), out))

    @abstractmethod
    async def around(self, attempt: Attempt[T]) -> T:
        """Makes the attempt, perhaps again."""


class Retrying(Wrapper):
    """Repeats a call that failed in a way that may pass; a stream only before its first event."""

    def __init__(self, inner: LanguageModel, rules: RetryPolicy, source: random.Random | None = None) -> None:
        super().__init__(inner)
        self._rules = rules
        self._random = source or random.Random()  # noqa: S311  # jitter is no secret

    async def around(self, attempt: Attempt[T]) -> T:
        def again(error: PlatformError) -> bool:
            return not attempt.started and retryable(error, alternatives=attempt.call.tally.alternatives)

        return await retrying(lambda _number: attempt.make(), self._rules, again, self._random)


class Breaking(Wrapper):
    """Refuses calls to a deployment that failed repeatedly; after a pause one call tries it."""

    def __init__(
        self, inner: LanguageModel, *, failures: int, pause_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(inner)
        self._breakers = Remembered(lambda _deployment: Breaker(failures, pause_seconds, clock))

    async def around(self, attempt: Attempt[T]) -> T:
        deployment = attempt.deployment
        breaker = self._breakers.of(deployment)
        if breaker.tripped:
            # The one call that tries it after a pause has to be one that is made.
            await attempt.call.admitted()
        breaker.check()
        try:
            answer = await attempt.make()
        except PlatformError as error:
            self._judge(deployment, breaker, error)
            raise
        self._judge(deployment, breaker, None)
        return answer

    def health(self, deployment: Deployment) -> Health:
        found = self._inner.health(deployment)
        breaker = self._breakers.known(deployment)
        return Health.FAILING if found is Health.OK and breaker and breaker.open else found

    def _judge(self, deployment: Deployment, breaker: Breaker, error: PlatformError | None) -> None:
        before = breaker.open
        if error is None:
            breaker.succeeded()
        elif blames(error):
            breaker.failed()
        if breaker.open or before:
            BREAKERS_OPEN.labels(deployment.provider).set(sum(one.open for one in self._breakers.all()))


class Bounded(Wrapper):
    """At most so many calls of a deployment at once, and so many that wait, for so long: then QUEUE_FULL."""

    def __init__(
        self, inner: LanguageModel, *, running: int, waiting: int, wait_seconds: float, clock: Callable[[], float]
    ) -> None:
        super().__init__(inner)
        self._clock = clock

        def places(deployment: Deployment) -> Bulkhead:
            return Bulkhead(deployment.limits.concurrent_requests or running, waiting, wait_seconds)

        self._places = Remembered(places)

    async def around(self, attempt: Attempt[T]) -> T:
        deployment = attempt.deployment
        places = self._places.of(deployment)
        if places.full:
            await self._wait(places, deployment.provider)
        else:
            await places.enter()
        try:
            return await attempt.make()
        finally:
            places.leave()

    async def _wait(self, places: Bulkhead, provider: str) -> None:
        begun = self._clock()
        try:
            with WAITING.labels(provider).track_inprogress():
                await places.enter()
        finally:
            WAIT_SECONDS.labels(provider).observe(self._clock() - begun)


class Counted(Wrapper):
    """Counts attempts, in the call and in the metrics: it stands next to the adapter, where each is one request."""

    async def around(self, attempt: Attempt[T]) -> T:
        deployment, call = attempt.deployment, attempt.call
        call.tally.attempts += 1
        begun, end = time.perf_counter(), "cancelled"
        try:
            answer = await attempt.make()
            end = "ok"
        except PlatformError as error:
            end = _lost(deployment, call, error)
            raise
        finally:
            if not call.dropped:
                _counted(deployment, begun, end)
        return answer


def _counted(deployment: Deployment, begun: float, end: str) -> None:
    attempts(deployment.provider, end).inc()
    attempt_seconds(deployment.provider).observe(time.perf_counter() - begun)


def _lost(deployment: Deployment, call: Call, error: PlatformError) -> str:
    LOST_INPUT_BYTES.labels(deployment.provider).inc(len(call.body))
    return error.reason
