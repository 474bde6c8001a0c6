"""The wrappers of LanguageModel over a twin that fails as it is told, and the chain of deployments over them."""

import asyncio
import random
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest

from chassis.errors import PlatformError
from chassis.resilience import CircuitOpen, QueueFull, RetryPolicy
from llm_service.domain.allowances import Allowance
from llm_service.domain.calls import Answer, Call, Ending, Format, LanguageModel, Out, Served, Tokens
from llm_service.domain.errors import (
    DeploymentBusy,
    ProviderBadAnswer,
    ProviderNotConfigured,
    ProviderRateLimited,
    ProviderRefused,
    ProviderTimeout,
    ProviderUnavailable,
)
from llm_service.domain.models import Deployment, DeploymentLimits, Health
from llm_service.policy.allowances import pause_of, seconds_until
from llm_service.policy.failures import falls_back, most_telling
from llm_service.service.allowed import Allowed
from llm_service.service.completions import Completions
from llm_service.service.resilience import Bounded, Breaking, Counted, Retrying
from llm_service.service.router import Route
from llm_service.service.streams import pulled
from tests.standins.streams import read

pytestmark = pytest.mark.usefixtures("leaping")

FIRST, SECOND = Deployment("openai", "a", id="first"), Deployment("openai", "b", id="second")
ENDING = Ending(Tokens(3, 0, 2), "stop")
FAST = RetryPolicy(attempts=3, base_seconds=0.001)


class Twin:
    """Fails with what is told, one after the other; then answers with the deployment's name."""

    def __init__(self, *failures: PlatformError, after: int = 0) -> None:
        """`after`: so many events of a stream."""
        self.failures = list(failures)
        self.after = after
        self.asked: list[str] = []
        self.hold: asyncio.Event | None = None

    def speaks(self, _form: Format) -> bool:
        return True

    def health(self, _deployment: Deployment) -> Health:
        return Health.OK

    async def complete(self, deployment: Deployment, _call: Call) -> Answer:
        self.asked.append(deployment.id)
        if self.hold:
            await self.hold.wait()
        if self.failures:
            raise self.failures.pop(0)
        return Answer(deployment.id.encode(), ENDING)

    async def stream(self, deployment: Deployment, _call: Call, out: Out) -> Ending:
        self.asked.append(deployment.id)
        for _ in range(self.after):
            out.write(b"word")
        if self.hold:
            await self.hold.wait()
        if self.failures:
            raise self.failures.pop(0)
        out.write(deployment.id.encode())
        return ENDING


class Fixed:
    """A router that knows one route."""

    def __init__(self, *deployments: Deployment) -> None:
        self._route = Route("m", list(deployments))

    async def route(self, _call: Call) -> Route:
        return self._route


def chain(model: LanguageModel, *deployments: Deployment) -> Completions:
    return Completions(Fixed(*deployments), {"openai": model})  # type: ignore[arg-type]


def call(*, alternatives: bool = False) -> Call:
    made = Call("m", b"{}")
    made.tally.alternatives = alternatives
    return made


async def collected(events: AsyncGenerator[Any, None]) -> list[Any]:
    return [event async for event in events]


class TestRetries:
    async def test_what_may_pass_is_tried_again(self) -> None:
        twin = Twin(ProviderUnavailable(), ProviderBadAnswer())
        asked = call()
        assert (await Retrying(Counted(twin), FAST).complete(FIRST, asked)).body == b"first"
        assert (len(twin.asked), asked.tally.attempts) == (3, 3)

    @pytest.mark.parametrize("error", [ProviderRefused(), ProviderTimeout(), ProviderNotConfigured()])
    async def test_what_will_not_pass_is_not(self, error: PlatformError) -> None:
        twin = Twin(error)
        with pytest.raises(type(error)):
            await Retrying(twin, FAST).complete(FIRST, call())
        assert len(twin.asked) == 1

    async def test_attempts_are_bounded(self) -> None:
        twin = Twin(*[ProviderUnavailable()] * 5)
        with pytest.raises(ProviderUnavailable):
            await Retrying(twin, FAST).complete(FIRST, call())
        assert len(twin.asked) == 3

    @pytest.mark.parametrize(("told", "tries"), [(0.01, 2), (9.0, 1)])
    async def test_retry_after_is_kept_to_as_far_as_is_bearable(self, told: float, tries: int) -> None:
        twin, begun = Twin(ProviderRateLimited(retry_after=told)), asyncio.get_running_loop().time()
        try:
            await Retrying(twin, FAST).complete(FIRST, call())
        except ProviderRateLimited:
            assert tries == 1
        else:
            assert asyncio.get_running_loop().time() - begun >= told - 1e-6
        assert len(twin.asked) == tries

    async def test_nobody_waits_for_a_limit_where_another_can_take_over(self) -> None:
        twin = Twin(ProviderRateLimited(retry_after=0.01))
        with pytest.raises(ProviderRateLimited):
            await Retrying(twin, FAST).complete(FIRST, call(alternatives=True))
        empty = Twin(ProviderRateLimited(metadata={"code": "insufficient_quota"}))
        with pytest.raises(ProviderRateLimited):
            await Retrying(empty, FAST).complete(FIRST, call())
        assert len(empty.asked) == 1

    def test_jitter_is_full(self) -> None:
        source = random.Random(3)  # noqa: S311  # jitter is no secret
        rules = RetryPolicy(attempts=9, base_seconds=1, max_seconds=4)
        drawn = [rules.delay(3, ProviderUnavailable(), source) or 0.0 for _ in range(200)]
        assert min(drawn) < 0.4
        assert 3.6 < max(drawn) <= 4

    async def test_a_stream_is_tried_again_only_before_its_first_event(self) -> None:
        assert await collected(read(Retrying(Twin(ProviderUnavailable()), FAST), FIRST, call())) == [b"first", ENDING]
        twin = Twin(ProviderUnavailable(), after=1)
        with pytest.raises(ProviderUnavailable):
            await collected(read(Retrying(twin, FAST), FIRST, call()))
        assert len(twin.asked) == 1


