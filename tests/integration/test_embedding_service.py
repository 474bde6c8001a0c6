"""The embedding service with the real ONNX model and the real cache, behind a real wire."""

import array
import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aisp.embedding.v1 import embedding_service_pb2 as pb
from aisp.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceStub
from pydantic import SecretStr
from redis.asyncio import Redis

from chassis.context import RequestContext
from chassis.errors import FailedPrecondition, InvalidArgument, NotFound
from chassis.settings import RedisSettings, WireSettings
from embedding_service.adapters.cache import ValkeyCache
from embedding_service.app import compose
from embedding_service.settings import Settings
from tests.integration.conftest import ROOT, Serve
from tests.promptness import PATIENCE

MODELS = Path(os.environ.get("AI_PLATFORM_MODELS_DIR", ".data/models"))
CONTEXT = RequestContext("r", tenant_id="t")

pytestmark = pytest.mark.skipif(not (MODELS / "embedding").exists(), reason="no model files: run `make models`")


@pytest.fixture
async def stub(valkey: RedisSettings, serve: Serve) -> AsyncIterator[EmbeddingServiceStub]:
    settings = Settings(redis=valkey, models_dir=MODELS, wire=WireSettings(secret=SecretStr(ROOT.decode())))
    async with serve("embedding_service", settings, compose) as channel:
        stub = EmbeddingServiceStub(channel)
        async with asyncio.timeout(PATIENCE):
            while (await stub.ListModels(pb.ListModelsRequest(), context=CONTEXT)).models[0].health != "ok":
                await asyncio.sleep(0.05)
        yield stub


async def embed(stub: EmbeddingServiceStub, *texts: str, **fields: Any) -> pb.EmbedTextsResponse:
    inputs = [pb.Input(text=text) for text in texts]
    answer: pb.EmbedTextsResponse = await stub.EmbedTexts(
        pb.EmbedTextsRequest(inputs=inputs, **fields), context=CONTEXT
    )
    return answer


def cosine(left: bytes, right: bytes) -> float:
    return sum(a * b for a, b in zip(array.array("f", left), array.array("f", right), strict=True))


async def test_like_texts_have_like_vectors(stub: EmbeddingServiceStub) -> None:
    answer = await embed(stub, "A cat sits on the mat.", "A kitten rests on a rug.", "Interest rates rose again.")
    assert (answer.dimensions, answer.model) == (384, "local/all-minilm-l6-v2")
    cat, kitten, rates = answer.vectors
    assert cosine(cat, cat) == pytest.approx(1, abs=1e-5)
    assert cosine(cat, kitten) > 0.5 > cosine(cat, rates) + 0.2
    assert answer.usage.lines[0].amount > 15


async def test_vectors_do_not_depend_on_the_batch_and_the_cache_gives_the_same(stub: EmbeddingServiceStub) -> None:
    texts = [f"Sentence number {number} " + "tells a longer story " * (number % 7) for number in range(40)]
    whole = await embed(stub, *texts)
    singly = await asyncio.gather(*(embed(stub, text) for text in texts))
    again = await embed(stub, *texts)
    assert list(again.vectors) == list(whole.vectors)
    assert again.usage.lines[0].amount == whole.usage.lines[0].amount
    assert all(cosine(one.vectors[0], two) > 0.99 for one, two in zip(singly, whole.vectors, strict=True))


async def test_a_text_is_forgotten_in_all_lengths(valkey: RedisSettings) -> None:
    """Whoever erases a document does not know in which ones others asked for its words."""
    password = valkey.password.get_secret_value()
    async with Redis(host=valkey.host, port=valkey.port, password=password) as client:
        cache = ValkeyCache(client, 60)
        keys = [f"emb:test:{uuid4()}" for _ in range(2)]
        for dimensions in (0, 128, 256):
            await cache.put([(key, 3, bytes([dimensions % 251])) for key in keys], dimensions)
        assert await cache.get(keys, 128) == [(3, b"\x80")] * 2
        assert await cache.get(keys, 64) == [None, None]
        assert await cache.forget(keys[:1]) == 1
        for dimensions in (0, 128, 256):
            assert [found is None for found in await cache.get(keys, dimensions)] == [True, False]
        assert 0 < await client.ttl(keys[1]) <= 60


async def test_token_ids_are_embedded_like_their_text(stub: EmbeddingServiceStub) -> None:
    text = await embed(stub, "hello world")
    ids = pb.TokenIds(ids=[101, 7592, 2088, 102])
    tokens = await stub.EmbedTexts(pb.EmbedTextsRequest(inputs=[pb.Input(tokens=ids)]), context=CONTEXT)
    assert cosine(text.vectors[0], tokens.vectors[0]) > 0.99


@pytest.mark.parametrize(
    ("request_", "error", "reason"),
    [
        (pb.EmbedTextsRequest(), InvalidArgument, "BAD_INPUT"),
        (pb.EmbedTextsRequest(inputs=[pb.Input(text="")]), InvalidArgument, "BAD_INPUT"),
        (pb.EmbedTextsRequest(inputs=[pb.Input(text="word " * 600)]), InvalidArgument, "BAD_INPUT"),
        (pb.EmbedTextsRequest(inputs=[pb.Input(tokens=pb.TokenIds(ids=[10**9]))]), InvalidArgument, "BAD_INPUT"),
        (pb.EmbedTextsRequest(inputs=[pb.Input(text="a")] * 2049), InvalidArgument, "BAD_INPUT"),
        (pb.EmbedTextsRequest(inputs=[pb.Input(text="a")], dimensions=100), InvalidArgument, "BAD_DIMENSIONS"),
        (pb.EmbedTextsRequest(inputs=[pb.Input(text="a")], model="nope"), NotFound, "MODEL_NOT_FOUND"),
        (
            pb.EmbedTextsRequest(inputs=[pb.Input(text="a")], model="openai/x"),
            FailedPrecondition,
            "PROVIDER_NOT_CONFIGURED",
        ),
    ],
)
async def test_what_cannot_be_embedded_is_refused_with_a_reason(
    stub: EmbeddingServiceStub, request_: pb.EmbedTextsRequest, error: type[Exception], reason: str
) -> None:
    with pytest.raises(error) as caught:
        await stub.EmbedTexts(request_, context=CONTEXT)
    assert getattr(caught.value, "reason", "") == reason
