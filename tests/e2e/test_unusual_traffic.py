"""Zero difference on what recordings do not have: the official SDKs hear through the platform what they hear directly.

What is compared are documents as they were written, in order; and of whole answers each byte.
"""

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import anthropic
import httpx
import openai
import orjson
import pytest
from aiohttp import web

from tests.e2e.conftest import Tenant
from tests.e2e.journeys import HELLO
from tests.standins import unusual
from tests.standins.openai_provider import Behaviour, OpenAIProvider, fails
from tests.standins.openai_provider import events as openai_events

STREAM = {"Content-Type": "text/event-stream; charset=utf-8"}


def sends(pieces: list[bytes], *, stream: bool = True) -> Behaviour:
    """These bytes, one piece after another."""

    async def behave(request: web.Request, _document: dict[str, Any]) -> web.StreamResponse:
        if not stream:
            return web.Response(body=b"".join(pieces), content_type="application/json")
        response = web.StreamResponse(headers=STREAM)
        await response.prepare(request)
        for piece in pieces:
            await response.write(piece)
        return response

    return behave


class Two:
    """The provider itself, and the platform in front of it, as the official SDKs see them."""

    def __init__(self, tenant: Tenant, provider: OpenAIProvider) -> None:
        self._provider = provider
        self._places = [
            (False, sdks(provider.address.removesuffix("/v1"), "k")),
            (True, sdks(tenant.base_url, tenant.key)),
        ]

    def hear(self, behaviour: Behaviour, ask: Callable[[Any, str], Any], kind: str = "openai") -> list[list[str]]:
        """What is heard directly, and through the platform."""
        name = f"odd-{uuid4().hex[:8]}"
        self._provider.behaviours[name] = behaviour
        return [heard(ask, sdks[kind], f"{kind}/{name}" if prefixed else name) for prefixed, sdks in self._places]


def sdks(base_url: str, key: str) -> dict[str, Any]:
    """The official ones, of a server."""
    return {
        "openai": openai.OpenAI(base_url=f"{base_url}/v1", api_key=key, max_retries=0),
        "anthropic": anthropic.Anthropic(base_url=base_url, api_key=key, max_retries=0),
    }


def heard(ask: Callable[[Any, str], Any], sdk: Any, model: str) -> list[str]:
    """Documents with every field as it was written; an exception by its kind and its body."""
    told: list[str] = []
    try:
        answer = ask(sdk, model)
        for part in [answer] if hasattr(answer, "to_json") else answer:
            told += ["null" if part is None else part.to_json(indent=None, exclude_unset=True, warnings=False)]
    except (openai.APIStatusError, anthropic.APIStatusError) as error:
        told.append(f"{type(error).__name__} {error.status_code} {json.dumps(error.body)}")
    except (openai.APIError, anthropic.APIError, ValueError) as error:
        told.append(type(error).__name__)
    return told


@pytest.fixture
def two(new_tenant: Callable[..., Tenant], provider: OpenAIProvider) -> Two:
    return Two(new_tenant("enterprise"), provider)


def chat(**more: Any) -> Callable[[Any, str], Any]:
    return lambda sdk, model: sdk.chat.completions.create(model=model, messages=HELLO, **more)


def check(differences: dict[str, list[list[str]]], most: int) -> None:
    """`most`: how many were compared."""
    assert not differences, f"{most - len(differences)} of {most}: {json.dumps(differences, indent=1)[:6000]}"


def test_whole_answers_of_chat_completions(two: Two) -> None:
    found = {name: two.hear(sends([body], stream=False), chat()) for name, body in unusual.ANSWERS.items()}
    check({name: pair for name, pair in found.items() if pair[0] != pair[1]}, len(found))


def test_streams_of_chat_completions(two: Two) -> None:
    found = {name: two.hear(sends(pieces), chat(stream=True)) for name, pieces in unusual.wires()}
    check({name: pair for name, pair in found.items() if pair[0] != pair[1]}, len(found))


