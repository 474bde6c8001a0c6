"""The serving process is killed in the middle of an upload: nothing is left behind, and the client's retry works."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from aisp.rag.v1 import rag_service_pb2 as pb
from redis.asyncio import Redis

from chassis import idempotency
from chassis.context import RequestContext
from chassis.errors import PlatformError
from chassis.jobs import CHANNEL
from chassis.scratch import scratch
from chassis.settings import DatabaseSettings, RedisSettings
from tests.integration.conftest import Serve
from tests.integration.rag_bench import Bench, rag_bench

TEXT = b"The harbour has a lantern. " * 20_000
ROW = "FOR EACH ROW"


@pytest.fixture
async def bench(
    migrated: Callable[[str], DatabaseSettings],
    valkey: RedisSettings,
    serve: Serve,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Bench]:
    files = tmp_path / "tmp"
    files.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(files))
    async with rag_bench(migrated("rag_service"), valkey, serve, tmp_path, erasure_wait_seconds=30) as made:
        yield replace(made, environment=dict(made.environment) | {"TMPDIR": str(files)})


@pytest.fixture
async def cache(valkey: RedisSettings) -> AsyncIterator[Redis]:
    async with Redis(host=valkey.host, port=valkey.port, password=valkey.password.get_secret_value()) as client:
        yield client


def keyed(bench: Bench, key: str) -> RequestContext:
    return bench.calling()._replace(idempotency_key=key, fingerprint="a" * 64)


async def parts(*, whole: bool = True) -> AsyncIterator[pb.UploadDocumentRequest]:
    yield pb.UploadDocumentRequest(description=pb.DocumentDescription(title="Harbour"))
    yield pb.UploadDocumentRequest(content=TEXT[: len(TEXT) // 2])
    if not whole:
        await asyncio.sleep(60)
    yield pb.UploadDocumentRequest(content=TEXT[len(TEXT) // 2 :])


def left(files: Path) -> list[Path]:
    return [path for path in files.rglob("*") if path.is_file()]


async def retried(bench: Bench, cache: Redis, key: str) -> pb.Document:
    """As a client does it: the same key until it is free, which is soon; here the time is not waited for."""
    with pytest.raises(PlatformError) as told:
        await bench.stub.UploadDocument(parts(), context=keyed(bench, key))
    assert told.value.reason == "IDEMPOTENCY_IN_FLIGHT"
    (name,) = [name async for name in cache.scan_iter(match=f"idem:{bench.tenant}:*")]
    assert 0 < await cache.ttl(name) <= idempotency.LOCK_SECONDS
    await cache.delete(name)
    answer = await bench.stub.UploadDocument(parts(), context=keyed(bench, key))
    again = await bench.stub.UploadDocument(parts(), context=keyed(bench, key))
    assert again.document.id == answer.document.id
    document: pb.Document = answer.document
    return document


@pytest.mark.parametrize("point", ["bytes", "INSERT ON originals", "UPDATE ON originals", "INSERT ON documents"])
async def test_killed_in_an_upload_it_leaves_nothing_and_a_retry_works(
    bench: Bench, cache: Redis, tmp_path: Path, point: str
) -> None:
    key = f"upload-{point}"
    async with bench.serving() as (stub, process):
        if point != "bytes":
            await bench.set_trap((point, ROW, 1))
        calling = asyncio.create_task(stub.UploadDocument(parts(whole=point != "bytes"), context=keyed(bench, key)))
        if point == "bytes":
            async with asyncio.timeout(60):
                while sum(path.stat().st_size for path in left(tmp_path / "tmp")) < len(TEXT) // 3:
                    await asyncio.sleep(0.01)
        else:
            await bench.trapped()
        process.kill()
        await process.wait()
        if point != "bytes":
            await bench.open_trap()
        await asyncio.gather(calling, return_exceptions=True)
    assert left(tmp_path / "tmp"), "what was received is there still"
    with scratch("rag_service"):
        assert left(tmp_path / "tmp") == [], "who starts removes it"
    document = await retried(bench, cache, key)
    # A quarter of an hour later.
    await bench.owner.execute("UPDATE jobs SET run_at = now() WHERE kind = 'release'")
    await bench.owner.execute("SELECT pg_notify($1, 'release')", CHANNEL)
    async with bench.working():
        ready = await bench.ended(document.id)
        assert ready.status == pb.DOCUMENT_STATUS_READY
        await bench.quiet()
        assert await bench.owner.fetchval("SELECT count(*) FROM documents WHERE tenant_id = $1", bench.tenant) == 1
        assert await bench.owner.fetchval("SELECT count(*) FROM originals WHERE tenant_id = $1", bench.tenant) == 1
        assert bench.peers.meter.stored[bench.tenant] == len(TEXT)
        objects = left(tmp_path / "objects" / bench.tenant)
        assert {path.parent.name for path in objects} == {document.id}
        assert sorted(path.name for path in objects) == ["original", "text"]


async def test_what_is_stored_for_a_key_goes_with_its_document(bench: Bench, cache: Redis) -> None:
    """Answers that quote it, of whatever call; others stay."""
    async with bench.working():
        document = await bench.stub.UploadDocument(parts(), context=keyed(bench, "up"))
        other = await bench.upload(b"Of valves.", title="Valves")
        await bench.ended(document.document.id)
        await bench.ended(other.id)
        for key, query in (("one", "lantern"), ("two", "valves")):
            request = pb.SearchPassagesRequest(query=query, mode=pb.SEARCH_MODE_LEXICAL)
            assert (await bench.stub.SearchPassages(request, context=keyed(bench, key))).passages
        held = [name async for name in cache.scan_iter(match=f"idem:{bench.tenant}:*") if b":about:" not in name]
        assert len(held) == 3
        request = pb.DeleteDocumentRequest(id=document.document.id)
        erasure = (await bench.stub.DeleteDocument(request, context=bench.calling())).erasure
        assert erasure.HasField("end_time")
        assert (erasure.counts["answers"], erasure.counts["found"]) == (2, 0)
        assert {name: erasure.counts[name] for name in erasure.counts if name.startswith("found_")} == dict.fromkeys(
            ("found_objects", "found_vectors", "found_chunks", "found_cached", "found_quotes", "found_answers"), 0
        )
        held = [name async for name in cache.scan_iter(match=f"idem:{bench.tenant}:*") if b":about:" not in name]
        assert len(held) == 1
    # Those that nothing is known of end by themselves.
    assert 0 < await cache.ttl(held[0]) <= idempotency.KEEP_SECONDS


def test_files_of_a_process_that_lives_stay() -> None:
    with scratch("test-service") as mine, scratch("test-service") as another:
        (mine / "file").write_text("x")
        with scratch("test-service") as third:
            assert len({mine, another, third}) == 3
            assert (mine / "file").exists()
    assert not mine.exists()
