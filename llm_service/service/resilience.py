"""Wrappers of LanguageModel: retries, a breaker, and places in a bounded queue. Each satisfies the port again.

What they remember is of one deployment under one key, and bounded: clients may invent models behind a prefix.
"""

import asyncio
import random
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Generic, TypeVar

from chassis.errors import PlatformError
from chassis.resilience import Breaker, Bulkhead, RetryPolicy, retrying
from llm_service.domain.calls import Answer, Call, Ending, Format, LanguageModel
from llm_service.domain.models import Deployment, Health
from llm_service.policy.failures import blames, retryable
from llm_service.service.measures import (
    ATTEMPT_SECONDS,
    ATTEMPTS,
    BREAKERS_OPEN,
    LOST_INPUT_BYTES,
    WAIT_SECONDS,
    WAITING,
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


class Retrying:
    """Repeats a call that failed in a way that may pass; a stream only before its first event."""

    def __init__(self, inner: LanguageModel, rules: RetryPolicy, source: random.Random | None = None) -> None:
        self._inner = inner
        self._rules = rules
        self._random = source or random.Random()  # noqa: S311  # jitter is no secret

    def speaks(self, form: Format) -> bool:
        return self._inner.speaks(form)

    async def complete(self, deployment: Deployment, call: Call) -> Answer:
        async def attempt(_number: int) -> Answer:
            return await self._inner.complete(deployment, call)

        def again(error: PlatformError) -> bool:
            return retryable(error, alternatives=call.tally.alternatives)

        return await retrying(attempt, self._rules, again, self._random)

    async def stream(self, deployment: Deployment, call: Call) -> AsyncGenerator[bytes | Ending, None]:
        attempt = 1
        while True:
            started = False
            try:
                async with aclosing(self._inner.stream(deployment, call)) as events:
                    async for event in events:
                        started = True
                        yield event
            except PlatformError as error:
                delay = self._rules.delay(attempt, error, self._random)
                if started or delay is None or not retryable(error, alternatives=call.tally.alternatives):
                    raise
                await asyncio.sleep(delay)
                attempt += 1
            else:
                return

    def health(self, deployment: Deployment) -> Health:
        return self._inner.health(deployment)


class Breaking:
    """Refuses calls to a deployment that failed repeatedly; after a pause one call tries it."""

    def __init__(self, inner: LanguageModel, *, failures: int, pause_seconds: float) -> None:
        self._inner = inner
        self._breakers = Remembered(lambda _deployment: Breaker(failures, pause_seconds))

    def speaks(self, form: Format) -> bool:
        return self._inner.speaks(form)

    async def complete(self, deployment: Deployment, call: Call) -> Answer:
        breaker = self._breakers.of(deployment)
        breaker.check()
        try:
            answer = await self._inner.complete(deployment, call)
        except PlatformError as error:
            self._judge(deployment, breaker, error)
            raise
        self._judge(deployment, breaker, None)
        return answer

    async def stream(self, deployment: Deployment, call: Call) -> AsyncGenerator[bytes | Ending, None]:
        breaker = self._breakers.of(deployment)
        breaker.check()
        try:
            async with aclosing(self._inner.stream(deployment, call)) as events:
                async for event in events:
                    yield event
        except PlatformError as error:
            self._judge(deployment, breaker, error)
            raise
        self._judge(deployment, breaker, None)

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


class Bounded:
    """At most so many calls of a deployment at once, and so many that wait, for so long: then QUEUE_FULL."""

    def __init__(
        self, inner: LanguageModel, *, running: int, waiting: int, wait_seconds: float, clock: Callable[[], float]
    ) -> None:
        self._inner = inner
        self._clock = clock

        def places(deployment: Deployment) -> Bulkhead:
            return Bulkhead(deployment.limits.concurrent_requests or running, waiting, wait_seconds)

        self._places = Remembered(places)

    def speaks(self, form: Format) -> bool:
        return self._inner.speaks(form)

    async def complete(self, deployment: Deployment, call: Call) -> Answer:
        async with _Place(self._places.of(deployment), deployment.provider, self._clock):
            return await self._inner.complete(deployment, call)

    async def stream(self, deployment: Deployment, call: Call) -> AsyncGenerator[bytes | Ending, None]:
        async with _Place(self._places.of(deployment), deployment.provider, self._clock):
            async with aclosing(self._inner.stream(deployment, call)) as events:
                async for event in events:
                    yield event

    def health(self, deployment: Deployment) -> Health:
        return self._inner.health(deployment)


class _Place:
    """A place, measured only where it has to be waited for."""

    def __init__(self, bulkhead: Bulkhead, provider: str, clock: Callable[[], float]) -> None:
        self._bulkhead = bulkhead
        self._provider = provider
        self._clock = clock

    async def __aenter__(self) -> None:
        if not self._bulkhead.full:
            await self._bulkhead.enter()
            return
        begun = self._clock()
        try:
            with WAITING.labels(self._provider).track_inprogress():
                await self._bulkhead.enter()
        finally:
            WAIT_SECONDS.labels(self._provider).observe(self._clock() - begun)

    async def __aexit__(self, *_: object) -> None:
        self._bulkhead.leave()


class Counted:
    """Counts attempts, in the call and in the metrics: it stands next to the adapter, where each is one request."""

    def __init__(self, inner: LanguageModel) -> None:
        self._inner = inner

    def speaks(self, form: Format) -> bool:
        return self._inner.speaks(form)

    async def complete(self, deployment: Deployment, call: Call) -> Answer:
        call.tally.attempts += 1
        begun, end = time.perf_counter(), "cancelled"
        try:
            answer = await self._inner.complete(deployment, call)
            end = "ok"
        except PlatformError as error:
            end = _lost(deployment, call, error)
            raise
        finally:
            _counted(deployment, begun, end)
        return answer

    async def stream(self, deployment: Deployment, call: Call) -> AsyncGenerator[bytes | Ending, None]:
        call.tally.attempts += 1
        begun, end = time.perf_counter(), "cancelled"
        try:
            async with aclosing(self._inner.stream(deployment, call)) as events:
                async for event in events:
                    yield event
            end = "ok"
        except PlatformError as error:
            end = _lost(deployment, call, error)
            raise
        finally:
            _counted(deployment, begun, end)

    def health(self, deployment: Deployment) -> Health:
        return self._inner.health(deployment)


def _counted(deployment: Deployment, begun: float, end: str) -> None:
    ATTEMPTS.labels(deployment.provider, end).inc()
    ATTEMPT_SECONDS.labels(deployment.provider).observe(time.perf_counter() - begun)


def _lost(deployment: Deployment, call: Call, error: PlatformError) -> str:
    LOST_INPUT_BYTES.labels(deployment.provider).inc(len(call.body))
    return error.reason
