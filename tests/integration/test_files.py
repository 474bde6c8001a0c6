"""Files and collections on the real PostgreSQL: bytes counted once, and what a deletion, a kill or the time leaves."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aisp.rag.v1 import files_pb2
from aisp.rag.v1 import rag_service_pb2 as pb

from chassis.errors import FailedPrecondition, NotFound, PlatformError, ResourceExhausted
from chassis.settings import DatabaseSettings, RedisSettings
from tests.integration.conftest import Serve
from tests.integration.rag_bench import Bench, rag_bench
from tests.integration.rag_points import story
from tests.promptness import PATIENCE

CONTENT = story(20).encode()
OF_A_TENANT = ("files", "file_batches", "batch_documents", "documents", "originals", "chunks", "postings", "runs")


@pytest.fixture
async def bench(
    migrated: Callable[[str], DatabaseSettings], valkey: RedisSettings, serve: Serve, tmp_path: Path
) -> AsyncIterator[Bench]:
    rules: dict[str, Any] = {"erasure_wait_seconds": 30, "jobs_poll_seconds": 0.2}
    async with rag_bench(migrated("rag_service"), valkey, serve, tmp_path, **rules) as made:
        yield made


async def kept(bench: Bench, content: bytes = CONTENT, name: str = "story.txt", expire_seconds: int = 0) -> str:
    async def parts() -> AsyncIterator[files_pb2.UploadFileRequest]:
        told = files_pb2.FileDescription(file_name=name, purpose="user_data", expire_seconds=expire_seconds)
        yield files_pb2.UploadFileRequest(description=told)
        yield files_pb2.UploadFileRequest(content=content)

    return str((await bench.stub.UploadFile(parts(), context=bench.calling())).file.id)


async def store(bench: Bench, **told: Any) -> str:
    made = await bench.stub.CreateCollection(pb.CreateCollectionRequest(**told), context=bench.calling())
    return str(made.collection.id)


async def attached(bench: Bench, collection_id: str, file_id: str, **told: Any) -> pb.Document:
    file = files_pb2.Attachment(file_id=file_id, **told)
    request = pb.AttachFileRequest(collection_id=collection_id, file=file)
    document: pb.Document = (await bench.stub.AttachFile(request, context=bench.calling())).document
    return document


async def collection_of(bench: Bench, collection_id: str) -> pb.Collection:
    request = pb.GetCollectionRequest(id=collection_id)
    found: pb.Collection = (await bench.stub.GetCollection(request, context=bench.calling())).collection
    return found


async def left(bench: Bench) -> dict[str, int]:
    counts = {
        table: await bench.owner.fetchval(f"SELECT count(*) FROM {table} WHERE tenant_id = $1", bench.tenant)  # noqa: S608
        for table in OF_A_TENANT
    }
    return {table: count for table, count in counts.items() if count}


def objects(bench: Bench) -> list[str]:
    folder = bench.settings.data_dir / "objects" / bench.tenant
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


async def due(bench: Bench) -> None:
    """Whatever waits for a time is due."""
    await bench.owner.execute("UPDATE jobs SET run_at = now() WHERE kind = 'expire' AND tenant_id = $1", bench.tenant)


async def test_bytes_are_kept_and_counted_once_and_given_back(bench: Bench) -> None:
    size, meter = len(CONTENT), bench.peers.meter
    async with bench.working():
        file_id = await kept(bench)
        stores = [await store(bench, title=f"S {n}") for n in range(2)]
        documents = [await attached(bench, one, file_id) for one in stores]
        for document in documents:
            assert (await bench.ended(document.id)).status == pb.DOCUMENT_STATUS_READY
        assert meter.stored[bench.tenant] == size
        assert objects(bench) == ["original", "text", "text"]
        gone = await bench.stub.DeleteCollection(pb.DeleteCollectionRequest(id=stores[0]), context=bench.calling())
        assert gone.erasure.documents == 1
        await bench.quiet()
        assert meter.stored[bench.tenant] == size
        assert objects(bench) == ["original", "text"]
        await bench.stub.DeleteFile(files_pb2.DeleteFileRequest(id=file_id), context=bench.calling())
        with pytest.raises(NotFound):
            await attached(bench, stores[1], file_id)
        await bench.stub.DeleteCollection(pb.DeleteCollectionRequest(id=stores[1]), context=bench.calling())
        await bench.quiet()
    assert meter.stored[bench.tenant] == 0
    assert objects(bench) == []
    assert await left(bench) == {}
    assert meter.live == {}


async def test_a_file_that_does_not_fit_leaves_nothing(bench: Bench) -> None:
    bench.peers.meter.storage = len(CONTENT) - 1
    with pytest.raises(ResourceExhausted):
        await kept(bench)
    assert (objects(bench), await left(bench)) == ([], {})


async def test_many_at_once_put_a_file_in_once(bench: Bench) -> None:
    file_id, collection_id = await kept(bench), await store(bench)
    made = await asyncio.gather(*(attached(bench, collection_id, file_id) for _ in range(6)))
    assert len({document.id for document in made}) == 1
    async with bench.working():
        ready = await bench.ended(made[0].id)
        # Other attributes are another run of the same version, which embeds nothing anew.
        embedded = bench.peers.embeddings.texts.total()
        changed = await attached(bench, collection_id, file_id, metadata_json='{"year": 2026}')
        assert changed.status == pb.DOCUMENT_STATUS_QUEUED
        again = await bench.ended(changed.id)
        assert (again.id, again.version, again.chunks) == (ready.id, 1, ready.chunks)
        assert bench.peers.embeddings.texts.total() == embedded
        year = '{"op": "eq", "field": "year", "value": 2026}'
        name = (await collection_of(bench, collection_id)).name
        assert len(await bench.search("harbours", collection=name, filter_json=year)) == ready.chunks


async def test_a_batch_is_put_in_whole_or_not_at_all_and_cancelled(bench: Bench) -> None:
    collection_id = await store(bench)
    files = [files_pb2.Attachment(file_id=await kept(bench, CONTENT + b"%d" % n)) for n in range(3)]
    wanted = files_pb2.CreateFileBatchRequest(
        collection_id=collection_id, files=[*files, files_pb2.Attachment(file_id="nobody's")]
    )
    with pytest.raises(NotFound):
        await bench.stub.CreateFileBatch(wanted, context=bench.calling())
    assert (await collection_of(bench, collection_id)).documents == 0
    del wanted.files[3:]
    batch = (await bench.stub.CreateFileBatch(wanted, context=bench.calling())).batch
    assert batch.counts.going_on == 3
    request = files_pb2.CancelFileBatchRequest(collection_id=collection_id, id=batch.id)
    cancelled = (await bench.stub.CancelFileBatch(request, context=bench.calling())).batch
    assert (cancelled.cancelled, cancelled.counts.cancelled) == (True, 3)
    assert (await collection_of(bench, collection_id)).counts.cancelled == 3


async def test_a_deletion_goes_on_behind_a_worker_that_stopped(bench: Bench) -> None:
    collection_id = await store(bench, name="old")
    async with bench.working():
        for number in range(3):
            await bench.ended((await bench.upload(CONTENT + b"%d" % number, title=f"T{number}", collection="old")).id)
        await bench.quiet()
    await bench.set_trap(("DELETE ON documents", "FOR EACH ROW", 2))
    request = pb.DeleteCollectionRequest(name="old")
    erasure = (await bench.stub.DeleteCollection(request, context=bench.calling())).erasure
    with pytest.raises(NotFound):
        await collection_of(bench, collection_id)
    await store(bench, name="old")  # its name is free at once
    async with bench.working():
        await bench.trapped()
    await bench.open_trap()
    async with bench.working():
        await bench.owner.execute("UPDATE jobs SET run_at = now() WHERE attempts > 0 AND run_at > now()")
        await bench.quiet()
    report = await bench.stub.GetErasure(pb.GetErasureRequest(id=erasure.id), context=bench.calling())
    counts = report.erasure.counts
    assert report.erasure.HasField("end_time")
    assert (counts["documents"], counts["found"]) == (3, 0)
    assert await left(bench) == {}
    assert bench.peers.meter.stored[bench.tenant] == 0
    rows = await bench.owner.fetch("SELECT name FROM collections WHERE tenant_id = $1", bench.tenant)
    assert [row["name"] for row in rows] == ["old"]


async def test_a_large_collection_gives_back_its_index(
    migrated: Callable[[str], DatabaseSettings], valkey: RedisSettings, serve: Serve, tmp_path: Path
) -> None:
    rules: dict[str, Any] = {"exact_vectors": 2}
    lane_of = "SELECT lane FROM vector_lanes WHERE tenant_id = $1 AND lane > 0"
    async with rag_bench(migrated("rag_service"), valkey, serve, tmp_path, **rules) as bench:
        if not await bench.owner.fetchval("SELECT count(*) FROM pg_extension WHERE extname = 'vector'"):
            pytest.skip("pgvector's: there are no indexes without it")
        async with bench.working(), asyncio.timeout(PATIENCE):
            await store(bench, name="large")
            await bench.ended((await bench.upload(CONTENT, title="Story", collection="large")).id)
            while (lane := await bench.owner.fetchval(lane_of, bench.tenant)) is None:
                await bench.search("harbours", collection="large")
            name = "large"
            # Whoever is in the way of one removal is not in that of all.
            while await bench.owner.fetchval("SELECT to_regclass($1)", f"vectors_{lane}"):
                request = pb.DeleteCollectionRequest(name=name)
                await bench.stub.DeleteCollection(request, context=bench.calling())
                await bench.quiet()
                name = f"n{uuid4().hex}"
                await store(bench, name=name)
        assert await bench.owner.fetchval(lane_of, bench.tenant) is None


@pytest.mark.parametrize("whole", ["collection", "file"])
async def test_what_is_put_in_while_it_is_deleted_goes_too(bench: Bench, whole: str) -> None:
    file_id, collection_id = await kept(bench), await store(bench)
    await bench.set_trap(("INSERT ON documents", "FOR EACH ROW", 1))
    putting = asyncio.create_task(attached(bench, collection_id, file_id))
    await bench.trapped()
    if whole == "collection":
        request: Any = pb.DeleteCollectionRequest(id=collection_id)
        deleting = asyncio.create_task(bench.stub.DeleteCollection(request, context=bench.calling()))
    else:
        request = files_pb2.DeleteFileRequest(id=file_id)
        deleting = asyncio.create_task(bench.stub.DeleteFile(request, context=bench.calling()))
    async with asyncio.timeout(PATIENCE):
        # It waits for who is putting something in.
        while not await bench.owner.fetchval(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype <> 'advisory'"
        ):
            await asyncio.sleep(0.01)
    assert not deleting.done()
    await bench.open_trap()
    document = await putting
    async with bench.working():
        await deleting
        await bench.quiet()
    with pytest.raises(NotFound):
        await bench.document(document.id)
    with pytest.raises(NotFound):
        await attached(bench, collection_id, file_id)
    assert "documents" not in await left(bench)


async def test_what_expires_goes_by_itself(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that was uploaded two days ago for an hour; and a vector store that nobody used for as long as it says."""
    monkeypatch.setattr("rag_service.service.files.timedelta", lambda seconds: timedelta(seconds=seconds - 172_800))
    file_id = await kept(bench, expire_seconds=3600)
    stays, collection_id = await kept(bench, b"It stays."), await store(bench, expire_days=1)
    with pytest.raises(NotFound):
        await bench.stub.GetFile(files_pb2.GetFileRequest(id=file_id), context=bench.calling())
    async with bench.working():
        document = await attached(bench, collection_id, stays)
        await bench.ended(document.id)
        assert (await collection_of(bench, collection_id)).expire_time.ToDatetime(UTC) > datetime.now(UTC)
        # Used a moment ago: the look that was asked for finds that it is not due.
        await due(bench)
        await bench.quiet()
        assert (await collection_of(bench, collection_id)).counts.ready == 1
        assert objects(bench) == ["original", "text"]
        past = datetime.now(UTC) - timedelta(days=2)
        await bench.owner.execute("UPDATE collections SET active_at = $1 WHERE id = $2", past, collection_id)
        assert (await collection_of(bench, collection_id)).expired
        for call in (
            attached(bench, collection_id, stays),
            bench.stub.SearchFiles(
                pb.SearchFilesRequest(collection_ids=[collection_id], queries=["stays"]), context=bench.calling()
            ),
        ):
            with pytest.raises(FailedPrecondition) as told:
                await call
            assert told.value.reason == "COLLECTION_EXPIRED"
        await due(bench)
        await bench.quiet()
        assert (await collection_of(bench, collection_id)).documents == 0
        # A new time begins now.
        change = pb.UpdateCollectionRequest(id=collection_id, expire_days=1)
        changed = (await bench.stub.UpdateCollection(change, context=bench.calling())).collection
        assert not changed.expired
        await attached(bench, collection_id, stays)
    assert bench.peers.meter.stored[bench.tenant] == len(b"It stays.")


