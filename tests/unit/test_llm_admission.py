"""Law 6 where calls come before they are admitted: until they are, no provider is asked, no guardrail and no cache, and
nothing is taken that others could have.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import orjson
import pytest
from prometheus_client import REGISTRY

from chassis.flow import Enough
from llm_service.adapters.chat_completions import ChatCompletions
from llm_service.adapters.wire import WireModel
from llm_service.domain.allowances import Allowance
from llm_service.domain.calls import Answer, Caching, Call, Format, LanguageModel
from llm_service.domain.errors import ProviderUnavailable
from llm_service.domain.models import Deployment, DeploymentLimits
from llm_service.service.allowed import Allowed
from llm_service.service.resilience import Breaking, Counted
from tests.standins.guardrails import row
from tests.standins.openai_provider import chunks, completion, events
from tests.standins.streams import read
from tests.unit import test_llm_caching, test_llm_resilience, test_llm_screening

BODY = orjson.dumps({"model": "m", "messages": [{"role": "user", "content": "secret-1"}]})
LIMITED = Deployment("openai", "a", id="limited", limits=DeploymentLimits(requests_per_minute=9))
DEPLOYMENT = Deployment("admission", "upstream")
TURNS = 20
"""Of the event loop: none of what is here takes as many without waiting for something."""


def early() -> Call:
    """A call that is not admitted yet."""
    return Call("m", BODY, tenant_id="t", admission=asyncio.get_running_loop().create_future())


def admit(call: Call) -> None:
    assert call.admission is not None
    call.admission.set_result(None)


async def turns() -> None:
    for _ in range(TURNS):
        await asyncio.sleep(0)


class Provider:
    """What a wire posts to."""

    max_answer_bytes = 1_000_000

    def __init__(self) -> None:
        self.asked: list[Any] = []

    async def post(self, _deployment: Deployment, _path: str, document: bytes, _said: Any) -> bytes:
        self.asked.append(orjson.loads(document)["model"])
        return orjson.dumps(completion("Hello!"))

    async def stream(self, _deployment: Deployment, _path: str, document: bytes, take: Any, _said: Any) -> None:
        self.asked.append(orjson.loads(document)["model"])
        with suppress(Enough):
            take(events(chunks("a")))


def wired(provider: Provider) -> WireModel:
    return WireModel(provider, {Format.CHAT_COMPLETIONS: ChatCompletions()})  # type: ignore[arg-type]  # a twin


async def streamed(model: LanguageModel, call: Call) -> list[Any]:
    return [event async for event in read(model, DEPLOYMENT, call)]


async def whole(model: LanguageModel, call: Call) -> Answer:
    return await model.complete(DEPLOYMENT, call)


@pytest.mark.parametrize("ask", [whole, streamed])
async def test_no_provider_is_asked(ask: Callable[[LanguageModel, Call], Awaitable[Any]]) -> None:
    provider, call = Provider(), early()
    asking = asyncio.ensure_future(ask(wired(provider), call))
    await turns()
    assert not provider.asked
    admit(call)
    assert await asking
    assert provider.asked == ["upstream"]


async def test_a_call_that_is_dropped_is_no_attempt() -> None:
    def counted(end: str) -> float:
        labels = {"provider": DEPLOYMENT.provider, "end": end}
        return REGISTRY.get_sample_value("aisp_llm_attempts_total", labels) or 0.0

    before, provider = [counted(end) for end in ("ok", "cancelled")], Provider()
    call, model = early(), Counted(wired(provider))
    dropped = asyncio.create_task(whole(model, call))
    await turns()
    dropped.cancel()
    await asyncio.gather(dropped, return_exceptions=True)
    assert call.dropped
    made = early()
    admit(made)
    await whole(model, made)
    assert [counted(end) for end in ("ok", "cancelled")] == [before[0] + 1, before[1]]
    assert provider.asked == ["upstream"]


async def test_no_share_of_a_limit_is_taken() -> None:
    class Counts(test_llm_resilience.Counts):
        taken = 0

        async def take(self, deployment: Deployment, tokens: int) -> Allowance:
            self.taken += 1
            return await super().take(deployment, tokens)

    counts, call = Counts(), early()
    allowed = Allowed(test_llm_resilience.Twin(), counts, test_llm_resilience.Rest(), 1)
    asking = asyncio.create_task(allowed.complete(LIMITED, call))
    await turns()
    assert counts.taken == 0
    admit(call)
    await asking
    assert counts.taken == 1


@pytest.mark.usefixtures("leaping")
async def test_it_is_not_the_one_that_tries_a_breaker() -> None:
    twin = test_llm_resilience.Twin(ProviderUnavailable())
    breaking = Breaking(twin, failures=1, pause_seconds=5, clock=asyncio.get_running_loop().time)
    with pytest.raises(ProviderUnavailable):
        await breaking.complete(DEPLOYMENT, Call("m", BODY))
    await asyncio.sleep(6)
    dropped = asyncio.create_task(breaking.complete(DEPLOYMENT, early()))
    await turns()
    dropped.cancel()
    await asyncio.gather(dropped, return_exceptions=True)
    await breaking.complete(DEPLOYMENT, Call("m", BODY))
    assert len(twin.asked) == 2


async def test_no_guardrail_judges_and_without_one_nobody_waits() -> None:
    for rows, expected in (([row()], 0), ([], 1)):
        twin = test_llm_screening.Twin(completion("Hello!"))
        screened, call = test_llm_screening.screened(twin, *rows), early()
        asking = asyncio.create_task(screened.complete(call))
        await turns()
        assert len(twin.asked) == expected
        admit(call)
        await asking


async def test_the_cache_is_not_looked_into_and_without_it_nobody_waits() -> None:
    for caching, expected in ((Caching(60), 0), (None, 1)):
        house = test_llm_caching.House()
        house.model.go.set()
        call = replace(early(), caching=caching)
        asking = asyncio.create_task(house.cached.complete(call))
        await turns()
        assert house.model.asked == expected
        admit(call)
        await asking
        assert house.model.asked == 1
