"""The Embedder port over OpenAI's wire: answers in any number of pieces, and errors in the provider's words."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import orjson
import pytest
from aiohttp import web

from chassis.errors import PlatformError
from embedding_service.adapters.openai_wire import Limits, OpenAIWire
from embedding_service.domain import EmbeddingModel, InputType
from embedding_service.policy import resolve
from tests.standins.openai_provider import Behaviour, OpenAIProvider, fails, running

BODY = orjson.dumps({"model": "openai/e", "input": ["a", "b"]})
ANSWER = orjson.dumps(
    {
        "object": "list",
        "data": [{"index": number, "embedding": [0.25, 1.0] * 4000} for number in range(2)],
        "usage": {"prompt_tokens": 2, "total_tokens": 2},
    }
)


def in_pieces(body: bytes, size: int) -> Behaviour:
    """An answer that comes so, as it does over any real network."""

    async def behave(request: web.Request, _document: object) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.content_length = len(body)
        await response.prepare(request)
        for begin in range(0, len(body), size):
            await response.write(body[begin : begin + size])
            await asyncio.sleep(0.002)
        return response

    return behave


@pytest.fixture
async def provider() -> AsyncIterator[OpenAIProvider]:
    async with running() as provider:
        yield provider


@pytest.fixture
async def wire(provider: OpenAIProvider) -> AsyncIterator[OpenAIWire]:
    async with aiohttp.ClientSession() as session:
        yield OpenAIWire(session, provider.address, "sk-canary", Limits(10, 1_000_000), configured=True)


@pytest.fixture
def model() -> EmbeddingModel:
    return resolve("openai/e")


async def test_an_answer_is_read_to_its_end(provider: OpenAIProvider, wire: OpenAIWire, model: EmbeddingModel) -> None:
    provider.behaviour = in_pieces(ANSWER, 9_001)
    answered = await wire.answer(model, BODY)
    assert (answered.body, answered.tokens) == (ANSWER, 2)
    vectors = await wire.embed(model, ["a", "b"], 0, InputType.UNKNOWN)
    assert [len(vector) for vector in vectors.vectors] == [8000 * 4, 8000 * 4]


async def test_an_answer_that_is_too_large_says_what_to_do(
    provider: OpenAIProvider, wire: OpenAIWire, model: EmbeddingModel
) -> None:
    provider.behaviour = in_pieces(b" " * 1_000_001, 500_001)
    with pytest.raises(PlatformError, match="send fewer inputs") as caught:
        await wire.answer(model, BODY)
    assert caught.value.reason == "BAD_INPUT"


@pytest.mark.parametrize(
    ("status", "body", "reason", "message", "code"),
    [
        (
            404,
            b'{"error":{"message":"No model. sk-canary","code":"model_not_found"}}',
            "PROVIDER_REFUSED",
            "No model.",
            "404",
        ),
        (413, b'{"error":"Too many.","error_type":"Validation"}', "PROVIDER_REFUSED", "Too many.", "413"),
        (422, b'{"detail":[{"loc":["body","input"],"msg":"Bad."}]}', "PROVIDER_REFUSED", "Bad.", "422"),
        (401, b'{"error":{"message":"sk-canary is wrong"}}', "PROVIDER_NOT_CONFIGURED", "", None),
        (402, b"{}", "PROVIDER_RATE_LIMITED", "", None),
        (429, b"{}", "PROVIDER_RATE_LIMITED", "", None),
        (302, b"", "PROVIDER_UNAVAILABLE", "", None),
        (500, b"<html>", "PROVIDER_UNAVAILABLE", "", None),
    ],
)
async def test_a_refusal_is_told_in_the_providers_words(
    provider: OpenAIProvider, wire: OpenAIWire, model: EmbeddingModel, status: int, body: bytes, reason: str,
    message: str, code: str | None,
) -> None:  # fmt: skip
    provider.behaviour = fails(status, body, {"Retry-After": "7", "Location": "/v1/other"})
    with pytest.raises(PlatformError) as caught:
        await wire.answer(model, BODY)
    assert (caught.value.reason, caught.value.metadata.get("provider_status")) == (reason, code)
    assert message in caught.value.message
    assert "canary" not in caught.value.message
    assert caught.value.retry_after == (None if status == 401 or message else 7)
    assert "/v1/other" not in provider.paths
