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
from rag_service.policy.chunking import Source, chunks, embedded_text
from tests.integration.conftest import Serve
from tests.integration.rag_bench import Bench, rag_bench

KILLS = int(os.environ.get("AISP_KILLS", "0"))
"""With it every point is tried, and so many kills at any moment; without, some of them: each takes some seconds."""
BATCH = 32
LOCK = 4242
STOP = """
    CREATE SEQUENCE IF NOT EXISTS test_hits;
    CREATE OR REPLACE FUNCTION test_stop() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF nextval('test_hits') = TG_ARGV[0]::int THEN PERFORM pg_advisory_lock(4242); END IF;
        IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
        RETURN NEW;
    END $$;
    GRANT USAGE ON SEQUENCE test_hits TO PUBLIC;
    GRANT EXECUTE ON FUNCTION test_stop() TO PUBLIC;
"""
ROW = "FOR EACH ROW WHEN ({})"
STATEMENT = "FOR EACH STATEMENT"
POINTS = {
    "before extracting": ("UPDATE ON documents", ROW.format("NEW.stage = 'extracting'"), 1),
    "text kept": ("UPDATE ON documents", ROW.format("NEW.stage = 'chunking'"), 1),
    "first chunks": ("INSERT ON staged_chunks", STATEMENT, 1),
    "more chunks": ("INSERT ON staged_chunks", STATEMENT, 2),
    "all chunks": ("UPDATE ON documents", ROW.format("NEW.stage = 'embedding'"), 1),
    "first vectors": ("INSERT ON vectors", STATEMENT, 1),
    "first mark": ("UPDATE ON staged_chunks", STATEMENT, 2),
    "some vectors": ("INSERT ON vectors", STATEMENT, 6),
    "some mark": ("UPDATE ON staged_chunks", STATEMENT, 9),
    "progress": ("UPDATE ON documents", ROW.format("NEW.progress > 60"), 1),
    "before indexing": ("UPDATE ON documents", ROW.format("NEW.stage = 'indexing'"), 1),
    "in the swap": ("INSERT ON chunks", STATEMENT, 1),
    "the swap's words": ("INSERT ON postings", STATEMENT, 1),
    "end of the swap": ("UPDATE ON documents", ROW.format("NEW.status = 'ready'"), 1),
    "before it is finished": ("DELETE ON jobs", ROW.format("OLD.kind = 'ingest'"), 1),
    "told, not finished": ("DELETE ON jobs", ROW.format("OLD.kind = 'announce'"), 1),
}
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
FEW_OF_A_VERSION = ("stale vectors",) if not KILLS else (*OF_A_VERSION, "in the swap", "end of the swap", "first mark")
FEW_OF_AN_ERASURE = ("chunks",) if not KILLS else tuple(OF_AN_ERASURE)


def story(paragraphs: int, changed: int = -1) -> str:
    def paragraph(number: int) -> str:
        word = "changed" if number == changed else "keeps"
        return " ".join(f"Passage {number} {word} its sentence {k} about harbours and lanterns." for k in range(30))

    return "\n\n".join(map(paragraph, range(paragraphs)))


TEXT = story(250)


@pytest.fixture
async def bench(
    migrated: Callable[[str], DatabaseSettings], valkey: RedisSettings, serve: Serve, tmp_path: Path
) -> AsyncIterator[Bench]:
    database = migrated("rag_service")
    async with rag_bench(database, valkey, serve, tmp_path, embedding_batch=BATCH, erasure_wait_seconds=0) as made:
        try:
            yield made
        finally:
            await made.kill()
            await made.owner.execute("DROP FUNCTION IF EXISTS test_stop() CASCADE; DROP SEQUENCE IF EXISTS test_hits")


async def killed_at_the_trap(bench: Bench) -> None:
    """Waits until the worker is there, and kills it."""
    async with asyncio.timeout(180):
        while not await bench.owner.fetchval(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = $1 AND NOT granted", LOCK
        ):
            assert bench.process is not None
            assert bench.process.returncode is None, bench.log.read_text()[-3000:]
            await asyncio.sleep(0.02)
    await bench.kill()
    await bench.owner.execute("SELECT pg_advisory_unlock(4242)")


