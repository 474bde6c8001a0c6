"""A judge elsewhere, over real HTTP: what it is told, what it may answer, and what its failures mean."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from ipaddress import IPv4Network
from typing import Any

import orjson
import pytest
from aiohttp import web

from chassis.envelope import Envelope
from chassis.errors import PlatformError
from chassis.outbound import Outbound
from chassis.settings import OutboundSettings
from llm_service.adapters.guards.makers import Guards
from llm_service.domain.errors import GuardrailUnavailable
from llm_service.domain.guardrails import Action, Guard, GuardKind, Guardrail, Passage, Phase
from llm_service.policy.guardrails import rewritten
from tests.standins.http import serving

SETTINGS = OutboundSettings(networks=(IPv4Network("127.0.0.0/8"),), plain_http=True)
VAULT = Envelope("llm_service/guardrails", b"x" * 32)
PASSAGE = Passage("a text", Phase.OUTPUT, "m", "request-1", final=False)


class Judge:
    """Answers what it is told to, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, Any]] = []
        self.answer: Any = {"action": "allow"}
        self.status = 200
        self.hang = False

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append((request.headers.copy(), await request.json()))
        if self.hang:
            await asyncio.sleep(5)
        body = self.answer if isinstance(self.answer, bytes) else orjson.dumps(self.answer)
        return web.Response(body=body, status=self.status)


@pytest.fixture
async def judge() -> AsyncIterator[tuple[Judge, str]]:
    found = Judge()
    app = web.Application()
    app.router.add_post("/judge", found.handle)
    async with serving(app) as address:
        yield found, f"{address}/judge"


@pytest.fixture
async def outbound() -> AsyncIterator[Outbound]:
    async with Outbound(SETTINGS) as opened:
        yield opened


def guard(outbound: Outbound, url: str, action: Action = Action.REFUSE, **rules: Any) -> Guard:
    credential = VAULT.seal(b"Bearer canary", "t", "g")
    at, phases = datetime(2026, 1, 1, tzinfo=UTC), frozenset(Phase)
    told = {"url": url, "timeout_seconds": 0.5, **rules}
    row = Guardrail("g", "t", "judge", GuardKind.HTTP, phases, action, told, at, credential=credential)
    makers = Guards(outbound, SETTINGS, VAULT)
    makers.check(row)
    return makers.make(row)


async def test_it_is_told_the_text_and_who_asks(judge: tuple[Judge, str], outbound: Outbound) -> None:
    found, url = judge
    judgement = await guard(outbound, url).judge(PASSAGE)
    assert (judgement.action, judgement.found) == (Action.ALLOW, 0)
    headers, body = found.asked[0]
    assert body == {"text": "a text", "phase": "output", "model": "m", "request_id": "request-1", "final": False}
    assert headers["Authorization"] == "Bearer canary"
    assert headers["X-Request-Id"] == "request-1"


async def test_it_refuses_rewrites_or_is_only_heard(judge: tuple[Judge, str], outbound: Outbound) -> None:
    found, url = judge
    found.answer = {"action": "rewrite", "text": "another"}
    judgement = await guard(outbound, url).judge(PASSAGE)
    assert judgement.action is Action.REWRITE
    assert rewritten(PASSAGE.text, judgement.spans) == "another"
    assert (await guard(outbound, url, Action.ALLOW).judge(PASSAGE)).action is Action.ALLOW
    found.answer = {"action": "refuse"}
    assert (await guard(outbound, url).judge(PASSAGE)).action is Action.REFUSE


@pytest.mark.parametrize(
    "failure",
    [
        {"status": 500},
        {"status": 302},
        {"hang": True},
        {"answer": b"<html>"},
        {"answer": {"action": "maybe"}},
        {"answer": {}},
        {"answer": {"action": "rewrite"}},
        {"answer": b"x" * (5 * 1024 * 1024)},
    ],
    ids=["500", "a redirect", "a hang", "no JSON", "an odd word", "no word", "no text", "too much"],
)
async def test_a_judge_that_fails_lets_nothing_pass_unless_it_may(
    judge: tuple[Judge, str], outbound: Outbound, failure: Any
) -> None:
    found, url = judge
    for name, value in failure.items():
        setattr(found, name, value)
    with pytest.raises(GuardrailUnavailable) as caught:
        await guard(outbound, url).judge(PASSAGE)
    assert "canary" not in str(caught.value)
    assert (await guard(outbound, url, on_error="allow").judge(PASSAGE)).found == 0


async def test_an_address_of_the_platforms_own_network_is_not_asked(judge: tuple[Judge, str]) -> None:
    found, url = judge
    async with Outbound(OutboundSettings(plain_http=True)) as closed:
        with pytest.raises(PlatformError):
            await guard(closed, url).judge(PASSAGE)
    assert found.asked == []