class TestBreaker:
    async def test_opens_for_one_deployment_and_lets_one_call_try(self) -> None:
        twin = Twin(*[ProviderUnavailable()] * 3)
        clock = asyncio.get_running_loop().time
        breaking = Breaking(twin, failures=2, pause_seconds=0.05, clock=clock)
        for _ in range(2):
            with pytest.raises(ProviderUnavailable):
                await breaking.complete(FIRST, call())
        with pytest.raises(CircuitOpen):
            await breaking.complete(FIRST, call())
        assert (breaking.health(FIRST), breaking.health(SECOND)) == (Health.FAILING, Health.OK)
        twin.failures = []
        await breaking.complete(SECOND, call())
        await asyncio.sleep(0.06)
        twin.hold = asyncio.Event()
        probe = asyncio.create_task(breaking.complete(FIRST, call()))
        await asyncio.sleep(0)
        with pytest.raises(CircuitOpen):
            await breaking.complete(FIRST, call())
        twin.hold.set()
        await probe
        assert breaking.health(FIRST) is Health.OK

    @pytest.mark.parametrize("error", [ProviderRefused(), ProviderRateLimited(), ProviderNotConfigured(), QueueFull()])
    async def test_is_not_opened_by_what_is_not_the_providers_failure(self, error: PlatformError) -> None:
        breaking = Breaking(Twin(*[error] * 9), failures=2, pause_seconds=60)
        for _ in range(5):
            with pytest.raises(type(error)):
                await breaking.complete(FIRST, call())

    async def test_a_call_that_went_away_does_not_keep_it_open(self) -> None:
        twin = Twin(ProviderUnavailable())
        clock = asyncio.get_running_loop().time
        breaking = Breaking(twin, failures=1, pause_seconds=0.02, clock=clock)
        with pytest.raises(ProviderUnavailable):
            await breaking.complete(FIRST, call())
        await asyncio.sleep(0.03)
        twin.hold = asyncio.Event()
        probe = asyncio.create_task(breaking.complete(FIRST, call()))
        await asyncio.sleep(0)
        probe.cancel()
        twin.hold.set()
        await asyncio.sleep(0.03)
        assert (await breaking.complete(FIRST, call())).body == b"first"


class TestQueue:
    async def test_is_bounded_in_length_and_in_time(self) -> None:
        twin = Twin()
        twin.hold = asyncio.Event()
        clock = asyncio.get_running_loop().time
        bounded = Bounded(twin, running=1, waiting=1, wait_seconds=0.05, clock=clock)
        running = asyncio.create_task(bounded.complete(FIRST, call()))
        await asyncio.sleep(0)
        waiting = asyncio.create_task(bounded.complete(FIRST, call()))
        await asyncio.sleep(0)
        with pytest.raises(QueueFull):
            await bounded.complete(FIRST, call())
        elsewhere = asyncio.create_task(bounded.complete(SECOND, call()))
        with pytest.raises(QueueFull):
            await waiting
        assert twin.asked == ["first", "second"]
        twin.hold.set()
        await asyncio.gather(running, elsewhere)
        assert (await bounded.complete(FIRST, call())).body == b"first"