async def set_trap(bench: Bench, point: tuple[str, str, int]) -> None:
    what, when, number = point
    await bench.owner.execute("DROP FUNCTION IF EXISTS test_stop() CASCADE; DROP SEQUENCE IF EXISTS test_hits")
    await bench.owner.execute(STOP)
    await bench.owner.fetchval("SELECT pg_advisory_lock(4242)")
    await bench.owner.execute(f"CREATE TRIGGER test_stop BEFORE {what} {when} EXECUTE FUNCTION test_stop({number})")


async def check(bench: Bench, document: pb.Document, text: str, embedded: int) -> None:
    """The document is there, exactly once, and nothing is left over."""
    expected = list(chunks(Source(document.id, document.title, {}), [text]))
    rows = await bench.owner.fetch(
        'SELECT id::text, text, start, "end", ordinal FROM chunks WHERE document_id = $1 ORDER BY ordinal', document.id
    )
    found = [(row["id"], row["text"], row["start"], row["end"]) for row in rows]
    assert found == [(chunk.id, chunk.text, chunk.start, chunk.end) for chunk in expected]
    held = await bench.owner.fetch("SELECT chunk_id::text FROM vectors WHERE document_id = $1", document.id)
    assert {row["chunk_id"] for row in held} == {chunk.id for chunk in expected}
    texts = [embedded_text(document.title, chunk.heading, chunk.text) for chunk in expected]
    assert len(held) == len(expected)
    # At most one batch is embedded twice.
    assert sum(bench.peers.embeddings.texts.values()) - embedded <= BATCH
    assert all(bench.peers.embeddings.texts[one] for one in texts)
    for table in ("staged_chunks", "stale_vectors"):
        assert await bench.owner.fetchval(f"SELECT count(*) FROM {table} WHERE document_id = $1", document.id) == 0  # noqa: S608
    words = await bench.owner.fetchval("SELECT sum(alive) FROM runs WHERE tenant_id = $1", bench.tenant)
    assert words == len(expected)
    told = [kind for name, (kind, _) in bench.peers.meter.events.items() if document.id in name]
    assert told == ["document.ready"] * document.version
    assert bench.peers.meter.stored[bench.tenant] == len(text.encode())


@pytest.mark.parametrize("name", FEW)
async def test_a_killed_worker_loses_a_batch_at_most(bench: Bench, name: str) -> None:
    await set_trap(bench, POINTS[name])
    document = await bench.upload(TEXT.encode(), title="Story")
    await bench.start()
    await killed_at_the_trap(bench)
    await bench.start()
    ready = await bench.ended(document.id)
    assert ready.status == pb.DOCUMENT_STATUS_READY, ready.error
    await bench.quiet()
    await check(bench, ready, TEXT, ready.chunks)


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
    await check(bench, ready, TEXT, ready.chunks)


@pytest.mark.parametrize("name", FEW_OF_A_VERSION)
async def test_a_killed_worker_leaves_one_whole_version(bench: Bench, name: str) -> None:
    await bench.start()
    document = await bench.upload(TEXT.encode(), title="Story")
    first = await bench.ended(document.id)
    await bench.quiet()
    await bench.kill()
    point = (OF_A_VERSION | POINTS)[name]
    await set_trap(bench, point)
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
    await check(bench, ready, new, first.chunks + changed)


@pytest.mark.parametrize("name", FEW_OF_AN_ERASURE)
async def test_a_killed_worker_goes_on_with_an_erasure(bench: Bench, name: str) -> None:
    await bench.start()
    document = await bench.upload(story(30).encode(), title="Story")
    ready = await bench.ended(document.id)
    await bench.quiet()
    await bench.kill()
    await set_trap(bench, OF_AN_ERASURE[name])
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