async def test_a_new_version_leaves_the_file_as_it_was(bench: Bench) -> None:
    file_id, collection_id = await kept(bench), await store(bench)
    async with bench.working():
        document = await attached(bench, collection_id, file_id)
        await bench.ended(document.id)
        new = await bench.upload(CONTENT + b"More.", document_id=document.id)
        assert (await bench.ended(new.id)).ready_version == 2
        await bench.quiet()
        assert bench.peers.meter.stored[bench.tenant] == 2 * len(CONTENT) + 5
        parts = bench.stub.ReadFile(files_pb2.ReadFileRequest(id=file_id), context=bench.calling())
        assert b"".join([part.content async for part in parts]) == CONTENT
        # What was extracted of the first version is not needed any more.
        assert objects(bench) == ["original", "original", "text"]


async def test_default_stays_and_nobody_sees_anothers(bench: Bench) -> None:
    with pytest.raises(PlatformError) as told:
        await bench.stub.DeleteCollection(pb.DeleteCollectionRequest(name="default"), context=bench.calling())
    assert told.value.reason == "DEFAULT_COLLECTION_STAYS"
    file_id, collection_id = await kept(bench), await store(bench)
    stranger = bench.calling("00000000-0000-7000-8000-000000000001")
    for call in (
        bench.stub.GetFile(files_pb2.GetFileRequest(id=file_id), context=stranger),
        bench.stub.DeleteFile(files_pb2.DeleteFileRequest(id=file_id), context=stranger),
        bench.stub.GetCollection(pb.GetCollectionRequest(id=collection_id), context=stranger),
        bench.stub.DeleteCollection(pb.DeleteCollectionRequest(id=collection_id), context=stranger),
    ):
        with pytest.raises(NotFound):
            await call
