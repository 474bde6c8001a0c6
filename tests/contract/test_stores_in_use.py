"""What whoever uses the service may rely on, whichever vector store a collection has: read your writes, whole versions.

pgvector real, Qdrant's real engine behind its client, Weaviate and Pinecone behind their clients before stand-ins
(unverified on the real services); Pinecone's applies writes late.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from aisp.rag.v1 import rag_service_pb2 as pb

from chassis.settings import DatabaseSettings, RedisSettings
from rag_service.repository.store import PostgresRepository
from tests.integration.conftest import Serve, migrated, serve  # noqa: F401  # fixtures
from tests.integration.rag_bench import Bench, rag_bench
from tests.integration.rag_points import edition, looking
from tests.standins.pinecone import pinecone
from tests.standins.qdrant_edge import qdrant_edge
from tests.standins.weaviate import weaviate

STORES = ("postgres", "qdrant", "weaviate", "pinecone")
LAG_SECONDS = 0.3


async def configured(name: str, stack: AsyncExitStack, directory: Path) -> dict[str, Any]:
    if name == "qdrant":
        return {"qdrant": {"url": await stack.enter_async_context(qdrant_edge(directory / "qdrant"))}}
    if name == "weaviate":
        address, grpc_address = await stack.enter_async_context(weaviate())
        return {"weaviate": {"url": address, "grpc_address": grpc_address}}
    if name == "pinecone":
        there = await stack.enter_async_context(pinecone(LAG_SECONDS))
        return {"pinecone": {"key": "test-key", "host": there.address, "lag_seconds": 10}}
    return {}


@pytest.fixture(params=STORES)
async def bench(
    migrated: Callable[[str], DatabaseSettings],  # noqa: F811
    valkey: RedisSettings,
    serve: Serve,  # noqa: F811
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> AsyncIterator[Bench]:
    async with AsyncExitStack() as stack:
        rag = await configured(request.param, stack, tmp_path)
        store = "" if request.param == "postgres" else request.param  # empty: what the server has
        rules: dict[str, Any] = {"vector_store": store, "job_lease_seconds": 60, "erasure_wait_seconds": 30}
        yield await stack.enter_async_context(
            rag_bench(migrated("rag_service"), valkey, serve, tmp_path, **(rag | rules))
        )


async def ready(bench: Bench, content: str, **told: Any) -> pb.Document:
    document = await bench.upload(content.encode(), title="Story", **told)
    ended = await bench.ended(document.id)
    assert ended.status == pb.DOCUMENT_STATUS_READY, ended.error
    return ended


async def test_whoever_is_told_sees_it(bench: Bench) -> None:
    """Of a first document, a new text, new metadata of the same text, and a deletion: the next search knows."""
    async with bench.working():
        document = await ready(bench, edition(1), metadata_json='{"state": "draft"}')
        assert len(await bench.search("lanterns")) == document.chunks
        other = await ready(bench, "Another one, of harbours.", metadata_json='{"state": "draft"}')
        document = await ready(bench, edition(2), document_id=document.id)
        texts = [row.text for row in await bench.search("lanterns") if row.document_id == document.id]
        assert len(texts) == document.chunks
        assert all("edition2" in text for text in texts)
        final = '{"op": "eq", "field": "state", "value": "final"}'
        assert await bench.search("lanterns", filter_json=final) == []
        document = await ready(bench, edition(2), document_id=document.id, metadata_json='{"state": "final"}')
        assert len(await bench.search("lanterns", filter_json=final)) == document.chunks
        drafts = await bench.search("lanterns", filter_json=final.replace("final", "draft"))
        assert {row.document_id for row in drafts} == {other.id}
        request = pb.DeleteDocumentRequest(id=document.id)
        erasure = (await bench.stub.DeleteDocument(request, context=bench.calling())).erasure
        assert erasure.HasField("end_time")
        assert (erasure.counts["probes"], erasure.counts["found"]) == (min(64, document.chunks), 0)
        assert {row.document_id for row in await bench.search("lanterns")} == {other.id}


async def test_a_search_sees_one_whole_version(bench: Bench) -> None:
    async with bench.working():
        document = await ready(bench, edition(1))
        async with looking(bench, document) as seen:
            for number in (2, 3, 1, 2):
                await ready(bench, edition(number), document_id=document.id)
            await bench.quiet()
    assert {1, 2, 3} <= set(seen)


async def test_a_version_that_is_swapped_in_during_a_search_is_seen_whole(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The search has ranked the old one when the new one comes: it does not answer with what both have in common."""
    same = "\n\n".join(f"Passage {place} of lanterns. " * 30 for place in range(20))
    ranked, go_on = asyncio.Event(), asyncio.Event()
    read = PostgresRepository.passages

    async def held(*arguments: Any) -> Any:
        ranked.set()
        await go_on.wait()
        return await read(*arguments)

    async with bench.working():
        document = await ready(bench, f"The beacon of lanterns is red. {same}")
        for mode in (pb.SEARCH_MODE_LEXICAL, pb.SEARCH_MODE_HYBRID):
            ranked.clear()
            go_on.clear()
            with monkeypatch.context() as patch:
                patch.setattr(PostgresRepository, "passages", held)
                searching = asyncio.create_task(bench.search("beacon lanterns", mode, 3))
                await ranked.wait()
                colour = f"blue{mode}"
                document = await ready(bench, f"The beacon of lanterns is {colour}. {same}", document_id=document.id)
                await bench.quiet()
                go_on.set()
                found = await searching
            assert len(found) == 3
            assert any(colour in row.text for row in found), [row.text[:50] for row in found]
