"""One suite over both wires of reranking, before a stand-in that speaks them: unverified on the real services."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from embedding_service.adapters.openai_wire import Limits
from embedding_service.adapters.rerank_wire import RerankWire
from embedding_service.domain import (
    EmbeddingModel,
    Health,
    ProviderNotConfigured,
    ProviderRateLimited,
    ProviderRefused,
    ProviderUnavailable,
)
from tests.standins.http import serving

LIMITS = Limits(5, 1_000_000)
MODEL = EmbeddingModel("rerank/judge-2", "rerank", "judge-2")
TEXTS = ["Painted blue.", "The warranty lasts two years.", "Cats sleep."]
QUERY = "How long is the warranty?"


class Judge:
    """Scores by shared words; answers best first, as such services do."""

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.status, self.body = 200, b""

    async def rerank(self, request: web.Request) -> web.Response:
        document = await request.json()
        self.received.append(document)
        self.keys.append(request.headers.get("Authorization", ""))
        if self.body or self.status != 200:
            return web.Response(status=self.status, body=self.body, headers={"Retry-After": "7"})
        texts = document.get("documents", document.get("texts"))
        asked = set(document["query"].lower().strip("?").split())
        scores = [len(asked & set(text.lower().strip(".").split())) / len(asked) for text in texts]
        order = sorted(range(len(texts)), key=lambda index: -scores[index])
        if "documents" in document:
            rows = [{"index": index, "relevance_score": scores[index]} for index in order]
            return web.json_response({"id": "r", "results": rows, "usage": {"total_tokens": 21}})
        return web.json_response([{"index": index, "score": scores[index]} for index in order])


@pytest.fixture(params=["cohere", "tei"])
async def judged(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Judge, RerankWire, str]]:
    judge = Judge()
    app = web.Application()
    app.router.add_post("/v2/rerank", judge.rerank)
    async with AsyncExitStack() as stack:
        address = await stack.enter_async_context(serving(app))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        yield judge, RerankWire(session, f"{address}/v2/", "k-1", LIMITS, wire=request.param), request.param


Judged = tuple[Judge, RerankWire, str]


async def test_scores_come_in_the_texts_order(judged: Judged) -> None:
    judge, wire, name = judged
    found = await wire.rerank(MODEL, QUERY, TEXTS)
    assert [score > 0 for score in found.scores] == [False, True, False]
    assert found.tokens == (21 if name == "cohere" else sum(map(len, (QUERY, *TEXTS))) // 4 + 3)
    assert judge.keys == ["Bearer k-1"]
    told = judge.received[0]
    assert told == (
        {"query": QUERY, "model": "judge-2", "documents": TEXTS, "top_n": 3}
        if name == "cohere"
        else {"query": QUERY, "texts": TEXTS, "truncate": True}
    )


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, ProviderNotConfigured),
        (429, ProviderRateLimited),
        (422, ProviderRefused),
        (500, ProviderUnavailable),
    ],
)
async def test_refusals_are_told_apart(judged: Judged, status: int, error: type[Exception]) -> None:
    judged[0].status = status
    with pytest.raises(error):
        await judged[1].rerank(MODEL, QUERY, TEXTS)


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"results": [{"index": 0, "relevance_score": 1}]}', b"[1]"])
async def test_an_answer_that_lacks_something_is_none(judged: Judged, body: bytes) -> None:
    judged[0].body = body
    with pytest.raises(ProviderUnavailable):
        await judged[1].rerank(MODEL, QUERY, TEXTS)


async def test_without_an_address_there_is_none() -> None:
    async with aiohttp.ClientSession() as session:
        wire = RerankWire(session, "", "", LIMITS, wire="cohere")
        assert wire.health() is Health.NOT_CONFIGURED
        with pytest.raises(ProviderNotConfigured):
            await wire.rerank(MODEL, QUERY, TEXTS)
