"""A worker that is killed at any point of an ingestion: the next one goes on, and nothing is lost, doubled or torn.

PostgreSQL holds the worker at a chosen statement (a trigger waits for a lock that the test has), then the worker gets
SIGKILL. Every change that the worker makes is such a point, the calls to the embedding service another one.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aisp.rag.v1 import rag_service_pb2 as pb

from chassis.settings import DatabaseSettings, RedisSettings
from rag_service.policy.chunking import Source, chunks
from tests.integration.conftest import Serve
from tests.integration.rag_bench import Bench, rag_bench
from tests.integration.rag_points import AHEAD, POINTS, ROW, STATEMENT, check, story

KILLS = int(os.environ.get("AISP_KILLS", "0"))
"""With it every point is tried, and so many kills at any moment; without, some of them: each takes some seconds."""
BATCH = 32
OF_A_VERSION = {
    "old chunks go": ("DELETE ON chunks", STATEMENT, 1),
    "stale vectors": ("DELETE ON vectors", STATEMENT, 1),
    "stale marks": ("DELETE ON stale_vectors", STATEMENT, 2),
    "old original": ("DELETE ON originals", STATEMENT, 1),
}
OF_AN_ERASURE = {
    "probes": ("INSERT ON probes", STATEMENT, 1),
    "vectors": ("DELETE ON vectors", STATEMENT, 1),
    "chunks": ("DELETE ON chunks", STATEMENT, 1),
    "original": ("DELETE ON originals", STATEMENT, 1),
    "document": ("DELETE ON documents", STATEMENT, 1),
    "end": ("UPDATE ON erasures", ROW.format("NEW.ended_at IS NOT NULL"), 1),
    "job": ("DELETE ON jobs", ROW.format("OLD.kind = 'erase'"), 1),
}


FEW = ("more chunks", "some mark", "end of the swap") if not KILLS else tuple(POINTS)
FEW_OF_MANY = ("a run ahead",) if not KILLS else tuple(AHEAD)
FEW_OF_A_VERSION = ("stale vectors",) if not KILLS else (*OF_A_VERSION, "in the swap", "end of the swap", "first mark")
FEW_OF_AN_ERASURE = ("chunks",) if not KILLS else tuple(OF_AN_ERASURE)


TEXT = story(250)
MANY = story(1030)


@pytest.fixture
async def bench(
    migrated: Callable[[str], DatabaseSettings], valkey: RedisSettings, serve: Serve, tmp_path: Path
) -> AsyncIterator[Bench]:
    database = migrated("rag_service")
    async with rag_bench(database, valkey, serve, tmp_path, embedding_batch=BATCH, erasure_wait_seconds=0) as made:
        yield made


async def killed_at_the_trap(bench: Bench) -> None:
    """Waits until the worker is there, and kills it."""
    await bench.trapped()
    await bench.kill()
    await bench.open_trap()


@pytest.mark.parametrize("name", FEW)
async def test_a_killed_worker_loses_a_batch_at_most(bench: Bench, name: str) -> None:
    await bench.set_trap(POINTS[name])
    document = await bench.upload(TEXT.encode(), title="Story")
    await bench.start()
    await killed_at_the_trap(bench)
    await bench.start()
    ready = await bench.ended(document.id)
    assert ready.status == pb.DOCUMENT_STATUS_READY, ready.error
    await bench.quiet()
    await check(bench, BATCH, ready, TEXT, ready.chunks)


@pytest.mark.parametrize("name", FEW_OF_MANY)
async def test_a_killed_worker_goes_on_behind_what_it_wrote_ahead(bench: Bench, name: str) -> None:
    """A document of so many passages that most are written ahead of the swap; none is found before it."""
    await bench.set_trap(AHEAD[name])
    document = await bench.upload(MANY.encode(), title="Story")
    await bench.start()
    await killed_at_the_trap(bench)
    ahead = await bench.owner.fetchval("SELECT count(*) FROM chunks WHERE document_id = $1", document.id)
    assert bool(ahead) is (name != "its words")
    for mode in (pb.SEARCH_MODE_LEXICAL, pb.SEARCH_MODE_DENSE):
        assert await bench.search("harbours", mode) == []
    del bench.peers.embeddings.texts["harbours"]
    await bench.start()
    ready = await bench.ended(document.id)
    assert ready.status == pb.DOCUMENT_STATUS_READY, ready.error
    await bench.quiet()
    await check(bench, BATCH, ready, MANY, ready.chunks)


async def test_a_worker_killed_while_it_embeds(bench: Bench) -> None:
    bench.peers.embeddings.seconds = 0.01
    document = await bench.upload(TEXT.encode(), title="Story")
    await bench.start()
    for done in (40, 110, 180):
        async with asyncio.timeout(180):
            while sum(bench.peers.embeddings.texts.values()) < done:
                await asyncio.sleep(0.01)
        await bench.kill()
        await bench.start()
    ready = await bench.ended(document.id)
    await bench.quiet()
    again = sum(bench.peers.embeddings.texts.values()) - ready.chunks
    assert again <= 3 * BATCH
    bench.peers.embeddings.texts.subtract({text: count - 1 for text, count in bench.peers.embeddings.texts.items()})
    await check(bench, BATCH, ready, TEXT, ready.chunks)


@pytest.mark.parametrize("name", FEW_OF_A_VERSION)
async def test_a_killed_worker_leaves_one_whole_version(bench: Bench, name: str) -> None:
    await bench.start()
    document = await bench.upload(TEXT.encode(), title="Story")
    first = await bench.ended(document.id)
    await bench.quiet()
    await bench.kill()
    point = (OF_A_VERSION | POINTS)[name]
    await bench.set_trap(point)
    new = story(250, changed=120)
    await bench.upload(new.encode(), document_id=document.id)
    await bench.start()
    await killed_at_the_trap(bench)
    # Whatever it was at: one version, whole.
    count = await bench.owner.fetchval("SELECT count(*) FROM chunks WHERE document_id = $1", document.id)
    assert count == first.chunks
    await bench.start()
    ready = await bench.ended(document.id)
    assert (ready.status, ready.version, ready.ready_version) == (pb.DOCUMENT_STATUS_READY, 2, 2)
    await bench.quiet()
    changed = sum("changed" in text for text in bench.peers.embeddings.texts)
    assert 1 <= changed <= 3
    await check(bench, BATCH, ready, new, first.chunks + changed)


@pytest.mark.parametrize("name", FEW_OF_AN_ERASURE)
async def test_a_killed_worker_goes_on_with_an_erasure(bench: Bench, name: str) -> None:
    await bench.start()
    document = await bench.upload(story(30).encode(), title="Story")
    ready = await bench.ended(document.id)
    await bench.quiet()
    await bench.kill()
    await bench.set_trap(OF_AN_ERASURE[name])
    gone = await bench.stub.DeleteDocument(pb.DeleteDocumentRequest(id=document.id), context=bench.calling())
    await bench.start()
    await killed_at_the_trap(bench)
    await bench.start()
    await bench.quiet()
    request = pb.GetErasureRequest(id=gone.erasure.id)
    erasure = (await bench.stub.GetErasure(request, context=bench.calling())).erasure
    assert erasure.HasField("end_time")
    assert (erasure.counts["documents"], erasure.counts["found"]) == (1, 0)
    assert erasure.counts["probes"] == ready.chunks
    for table in ("documents", "chunks", "vectors", "originals", "probes", "staged_chunks", "stale_vectors"):
        left = await bench.owner.fetchval(f"SELECT count(*) FROM {table} WHERE tenant_id = $1", bench.tenant)  # noqa: S608
        assert left == 0, table
    folder = Path(bench.environment["AI_PLATFORM_DATA_DIR"]) / "objects" / bench.tenant
    assert [path for path in folder.rglob("*") if path.is_file()] == []
    assert bench.peers.meter.stored[bench.tenant] == 0


@pytest.mark.skipif(not KILLS, reason="a long proof: AISP_KILLS=n kills n times at any moment")
async def test_kills_at_any_moment(bench: Bench) -> None:
    bench.peers.embeddings.seconds = 0.002
    documents = [await bench.upload(story(60 + n).encode(), title=f"Story {n}") for n in range(12)]
    for number in range(KILLS):
        await bench.start()
        await asyncio.sleep(0.8 + (number * 37 % 100) / 100)
        await bench.kill()
    await bench.start()
    for number, document in enumerate(documents):
        ready = await bench.ended(document.id, 120)
        assert ready.status == pb.DOCUMENT_STATUS_READY
        assert ready.chunks == len(list(chunks(Source(document.id, document.title, {}), [story(60 + number)])))
    await bench.quiet()