def test_an_event_may_be_as_large_as_an_answer(two: Two) -> None:
    picture = {"images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 9_000_000}}]}
    chunks = [unusual.CHUNK | {"choices": [{"index": 0, "delta": picture, "finish_reason": "stop"}]}]
    direct, through = two.hear(sends([openai_events(chunks)]), chat(stream=True))
    assert len(direct[0]) > 9_000_000
    assert through == direct


def test_responses_whole_and_streamed(two: Two) -> None:
    def ask(stream: bool) -> Callable[[Any, str], Any]:
        return lambda sdk, model: sdk.responses.create(model=model, input="Hi", store=False, stream=stream)

    wholes = {"whole": unusual.RESPONSE, "incomplete": unusual.INCOMPLETE, "failed": unusual.FAILED}
    found = {
        f"{name}, whole": two.hear(sends([orjson.dumps(told)], stream=False), ask(False))
        for name, told in wholes.items()
    }
    for name, told in unusual.response_streams().items():
        documents, names = [orjson.dumps(item) for item in told], [item["type"].encode() for item in told]
        for frame, pieces in unusual.framed(documents, names):
            found[f"{name}, {frame}"] = two.hear(sends(pieces), ask(True))
    check({name: pair for name, pair in found.items() if pair[0] != pair[1]}, len(found))


def test_messages_whole_and_streamed(two: Two) -> None:
    def ask(stream: bool) -> Callable[[Any, str], Any]:
        return lambda sdk, model: sdk.messages.create(model=model, max_tokens=9, messages=HELLO, stream=stream)

    whole = sends([orjson.dumps(unusual.MESSAGE)], stream=False)
    found = {"whole": two.hear(whole, ask(False), "anthropic")}
    found["beta"] = two.hear(
        whole, lambda sdk, model: sdk.beta.messages.create(model=model, max_tokens=9, messages=HELLO), "anthropic"
    )
    told = unusual.MESSAGE_EVENTS
    documents, names = [orjson.dumps(item) for item in told], [item["type"].encode() for item in told]
    for frame, pieces in unusual.framed(documents, names):
        found[frame] = two.hear(sends(pieces), ask(True), "anthropic")
    check({name: pair for name, pair in found.items() if pair[0] != pair[1]}, len(found))


BODIES: dict[str, bytes] = {
    "spaces, order and numbers": b'{ "temperature":1e0,\n\t"messages" : [{"content":"\\u00e9\\ud83d\\ude00\\u2028'
    b'\xe2\x80\xa8\\/","role":"user"}] , "seed":123456789012345678901234567890,"x":-0.0, "logit_bias":{"1":1E2},'
    b'"model": "MODEL"  }',
    "a name twice": b'{"user":"a","user":"b","model":"MODEL","messages":[{"role":"user","content":"hi"}]}',
}  # fmt: skip


def test_no_byte_of_a_request_or_an_answer_changes(tenant: Tenant, provider: OpenAIProvider) -> None:
    for name, body in BODIES.items():
        for answer in unusual.ANSWERS.values():
            model = f"bytes-{uuid4().hex[:8]}"
            provider.behaviours[model] = sends([answer], stream=False)
            sent = body.replace(b"MODEL", f"openai/{model}".encode())
            with httpx.Client(base_url=tenant.base_url, headers={"Authorization": f"Bearer {tenant.key}"}) as client:
                got = client.post("/v1/chat/completions", content=sent)
            assert got.content == answer, name
            assert provider.bodies[-1] == body.replace(b"MODEL", model.encode()), name


def test_refusals_are_told_as_the_provider_tells_them(two: Two) -> None:
    asks = (chat(), chat(stream=True), lambda sdk, model: sdk.embeddings.create(model=model, input="Hi"))
    for name, (status, body) in unusual.REFUSALS.items():
        for ask in asks:
            direct, through = two.hear(fails(status, body), ask)
            told = json.loads(through[0].split(" ", 2)[2])
            assert direct[0].split(" ")[:2] == through[0].split(" ")[:2], name
            assert told["message"] in body.decode(), name
            original = orjson.loads(body)["error"] if body.startswith(b'{"error":{') else {}
            assert told | {key: value for key, value in original.items() if key in told} == told, name
