"""Wrappers of LanguageModel: retries, a breaker per deployment, a concurrency limit. Each satisfies the port again."""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing

from chassis.errors import PlatformError
from chassis.resilience import Breaker, Bulkhead, RetryPolicy, retrying
from llm_service.domain.calls import Answer, Call, Ending, Format, LanguageModel
from llm_service.domain.models import Deployment, Health
from llm_service.policy.failures import falls_back, retryable


class Retrying:
    """Repeats a call that failed in a way that may pass; a stream only before its first event."""

    def __init__(self, inner: LanguageModel, rules: RetryPolicy) -> None:
        self._inner = inner
        self._rules = rules
        self._random = random.Random()  # noqa: S311  # jitter is no secret

    def speaks(self, form: Format) -> bool:
        return self._inner.speaks(form)

    async def complete(self, deployment: Deployment, call: Call) -> Answer:
        async def attempt(_number: int) -> Answer:
            call.tally.attempts += 1
            return await self._inner.complete(deployment, call)

        return await retrying(attempt, self._rules, retryable, self._random)

    async def stream(self, deployment: Deployment, call: Call) -> AsyncGenerator[bytes | Ending, None]:
        attempt = 1
        while True:
            started = False
            call.tally.attempts += 1
            try:
                async with aclosing(self._inner.stream(deployment, call)) as events:
                    async for event in events:
                        started = True
                        yield event
            except PlatformError as error:
                delay = self._rules.delay(attempt, error, self._random)
                if started or delay is None or not retryable(error):
                    raise
                await asyncio.sleep(delay)
                attempt += 1
            else:
                return

    def health(self) -> Health:
        return self._inner.health()


class Guarded:
    """Refuses calls to a deployment that failed repeatedly, and more calls at once than the provider takes."""

    def __init__(self, inner: LanguageModel, bulkhead: Bulkhead, *, failures: int, pause_seconds: float) -> None:
        self._inner = inner
        self._bulkhead = bulkhead
        self._failures = failures
        self._pause = pause_seconds
        self._breakers: dict[Deployment, Breaker] = {}

    def speaks(self, form: Format) -> bool:
        return self._inner.speaks(form)

    async def complete(self, deployment: Deployment, call: Call) -> Answer:
        breaker = self._breaker(deployment)
        breaker.check()
        async with self._bulkhead.slot():
            try:
                answer = await self._inner.complete(deployment, call)
            except PlatformError as error:
                _judge(breaker, error)
                raise
        breaker.succeeded()
        return answer

    async def stream(self, deployment: Deployment, call: Call) -> AsyncGenerator[bytes | Ending, None]:
        breaker = self._breaker(deployment)
        breaker.check()
        async with self._bulkhead.slot():
            try:
                async with aclosing(self._inner.stream(deployment, call)) as events:
                    async for event in events:
                        yield event
            except PlatformError as error:
                _judge(breaker, error)
                raise
        breaker.succeeded()

    def health(self) -> Health:
        found = self._inner.health()
        if found is Health.OK and any(breaker.open for breaker in self._breakers.values()):
            return Health.FAILING
        return found

    def _breaker(self, deployment: Deployment) -> Breaker:
        # Clients may invent models behind a provider's prefix: what is remembered of them is bounded.
        if len(self._breakers) > 1000:
            self._breakers.clear()
        return self._breakers.setdefault(deployment, Breaker(self._failures, self._pause))


def _judge(breaker: Breaker, error: PlatformError) -> None:
    if falls_back(error) and error.reason != "PROVIDER_RATE_LIMITED":
        breaker.failed()
    else:
        breaker.succeeded()
