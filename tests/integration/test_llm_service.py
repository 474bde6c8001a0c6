"""The language-model service with the real llama.cpp engine, behind a real wire."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from uuid import uuid4

import orjson
import pytest
from aisp.common.v1 import usage_pb2
from aisp.llm.v1 import llm_service_pb2 as pb
from aisp.llm.v1.llm_service_pb2_grpc import LlmServiceStub
from pydantic import SecretStr

from chassis.context import RequestContext
from chassis.errors import FailedPrecondition, InvalidArgument, NotFound, Unimplemented
from chassis.settings import DatabaseSettings, RedisSettings, WireSettings
from llm_service.app import compose
from llm_service.settings import LlmSection, LocalEngineSettings, Settings
from tests.integration.conftest import ROOT, Serve

MODELS = Path(os.environ.get("AI_PLATFORM_MODELS_DIR", ".data/models"))
LOCAL = "local/smollm2-135m-instruct"
CONTEXT = RequestContext("r", tenant_id=str(uuid4()))

pytestmark = pytest.mark.skipif(not (MODELS / "llm").exists(), reason="no model files: run `make models`")


@pytest.fixture
async def stub(
    migrated: Callable[[str], DatabaseSettings], valkey: RedisSettings, serve: Serve
) -> AsyncIterator[LlmServiceStub]:
    settings = Settings(
        database=migrated("llm_service"),
        redis=valkey,
        models_dir=MODELS,
        llm=LlmSection(local=LocalEngineSettings(context_length=1024), catalogue_seconds=0.2),
        wire=WireSettings(secret=SecretStr(ROOT.decode())),
    )
    async with serve("llm_service", settings, compose) as channel:
        stub = LlmServiceStub(channel)
        async with asyncio.timeout(60):
            while not await _ready(stub):
                await asyncio.sleep(0.1)
        yield stub


async def _ready(stub: LlmServiceStub) -> bool:
    models = (await stub.ListModels(pb.ListModelsRequest(), context=CONTEXT)).models
    return any(model.name == LOCAL and model.health == pb.HEALTH_OK for model in models)


def envelope(model: str = LOCAL, **fields: object) -> pb.Envelope:
    document = {
        "model": model,
        "messages": [{"role": "user", "content": "Say hi."}],
        "max_tokens": 8,
        "temperature": 0,
    } | fields
    return pb.Envelope(model=model, format=pb.FORMAT_CHAT_COMPLETIONS, body=orjson.dumps(document))


def raw(body: bytes) -> pb.Envelope:
    return pb.Envelope(model=LOCAL, format=pb.FORMAT_CHAT_COMPLETIONS, body=body)


async def test_the_local_model_answers_whole_and_streamed(stub: LlmServiceStub) -> None:
    whole = await stub.Complete(pb.CompleteRequest(envelope=envelope()), context=CONTEXT)
    document = orjson.loads(whole.body)
    assert document["model"] == LOCAL
    assert document["choices"][0]["message"]["content"]
    units = {line.unit: line.amount for line in whole.completion.usage.lines}
    assert units[usage_pb2.UNIT_OUTPUT_TOKENS] == document["usage"]["completion_tokens"]
    assert whole.completion.served_by.provider == "local"
    parts = [part async for part in stub.StreamComplete(pb.StreamCompleteRequest(envelope=envelope()), context=CONTEXT)]
    assert [part.WhichOneof("event") for part in (parts[0], parts[-1])] == ["started", "completion"]
    assert any(part.data for part in parts)
    assert all(b'"usage"' not in part.data for part in parts)


@pytest.mark.parametrize(
    ("form", "asked"),
    [
        (pb.FORMAT_CHAT_COMPLETIONS, {"messages": [{"role": "user", "content": "Tell a long story."}], "n": 2}),
        (pb.FORMAT_COMPLETIONS, {"prompt": ["Once upon a time", "One, two, three,"]}),
    ],
)
async def test_every_answer_to_a_request_is_counted(
    stub: LlmServiceStub, form: pb.Format, asked: dict[str, object]
) -> None:
    body = orjson.dumps({"model": LOCAL, "max_tokens": 6, "temperature": 0} | asked)
    asking = pb.Envelope(model=LOCAL, format=form, body=body, include_usage=True)
    whole = await stub.Complete(pb.CompleteRequest(envelope=asking), context=CONTEXT)
    document = orjson.loads(whole.body)
    assert [choice["finish_reason"] for choice in document["choices"]] == ["length", "length"]
    assert all(not choice.get("logprobs") for choice in document["choices"])
    assert document["usage"]["completion_tokens"] == 12
    streamed = [part async for part in stub.StreamComplete(pb.StreamCompleteRequest(envelope=asking), context=CONTEXT)]
    for completion in (whole.completion, streamed[-1].completion):
        units = {line.unit: line.amount for line in completion.usage.lines}
        assert units[usage_pb2.UNIT_OUTPUT_TOKENS] == 12
    assert b'"logprobs":{' not in b"".join(part.data for part in streamed)


async def test_a_json_schema_binds_the_local_model(stub: LlmServiceStub) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    answer = await stub.Complete(
        pb.CompleteRequest(envelope=envelope(response_format=wanted, max_tokens=64)), context=CONTEXT
    )
    assert isinstance(orjson.loads(orjson.loads(answer.body)["choices"][0]["message"]["content"])["n"], int)


@pytest.mark.parametrize(
    ("bad", "error", "reason"),
    [
        (envelope(n_discard=-1), Unimplemented, "UNSUPPORTED"),
        (envelope("no-such-model"), NotFound, "MODEL_NOT_FOUND"),
        (envelope(messages=[]), InvalidArgument, "BAD_DOCUMENT"),
        (envelope("openai/gpt-x"), FailedPrecondition, "PROVIDER_NOT_CONFIGURED"),
        (
            pb.Envelope(
                model=LOCAL, format=pb.FORMAT_CHAT_COMPLETIONS, body=b'{"model":"a","model":"b","messages":[{}]}'
            ),
            InvalidArgument,
            "BAD_DOCUMENT",
        ),
        (
            raw(b'{"messages":[{"content":NaN}]}'),
            InvalidArgument,
            "BAD_DOCUMENT",
        ),
    ],
)
async def test_what_cannot_be_is_refused_with_a_reason(
    stub: LlmServiceStub, bad: pb.Envelope, error: type[Exception], reason: str
) -> None:
    with pytest.raises(error) as caught:
        await stub.Complete(pb.CompleteRequest(envelope=bad), context=CONTEXT)
    assert getattr(caught.value, "reason", "") == reason
