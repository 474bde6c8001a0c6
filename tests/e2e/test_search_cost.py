"""Search through the public API beside a bare pgvector query on the same index, in the same run.

In milliseconds of the wall, one after the other, and as ratios: of a search whose question was embedded before, beside
the bare query, which is given its vector; and of one whose question is new, beside the bare model on that question, in
this process, and the bare query. With AISP_SEARCH_HTTP_CHUNKS=50000 these are the figures in docs/answers.md.
"""

import json
import os
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from embedding_service.adapters.local_onnx import LocalOnnx
from tests.conftest import NEEDS_PGVECTOR
from tests.e2e.conftest import Platform, Tenant
from tests.e2e.test_deletion import dsn
from tests.performance.library import Library, questions

pytestmark = NEEDS_PGVECTOR

CHUNKS = int(os.environ.get("AISP_SEARCH_HTTP_CHUNKS", "2500"))
ROUNDS = int(os.environ.get("AISP_SEARCH_HTTP_ROUNDS", "1"))
ASKED = 20
SIZE = 384
LOOKED_AT = {"dense": 60, "hybrid": 200}
"""How many the service asks the index for, where ten results are wanted."""
MODES = ("dense", "lexical", "hybrid")
MODEL = "local/all-minilm-l6-v2"
MODELS = Path(os.environ.get("AI_PLATFORM_MODELS_DIR", ".data/models")).resolve() / "embedding"
MODEL_RULES = {
    "threads": 2,
    "batch_tokens": 2048,
    "max_input_tokens": 512,
    "max_call_tokens": 10_000,
    "queue_seconds": 60,
}
FILTERS: dict[str, dict[str, Any]] = {
    "0.01 %": {"op": "eq", "field": "batch", "value": "b7"},
    "0.1 %": {"op": "lt", "field": "number", "value": CHUNKS // 1000},
    "1 %": {"op": "eq", "field": "year", "value": 1977},
    "10 %": {"op": "eq", "field": "ten", "value": 3},
    "99 %": {"op": "ne", "field": "year", "value": 1977},
}


@pytest.fixture
def library(platform: Platform, new_tenant: Callable[..., Tenant]) -> tuple[Tenant, Library]:
    if platform.directory is None:
        pytest.skip("the database of a platform that runs elsewhere is not ours to fill")
    tenant = new_tenant("enterprise")
    made = tenant.client.post("/api/v1/services/rag/collections", json={"name": "library"}).raise_for_status().json()
    return tenant, Library(tenant.id, made["id"], CHUNKS, size=SIZE)


def vectors(client: httpx.Client, asked: list[str]) -> list[str]:
    body = {"model": MODEL, "input": asked, "encoding_format": "float"}
    rows = client.post("/v1/embeddings", json=body).raise_for_status().json()["data"]
    return [str(row["embedding"]) for row in rows]


class Searcher:
    """One connection, kept open. A client library's own work (httpx: 0.7 ms a call) is not the platform's."""

    def __init__(self, tenant: Tenant) -> None:
        self._connection = HTTPConnection(tenant.base_url.removeprefix("http://"))
        self._headers = {"x-api-key": tenant.key, "content-type": "application/json"}

    def __call__(self, asked: Iterable[str], **how: Any) -> Iterator[float]:
        """What each question took."""
        for question in asked:
            body = json.dumps({"query": question, "collection": "library", "top_k": 10, **how})
            began = time.perf_counter()
            self._connection.request("POST", "/api/v1/services/rag/search", body, self._headers)
            answer = self._connection.getresponse()
            told = answer.read()
            yield time.perf_counter() - began
            assert answer.status == 200, told


def alone(model: LocalOnnx, asked: Iterable[str]) -> Iterator[float]:
    """What the bare model takes for each question."""
    for question in asked:
        began = time.perf_counter()
        model._infer(model._tokenize([question]))
        yield time.perf_counter() - began


async def bare(database: asyncpg.Connection, lane: int, tenant: str, asked: list[str], limit: int) -> list[float]:
    await database.execute(f"SET hnsw.ef_search = {limit}; SET enable_sort = off")
    query = (
        f"SELECT chunk_id FROM vectors_{lane} WHERE tenant_id = $2"  # noqa: S608  # numbers
        f" ORDER BY embedding::vector({SIZE}) <=> $1::text::vector({SIZE}) LIMIT {limit}"
    )
    took = []
    for vector in asked:
        began = time.perf_counter()
        assert len(await database.fetch(query, vector, tenant)) == limit
        took.append(time.perf_counter() - began)
    return took


def p50(took: Iterable[float]) -> float:
    return round(1000 * statistics.median(took), 1)


async def test_a_search_costs_a_few_bare_queries(platform: Platform, library: tuple[Tenant, Library]) -> None:
    tenant, made = library
    database = await asyncpg.connect(dsn(platform, "aisp_rag"))
    try:
        lane = await made.fill(database)
        asked = questions(ASKED, 3)
        given = vectors(tenant.client, asked)
        figures: dict[str, list[float]] = {}

        def add(name: str, took: Iterable[float]) -> None:
            figures.setdefault(name, []).append(p50(took))

        searched, model = Searcher(tenant), LocalOnnx(MODELS, **MODEL_RULES)
        model._load()
        for mode, limit in LOOKED_AT.items():
            list(searched(asked, mode=mode))
            await bare(database, lane, tenant.id, given, limit)
        for turn in range(ROUNDS):
            for mode, limit in LOOKED_AT.items():
                fresh = [f"{question} {mode} w{turn}" for question in asked]
                add(f"bare {limit}", await bare(database, lane, tenant.id, given, limit))
                add(mode, searched(asked, mode=mode))
                add(f"{mode}, new", searched(fresh, mode=mode))
                add(f"model, {mode}", alone(model, fresh))
            add("lexical", searched(asked, mode="lexical"))
        least = {name: min(took) for name, took in figures.items()}
        ratios = {mode: round(least[mode] / least[f"bare {limit}"], 2) for mode, limit in LOOKED_AT.items()}
        of_new = {
            mode: round(least[f"{mode}, new"] / (least[f"bare {limit}"] + least[f"model, {mode}"]), 2)
            for mode, limit in LOOKED_AT.items()
        }
        print(f"\n{CHUNKS} chunks, p50 in ms: {least}, times a bare query: {ratios}, new: {of_new}")  # with -s
        for name, wanted in FILTERS.items():
            told = {mode: p50(searched(asked, mode=mode, filter=wanted)) for mode in MODES}
            print(name, told)
        # Where there are few vectors, a bare query is over before a call has passed the gateway.
        assert CHUNKS < 50_000 or max(ratios["dense"], ratios["hybrid"], *of_new.values()) <= 5, least
    finally:
        await database.close()
