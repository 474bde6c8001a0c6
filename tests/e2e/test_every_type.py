"""Zero difference on whatever official SDKs have a type for, and on what servers of OpenAI's format say beyond it."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import openai
import orjson
import pytest
from anthropic.types import Message, RawMessageStreamEvent
from anthropic.types.beta import BetaMessage, BetaRawMessageStreamEvent
from openai.types import Completion, CreateEmbeddingResponse
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent

from tests.e2e.conftest import Tenant
from tests.e2e.journeys import HELLO
from tests.e2e.test_unusual_traffic import Two, chat, check, sends
from tests.standins import deviations
from tests.standins.openai_provider import Behaviour, OpenAIProvider, events
from tests.standins.specimens import members, specimens

Ask = Callable[[Any, str], Any]
OURS = {"id": "x_1", "model": "upstream-name"}
BASE64 = (
    b'{"data":[{"embedding":"AACAPwAAAMA=","index":0,"object":"embedding"}],"model":"m","usage":{"prompt_tokens":1}}'
)
ODD_VECTORS = (
    b'{ "object":"list","provider":"X","data":[{"index":0,"embedding":[1e-05,-0.0,1,0.12345678901234567,1E2]}],'
    b'"usage":{"prompt_tokens":1,"total_tokens":1,"cost":1.5e-7},"model":"m"}'
)
USAGE = {"include_usage": True}
LAST = ("response.completed", "response.incomplete", "response.failed")


@pytest.fixture
def two(new_tenant: Callable[..., Tenant], provider: OpenAIProvider) -> Two:
    return Two(new_tenant("enterprise"), provider)


def compare(two: Two, told: dict[str, tuple[list[bytes], Ask]], *, stream: bool, kind: str = "openai") -> None:
    found = {name: two.hear(sends(pieces, stream=stream), ask, kind) for name, (pieces, ask) in told.items()}
    assert all(direct for direct, _ in found.values())
    check({name: pair for name, pair in found.items() if pair[0] != pair[1]}, len(found))


def named(documents: list[dict[str, Any]]) -> bytes:
    return b"".join(b"event: %b\ndata: %b\n\n" % (one["type"].encode(), orjson.dumps(one)) for one in documents)


def complete(**more: Any) -> Ask:
    return lambda sdk, model: sdk.completions.create(model=model, prompt="Hi", **more)


def respond(**more: Any) -> Ask:
    return lambda sdk, model: sdk.responses.create(model=model, input="Hi", store=False, **more)


def embed(**more: Any) -> Ask:
    return lambda sdk, model: sdk.embeddings.create(model=model, input="Hi", **more)


def message(**more: Any) -> Ask:
    return lambda sdk, model: sdk.messages.create(model=model, max_tokens=9, messages=HELLO, **more)


def beta(**more: Any) -> Ask:
    return lambda sdk, model: sdk.beta.messages.create(model=model, max_tokens=9, messages=HELLO, betas=["b"], **more)


def test_whole_answers(two: Two) -> None:
    ask = chat()
    chats = {f"chat {number}": one for number, one in enumerate(specimens(ChatCompletion, OURS))}
    texts = {f"text {number}": one for number, one in enumerate(specimens(Completion, OURS))}
    told = {name: ([orjson.dumps(one)], ask) for name, one in chats.items()}
    told |= {name: ([orjson.dumps(one)], complete()) for name, one in texts.items()}
    told |= {name: ([body], ask) for name, body in deviations.ANSWERS.items()}
    given = OURS | {"store": False, "previous_response_id": None, "object": "response"}
    told |= {
        f"response {number}": ([orjson.dumps(one)], respond()) for number, one in enumerate(specimens(Response, given))
    }
    vectors = specimens(CreateEmbeddingResponse, OURS)
    told |= {f"vectors {number}": ([orjson.dumps(one)], embed()) for number, one in enumerate(vectors)}
    told["vectors, base64"] = ([BASE64], embed())
    told["vectors, of floats"] = ([ODD_VECTORS], embed(encoding_format="float"))
    compare(two, told, stream=False)


def test_whole_messages(two: Two) -> None:
    told = {f"{number}": ([orjson.dumps(one)], message()) for number, one in enumerate(specimens(Message, OURS))}
    for number, one in enumerate(specimens(BetaMessage, OURS)):
        told[f"beta {number}"] = ([orjson.dumps(one)], beta())
    compare(two, told, stream=False, kind="anthropic")


def test_streams_of_chunks(two: Two) -> None:
    asked = chat(stream=True, stream_options=USAGE)
    told = {"chat": ([events(specimens(ChatCompletionChunk, OURS))], asked)}
    told["text"] = (
        [events(specimens(Completion, OURS))],
        complete(stream=True, stream_options=USAGE),
    )
    for name, chunks in deviations.STREAMS.items():
        told[name] = ([events(chunks)], chat(stream=True))
    compare(two, told, stream=True)


def test_streams_of_responses(two: Two) -> None:
    given = OURS | {"store": False, "previous_response_id": None, "object": "response"}
    kinds = members(ResponseStreamEvent)
    response = specimens(Response, given, 2)[0]
    whole = {"response": response}
    middle = [
        one
        for name, kind in kinds.items()
        if name not in (*LAST, "error")
        for one in specimens(kind, {"type": name} | (whole if "response" in kind.model_fields else {}), 1)
    ]
    told = {}
    for last in LAST:
        documents = [
            one | {"sequence_number": number}
            for number, one in enumerate([*middle, {"type": last, "response": response}])
        ]
        told[last] = ([named(documents)], respond(stream=True))
    compare(two, told, stream=True)


def test_stored_responses_are_told_as_they_were(tenant: Tenant, served: Callable[[Behaviour], str]) -> None:
    sdk = openai.OpenAI(base_url=f"{tenant.base_url}/v1", api_key=tenant.key, max_retries=0)
    given = OURS | {"status": "completed", "object": "response", "store": False, "previous_response_id": None}
    for number, one in enumerate(specimens(Response, given)[:4]):
        told = one | {"id": f"resp_{uuid4().hex}"}
        last = {"type": "response.completed", "sequence_number": 0, "response": told}
        model = served(sends([named([last])]) if number % 2 else sends([orjson.dumps(told)], stream=False))
        asked: dict[str, Any] = {"model": f"openai/{model}", "input": "Hi"}
        if number % 2:
            answer = list(sdk.responses.create(stream=True, **asked))[-1].response
        else:
            answer = sdk.responses.create(**asked)
        found = sdk.responses.retrieve(told["id"])
        heard = [orjson.loads(one.to_json(exclude_unset=True, warnings=False)) for one in (answer, found)]
        assert heard[0] == heard[1] == orjson.loads(orjson.dumps(told)) | {"store": True}


@pytest.mark.parametrize(("kind", "ask"), [(RawMessageStreamEvent, message), (BetaRawMessageStreamEvent, beta)])
def test_streams_of_messages(two: Two, kind: Any, ask: Callable[..., Ask]) -> None:
    order = [one for name, found in members(kind).items() for one in specimens(found, {"type": name}, 1)]
    last = [one for one in order if one["type"] == "message_stop"]
    documents = [one for one in order if one["type"] != "message_stop"] + last
    compare(two, {"all": ([named(documents)], ask(stream=True))}, stream=True, kind="anthropic")
