"""Whatever a provider does wrong, on the wire, through gateway, meter and ledger as processes: told in each face's own
format, with nothing of the provider's in it, and settled.
"""

import asyncio
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from tests.integration.meter_house import WIDE, Customer, House, housed
from tests.promptness import PATIENCE
from tests.standins import faults
from tests.standins.faults import FAULTS, KEY, Fault
from tests.standins.openai_provider import OpenAIProvider, in_thread

NAMES = [fault.name for fault in FAULTS]
AI = ("requests_per_minute", "tokens_per_minute", "requests_per_day", "tokens_per_day")
BOTH = ("openai", "anthropic")
FACES: dict[str, tuple[str, tuple[str, ...], dict[str, Any]]] = {
    "chat": ("/v1/chat/completions", BOTH, {"messages": [{"role": "user", "content": "hi"}]}),
    "completions": ("/v1/completions", ("openai",), {"prompt": "hi"}),
    "responses": ("/v1/responses", BOTH, {"input": "hi", "store": False}),
    "messages": ("/v1/messages", BOTH, {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 9}),
}
"""Path, providers (one speaks the format, the other is asked by translation), document."""


@pytest.fixture(scope="module")
def provider() -> Iterator[OpenAIProvider]:
    with in_thread() as provider:
        provider.behaviours |= faults.behaviours(*FACES)
        yield provider


@pytest.fixture(scope="module")
def house(provider: OpenAIProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    settings = {
        "OPENAI_API_KEY": KEY,
        "ANTHROPIC_API_KEY": KEY,
        "ANTHROPIC_BASE_URL": provider.address.removesuffix("/v1"),
        "AI_PLATFORM_LLM__ATTEMPTS": "1",
        "AI_PLATFORM_LLM__BREAKER_FAILURES": "1000",
        "AI_PLATFORM_LLM__MAX_ANSWER_BYTES": "1000000",
        "AI_PLATFORM_LLM__TIMEOUTS__CONNECT": "5",
        "AI_PLATFORM_LLM__TIMEOUTS__FIRST_BYTE": "4",
        "AI_PLATFORM_LLM__TIMEOUTS__BETWEEN_BYTES": "4",
    }
    with housed(tmp_path_factory.mktemp("house"), provider.address, settings=settings) as house:
        yield house


@pytest.mark.parametrize("face", FACES)
async def test_every_fault_is_told_in_the_faces_own_format_and_settled(
    house: House, provider: OpenAIProvider, face: str, tmp_path: Path
) -> None:
    path, kinds, document = FACES[face]
    customer = await house.customer(dict.fromkeys(AI, WIDE))
    async with faults.addresses(tmp_path, provider.address) as places:
        await _add_rows(house, customer, face, places)
        async with aiohttp.ClientSession(house.urls[0], headers=customer.headers) as session:
            models = [
                _model(kind, face, name, stream=stream) for kind in kinds for stream in (False, True) for name in NAMES
            ]
            asked = [_ask(session, path, document | model) for model in models]
            answers = await asyncio.gather(*asked)
    for number, (status, headers, body) in enumerate(answers):
        _check(FAULTS[number % len(FAULTS)], face, status, headers, body, stream=models[number]["stream"])
        assert KEY.encode() not in body
        assert provider.address.encode() not in body
        assert not set(headers) & {"Server", "X-Aisp-Provider"} or status == 200
    await _check_books(house, customer, face)
    for log in (house.directory / "logs").glob("*.log"):
        assert KEY not in log.read_text(errors="replace"), log.name


async def _add_rows(house: House, customer: Customer, face: str, places: dict[str, str]) -> None:
    for kind, (name, address), stream in product(FACES[face][1], places.items(), (False, True)):
        base_url = address.removesuffix("/v1") if kind == "anthropic" else address
        model = faults.upstream(face, name, stream=stream)
        deployment = {"provider": kind, "upstream_model": model, "base_url": base_url}
        row = {"name": f"{kind}/{model}", "deployments": [deployment]}
        status, told = await house.operate("POST", "/api/v1/admin/models", row)
        assert status == 201, told
    # The last of them is in force when it is listed.
    async with asyncio.timeout(PATIENCE):
        while row["name"] not in {one["id"] for one in (await house.read("/v1/models", customer))["data"]}:
            await asyncio.sleep(0.05)


def _model(kind: str, face: str, name: str, *, stream: bool) -> dict[str, Any]:
    return {"model": f"{kind}/{faults.upstream(face, name, stream=stream)}", "stream": stream}


async def _ask(
    session: aiohttp.ClientSession, path: str, document: dict[str, Any]
) -> tuple[int, dict[str, str], bytes]:
    async with session.post(path, json=document, headers={"X-Request-Id": _request_id(document["model"])}) as answer:
        return answer.status, dict(answer.headers), await answer.read()


def _request_id(model: str) -> str:
    return model.replace("/", "_")


async def _check_books(house: House, customer: Customer, face: str) -> None:
    """Every call is settled; what failed before a word came cost nothing, what broke off is partial."""
    kinds = FACES[face][1]
    requests = 2 * len(FAULTS) * len(kinds)
    await house.booked(customer, requests)
    found = (await house.read("/api/v1/usage/events?limit=200", customer))["data"]
    assert len(found) == requests
    models = [_model(kind, face, fault.name, stream=True) for kind in kinds for fault in FAULTS if fault.begun]
    begun = {_request_id(model["model"]) for model in models}
    for event in found:
        lines = [line for line in event["lines"] if line["amount"]]
        if event["request_id"] in begun:
            assert (event["status"], bool(lines)) == ("partial", True), event
        else:
            assert (lines, event["cost_nano_usd"]) == ([], 0), event
    invariants = await house.read("/api/v1/usage/invariants")
    assert invariants["balanced"]
    assert invariants["live"] == 0


SHAPES = {"messages": {"type", "message"}}
OPENAI_SHAPE = {"message", "type", "param", "code"}
NAMED = ("messages", "responses")
"""Faces whose events have names."""


def _check(fault: Fault, face: str, status: int, headers: dict[str, str], body: bytes, *, stream: bool) -> None:
    about = (fault.name, face, stream, status, body[-300:])
    if stream and fault.begun:
        assert status == 200, about
        last = body.strip().split(b"\n\n")[-1]
        assert (face in NAMED) is last.startswith(b"event: error"), about
        assert b"[DONE]" not in body, about
        told = orjson.loads(last.split(b"data: ", 1)[1])
        if face == "responses":
            # The number of the event: after two, or after those that a translation makes of its first.
            assert (told.pop("type"), told.pop("sequence_number")) in (("error", 2), ("error", 6)), about
            assert set(told) == OPENAI_SHAPE - {"type"}, about
            return
    else:
        assert status == (fault.anthropic_status if face == "messages" else fault.status), about
        told = orjson.loads(body)
        if fault.retry_after:
            assert headers["Retry-After"] == str(fault.retry_after), about
        elif status in (429, 503, 529):
            assert int(headers["Retry-After"]) >= 1, about
    assert fault.message in told["error"]["message"], about
    assert set(told["error"]) == SHAPES.get(face, OPENAI_SHAPE), about
    assert face != "messages" or told["type"] == "error", about