class TestChain:
    async def test_falls_back_and_tells_who_answered_after_how_many_attempts(self) -> None:
        twin = Twin(ProviderTimeout())
        answer, served = await chain(Counted(twin), FIRST, SECOND).complete(call())
        assert (answer.body, served.deployment, served.attempts) == (b"second", SECOND, 2)
        assert served.provider == "openai"

    async def test_a_stream_falls_back_until_its_first_event(self) -> None:
        found = await collected(pulled(chain(Counted(Twin(ProviderUnavailable())), FIRST, SECOND), call()))
        assert found == [Served("m", SECOND, 2), b"second", ENDING]
        twin = Twin(ProviderUnavailable(), after=1)
        with pytest.raises(ProviderUnavailable):
            await collected(pulled(chain(twin, FIRST, SECOND), call()))
        assert twin.asked == ["first"]

    async def test_what_is_the_documents_fault_is_told_at_once(self) -> None:
        twin = Twin(ProviderRefused(metadata={"provider_status": "400"}))
        with pytest.raises(ProviderRefused):
            await chain(twin, FIRST, SECOND).complete(call())
        assert twin.asked == ["first"]
        gone = ProviderRefused(metadata={"provider_status": "404"})
        assert falls_back(gone)

    async def test_the_most_telling_failure_is_shown(self) -> None:
        shown: Sequence[PlatformError] = [ProviderTimeout(), CircuitOpen()]
        assert most_telling([*shown]) is shown[0]
        with pytest.raises(ProviderTimeout):
            await chain(Twin(*shown), FIRST, SECOND).complete(call())


class Counts:
    """Allowances that refuse a number of times."""

    def __init__(self, refusals: int = 0, wait: float = 0.01) -> None:
        self.refusals = refusals
        self.wait = wait
        self.settled: list[tuple[str, int]] = []

    async def take(self, _deployment: Deployment, _tokens: int) -> Allowance:
        self.refusals -= 1
        return Allowance(wait=self.wait) if self.refusals >= 0 else Allowance("t")

    async def settle(self, _deployment: Deployment, ticket: str, tokens: int) -> None:
        self.settled.append((ticket, tokens))


class Rest:
    """A pause of so many seconds."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds

    def left(self, _deployment: Deployment) -> float:
        return self.seconds


class TestLimits:
    limited = Deployment("openai", "a", id="limited", limits=DeploymentLimits(requests_per_minute=1))

    async def test_a_call_waits_for_its_share_and_says_what_it_used(self) -> None:
        counts = Counts(refusals=2)
        await Allowed(Twin(), counts, Rest(), 1).complete(self.limited, call())
        assert counts.settled == [("t", 5)]
        await collected(read(Allowed(Twin(), counts, Rest(), 1), self.limited, call()))
        assert counts.settled[1] == ("t", 5)

    async def test_it_does_not_wait_where_another_can_take_over_nor_for_ever(self) -> None:
        for asked, counts in ((call(alternatives=True), Counts(1)), (call(), Counts(1, wait=60))):
            with pytest.raises(DeploymentBusy) as caught:
                await Allowed(Twin(), counts, Rest(), 1).complete(self.limited, asked)
            assert caught.value.retry_after == counts.wait

    async def test_a_pause_that_the_provider_asked_for_is_kept(self) -> None:
        with pytest.raises(DeploymentBusy):
            await Allowed(Twin(), Counts(), Rest(5), 1).complete(FIRST, call())
        assert (await Allowed(Twin(), Counts(), Rest(0.01), 1).complete(FIRST, call())).body == b"first"

    async def test_a_place_is_given_back_however_a_call_ends(self) -> None:
        counts = Counts()
        with pytest.raises(ProviderTimeout):
            await Allowed(Twin(ProviderTimeout()), counts, Rest(), 1).complete(self.limited, call())
        twin = Twin(after=3)
        twin.hold = asyncio.Event()
        stream = read(Allowed(twin, counts, Rest(), 1), self.limited, call())
        await anext(stream)
        await stream.aclose()
        assert [ticket for ticket, _ in counts.settled] == ["t", "t"]


@pytest.mark.parametrize(
    ("told", "seconds"),
    [("1s", 1), ("6m0s", 360), ("20ms", 0.02), ("1h2m3s", 3723), ("7", 7), ("", 0), ("soon", 0), ("1s!", 0)],
)
def test_spans_as_providers_write_them(told: str, seconds: float) -> None:
    assert seconds_until(told, 0) == pytest.approx(seconds)


def test_a_pause_is_asked_for_where_nothing_is_left() -> None:
    assert pause_of({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "3s"}, 0) == 3
    assert pause_of({"x-ratelimit-remaining-requests": "1", "x-ratelimit-reset-requests": "3s"}, 0) == 0
    at = {"anthropic-ratelimit-tokens-remaining": "0", "anthropic-ratelimit-tokens-reset": "1970-01-01T00:00:09Z"}
    assert pause_of(at, 5) == 4
    assert pause_of({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "9h"}, 0) == 60
