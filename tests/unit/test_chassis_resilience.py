"""Retry, breaker, bulkhead and the table of names, without waiting."""

import asyncio
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis import errors
from chassis.errors import PlatformError, Unavailable
from chassis.registry import Registry
from chassis.resilience import Breaker, Bulkhead, CircuitOpen, QueueFull, RetryPolicy, retrying

pytestmark = pytest.mark.usefixtures("leaping")

RANDOM = random.Random(1)  # noqa: S311  # jitter is no secret


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class TestRetryPolicy:
    POLICY = RetryPolicy(attempts=4, base_seconds=1, max_seconds=3)

    @given(st.integers(1, 3), st.randoms())
    def test_jitter_stays_under_a_ceiling_that_doubles(self, attempt: int, source: random.Random) -> None:
        delay = self.POLICY.delay(attempt, Unavailable(), source)
        assert delay is not None
        assert 0 <= delay <= min(3, 2 ** (attempt - 1))

    def test_it_gives_up(self) -> None:
        assert self.POLICY.delay(4, Unavailable(), RANDOM) is None

    @pytest.mark.parametrize(("asked", "waits"), [(0, 0), (2.5, 2.5), (3, 3), (3.1, None), (3600, None)])
    def test_what_the_provider_asks_is_obeyed_or_given_up(self, asked: float, waits: float | None) -> None:
        assert self.POLICY.delay(1, Unavailable(retry_after=asked), RANDOM) == waits


class TestRetrying:
    POLICY = RetryPolicy(attempts=3, base_seconds=0, max_seconds=0)

    @staticmethod
    def failing(times: int, error: PlatformError) -> tuple[list[int], Callable[[int], "asyncio.Future[str]"]]:
        attempts: list[int] = []

        async def operation(attempt: int) -> str:
            attempts.append(attempt)
            if attempt <= times:
                raise error
            return "done"

        return attempts, operation  # type: ignore[return-value]  # a coroutine is awaitable

    async def test_until_it_works(self) -> None:
        attempts, operation = self.failing(2, Unavailable())
        assert await retrying(operation, self.POLICY, lambda _error: True) == "done"
        assert attempts == [1, 2, 3]

    async def test_until_the_policy_gives_up(self) -> None:
        attempts, operation = self.failing(9, Unavailable("third"))
        with pytest.raises(Unavailable, match="third"):
            await retrying(operation, self.POLICY, lambda _error: True)
        assert attempts == [1, 2, 3]

    async def test_only_what_may_be_retried(self) -> None:
        attempts, operation = self.failing(9, errors.InvalidArgument())
        with pytest.raises(errors.InvalidArgument):
            await retrying(operation, self.POLICY, lambda error: isinstance(error, Unavailable))
        assert attempts == [1]


class TestBreaker:
    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

    @pytest.fixture
    def breaker(self, clock: Clock) -> Breaker:
        breaker = Breaker(failures=3, pause_seconds=10, clock=clock)
        for _ in range(3):
            breaker.check()
            breaker.failed()
        return breaker

    def test_closed_until_the_last_failure(self, clock: Clock) -> None:
        breaker = Breaker(failures=3, pause_seconds=10, clock=clock)
        for _ in range(2):
            breaker.failed()
        breaker.check()
        assert not breaker.open

    def test_a_success_between_starts_the_count_anew(self, clock: Clock) -> None:
        breaker = Breaker(failures=3, pause_seconds=10, clock=clock)
        for _ in range(5):
            breaker.failed()
            breaker.failed()
            breaker.succeeded()
        breaker.check()

    def test_open_says_how_long(self, breaker: Breaker, clock: Clock) -> None:
        clock.now += 4
        assert breaker.open
        with pytest.raises(CircuitOpen) as caught:
            breaker.check()
        assert caught.value.retry_after == 6

    def test_after_the_pause_one_call_passes(self, breaker: Breaker, clock: Clock) -> None:
        clock.now += 10
        breaker.check()
        with pytest.raises(CircuitOpen):
            breaker.check()

    def test_a_probe_that_works_closes(self, breaker: Breaker, clock: Clock) -> None:
        clock.now += 10
        breaker.check()
        breaker.succeeded()
        for _ in range(2):
            breaker.check()
        assert not breaker.open

    def test_a_probe_that_fails_opens_for_the_whole_pause(self, breaker: Breaker, clock: Clock) -> None:
        clock.now += 10
        breaker.check()
        clock.now += 1
        breaker.failed()
        clock.now += 9
        with pytest.raises(CircuitOpen) as caught:
            breaker.check()
        assert caught.value.retry_after == 1

    def test_a_probe_that_never_tells_is_followed_by_another(self, breaker: Breaker, clock: Clock) -> None:
        clock.now += 10
        breaker.check()
        clock.now += 10
        breaker.check()


class TestBulkhead:
    async def test_so_many_run_so_many_wait_the_rest_is_refused(self) -> None:
        bulkhead, release = Bulkhead(running=2, waiting=1), asyncio.Event()
        running = most = 0

        async def work() -> None:
            nonlocal running, most
            async with bulkhead.slot():
                running += 1
                most = max(most, running)
                await release.wait()
                running -= 1

        tasks = [asyncio.create_task(work()) for _ in range(3)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        with pytest.raises(QueueFull) as caught:
            async with bulkhead.slot():
                pass
        release.set()
        await asyncio.gather(*tasks)
        assert (most, caught.value.retry_after) == (2, 1)

    async def test_a_failure_gives_its_place_back(self) -> None:
        bulkhead = Bulkhead(running=1, waiting=0)
        for _ in range(3):
            with pytest.raises(ValueError, match="work"):
                async with bulkhead.slot():
                    raise ValueError("work")

    async def test_who_stops_waiting_leaves_the_queue(self) -> None:
        bulkhead = Bulkhead(running=1, waiting=1)

        async def wait() -> None:
            async with bulkhead.slot():
                pass

        async with bulkhead.slot():
            for _ in range(3):
                waiting = asyncio.create_task(wait())
                await asyncio.sleep(0)
                waiting.cancel()
                await asyncio.gather(waiting, return_exceptions=True)
        await asyncio.wait_for(wait(), 1)


class TestRegistry:
    TABLE: Registry[object] = Registry("clock", {"wall": "time:time", "lost": "no_such_module:Thing"})

    def test_a_name_becomes_a_class(self) -> None:
        import time

        assert self.TABLE.load("wall") is time.time

    def test_an_unknown_name_is_told_the_choices(self) -> None:
        with pytest.raises(ValueError, match=r"unknown clock 'sun': choose one of lost, wall"):
            self.TABLE.load("sun")

    def test_nothing_is_imported_before_it_is_chosen(self) -> None:
        assert list(self.TABLE) == ["wall", "lost"]
        with pytest.raises(ModuleNotFoundError):
            self.TABLE.load("lost")
