"""An ingestion as a tenant meets it: cancelled at any stage, failed, tried again, deleted; and two workers at one."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aisp.rag.v1 import rag_service_pb2 as pb

from chassis.errors import FailedPrecondition, InvalidArgument, PlatformError, Unavailable
from chassis.jobs import CHANNEL, MAX_ATTEMPTS
from chassis.settings import DatabaseSettings, RedisSettings
from tests.integration.conftest import Serve
from tests.integration.rag_bench import Bench, rag_bench
from tests.integration.rag_points import AHEAD, POINTS, check, edition, looking, story
from tests.promptness import PATIENCE

BATCH = 32
TEXT = story(60)
OF_A_DOCUMENT = ("chunks", "vectors", "staged_chunks", "stale_vectors")


@pytest.fixture
async def bench(
    migrated: Callable[[str], DatabaseSettings], valkey: RedisSettings, serve: Serve, tmp_path: Path
) -> AsyncIterator[Bench]:
    """Leases of a minute: they run out when a test says so."""
    rules: dict[str, Any] = {"embedding_batch": BATCH, "job_lease_seconds": 60, "erasure_wait_seconds": 30}
    async with rag_bench(migrated("rag_service"), valkey, serve, tmp_path, **rules) as made:
        yield made


async def kept_of(bench: Bench, document_id: str) -> dict[str, int]:
    return {
        table: await bench.owner.fetchval(f"SELECT count(*) FROM {table} WHERE document_id = $1", document_id)  # noqa: S608
        for table in OF_A_DOCUMENT
    }


async def cancelled(bench: Bench, document_id: str) -> pb.Document:
    request = pb.CancelDocumentRequest(id=document_id)
    document: pb.Document = (await bench.stub.CancelDocument(request, context=bench.calling())).document
    return document


async def done_or_held(bench: Bench, call: asyncio.Task[pb.Document]) -> None:
    """Until a call is answered, or waits for a row that somebody holds."""
    query = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype <> 'advisory'"
    async with asyncio.timeout(PATIENCE):
        while not call.done() and not await bench.owner.fetchval(query):
            await asyncio.sleep(0.01)


async def tried_again(bench: Bench, document_id: str) -> pb.Document:
    await bench.stub.RetryDocument(pb.RetryDocumentRequest(id=document_id), context=bench.calling())
    document = await bench.ended(document_id)
    await bench.quiet()
    return document


@pytest.mark.parametrize(
    "point",
    [
        "",
        "before extracting",
        "text kept",
        "first chunks",
        "all chunks",
        "first vectors",
        "some mark",
        "before indexing",
    ],
)
async def test_cancelled_at_any_stage_it_leaves_nothing_and_can_be_tried_again(bench: Bench, point: str) -> None:
    document = await bench.upload(TEXT.encode(), title="Story")
    if point:
        what, when, number = POINTS[point]
        await bench.set_trap((what, when, min(number, 3)))
    else:
        assert (await cancelled(bench, document.id)).status == pb.DOCUMENT_STATUS_CANCELLED
    async with bench.working():
        if point:
            await bench.trapped()
            # Some of the points hold the document's row: then it is cancelled right behind them.
            cancelling = asyncio.create_task(cancelled(bench, document.id))
            await done_or_held(bench, cancelling)
            await bench.open_trap()
            try:
                assert (await cancelling).status == pb.DOCUMENT_STATUS_CANCELLED
            except FailedPrecondition:
                # On a busy machine the worker can have the row again before PostgreSQL wakes who waited for it.
                assert point == "before indexing"
                await bench.quiet()
                return
        await bench.quiet()
        assert (await bench.document(document.id)).status == pb.DOCUMENT_STATUS_CANCELLED
        assert not any((await kept_of(bench, document.id)).values())
        assert await bench.search("harbours", pb.SEARCH_MODE_LEXICAL) == []
        ready = await tried_again(bench, document.id)
    assert ready.status == pb.DOCUMENT_STATUS_READY
    count = ready.chunks
    assert await kept_of(bench, document.id) == {
        "chunks": count,
        "vectors": count,
        "staged_chunks": 0,
        "stale_vectors": 0,
    }


async def test_what_is_in_the_swap_cannot_be_cancelled_any_more(bench: Bench) -> None:
    await bench.set_trap(POINTS["in the swap"])
    document = await bench.upload(TEXT.encode(), title="Story")
    async with bench.working():
        await bench.trapped()
        cancelling = asyncio.create_task(cancelled(bench, document.id))
        await asyncio.sleep(0.05)
        await bench.open_trap()
        with pytest.raises(PlatformError) as told:
            await cancelling
        assert told.value.reason == "INGESTION_ENDED"
        await bench.quiet()
    await check(bench, BATCH, await bench.document(document.id), TEXT, 0 + (await bench.document(document.id)).chunks)


async def test_it_is_cancelled_at_once_while_it_is_written_ahead_and_leaves_nothing(bench: Bench) -> None:
    await bench.set_trap(AHEAD["a run ahead"])
    document = await bench.upload(story(1030).encode(), title="Story")
    async with bench.working():
        await bench.trapped()
        assert (await cancelled(bench, document.id)).status == pb.DOCUMENT_STATUS_CANCELLED
        await bench.open_trap()
        await bench.quiet()
        assert not any((await kept_of(bench, document.id)).values())
        for table in ("runs", "postings"):
            left = await bench.owner.fetchval(f"SELECT count(*) FROM {table} WHERE tenant_id = $1", bench.tenant)  # noqa: S608
            assert left == 0


async def test_a_failed_document_is_tried_again_and_ready(bench: Bench) -> None:
    bench.peers.embeddings.error = InvalidArgument("No such model.")
    async with bench.working():
        document = await bench.upload(TEXT.encode(), title="Story")
        failed = await bench.ended(document.id)
        assert (failed.status, failed.error) == (pb.DOCUMENT_STATUS_FAILED, "No such model.")
        await bench.quiet()
        assert not any((await kept_of(bench, document.id)).values())
        bench.peers.embeddings.error = None
        ready = await tried_again(bench, document.id)
        assert (ready.status, ready.error, ready.version) == (pb.DOCUMENT_STATUS_READY, "", 1)
        assert len(await bench.search("harbours", pb.SEARCH_MODE_LEXICAL)) == ready.chunks
    told = [kind for name, (kind, _) in bench.peers.meter.events.items() if document.id in name]
    assert sorted(told) == ["document.failed", "document.ready"]


async def test_under_a_small_limit_a_document_goes_on_minute_by_minute_and_says_so(bench: Bench) -> None:
    """A minute has fewer tokens than one call would take, as on the smallest plan; and there are more minutes than a
    job that fails has attempts.
    """
    minute, minutes = 900, 0
    bench.peers.meter.tokens = 0
    document = await bench.upload(TEXT.encode(), title="Story")
    async with bench.working():
        async with asyncio.timeout(120):
            while (now := await bench.document(document.id)).status < pb.DOCUMENT_STATUS_READY:
                if bench.peers.meter.tokens < 400 and now.error:
                    assert now.status == pb.DOCUMENT_STATUS_RUNNING
                    assert now.error.startswith("The limit tokens_per_minute is exhausted. It goes on by itself")
                    minutes += 1
                    bench.peers.meter.tokens = minute
                await asyncio.sleep(0.02)
    assert (now.status, now.error) == (pb.DOCUMENT_STATUS_READY, "")
    assert minutes > MAX_ATTEMPTS
    assert set(bench.peers.embeddings.texts.values()) == {1}
    assert len(bench.peers.embeddings.texts) == now.chunks


async def test_while_the_model_is_away_a_document_says_so_and_goes_on_by_itself(bench: Bench) -> None:
    bench.peers.embeddings.error = Unavailable("The model does not answer.", retry_after=0.2)
    document = await bench.upload(TEXT.encode(), title="Story")
    async with bench.working():
        async with asyncio.timeout(PATIENCE):
            while not (now := await bench.document(document.id)).error:
                await asyncio.sleep(0.02)
        assert (now.status, now.stage) == (pb.DOCUMENT_STATUS_RUNNING, "embedding")
        assert now.error == "The model does not answer. It is tried again by itself."
        bench.peers.embeddings.error = None
        ready = await bench.ended(document.id)
    assert (ready.status, ready.error) == (pb.DOCUMENT_STATUS_READY, "")


async def test_what_a_busy_model_does_not_make_in_time_is_asked_for_half_by_half(bench: Bench) -> None:
    bench.peers.embeddings.most = 5
    document = await bench.upload(TEXT.encode(), title="Story")
    async with bench.working():
        ready = await bench.ended(document.id)
    assert (ready.status, ready.error) == (pb.DOCUMENT_STATUS_READY, "")
    assert len(bench.peers.embeddings.texts) == ready.chunks


async def test_who_waits_for_a_limit_for_too_long_fails_and_says_why(bench: Bench) -> None:
    bench.peers.meter.tokens = 900
    document = await bench.upload(TEXT.encode(), title="Story")
    since = "SELECT waits_since FROM documents WHERE id = $1"
    lately = f"{since} AND waits_since > now() - interval '1 day'"
    async with bench.working():
        async with asyncio.timeout(PATIENCE):
            while await bench.owner.fetchval(since, document.id) is None:
                await asyncio.sleep(0.02)
        # What goes on a little does not wait for too long; what does not, does.
        earlier = "UPDATE documents SET waits_since = now() - interval '8 days' WHERE id = $1"
        await bench.owner.execute(earlier, document.id)
        bench.peers.meter.tokens = 900
        async with asyncio.timeout(PATIENCE):
            while await bench.owner.fetchval(lately, document.id) is None:
                await asyncio.sleep(0.02)
        assert (await bench.document(document.id)).status == pb.DOCUMENT_STATUS_RUNNING
        await bench.owner.execute(earlier, document.id)
        failed = await bench.ended(document.id)
        assert failed.status == pb.DOCUMENT_STATUS_FAILED
        assert failed.error.startswith("It has waited for too long. The limit tokens_per_minute is exhausted.")
        await bench.quiet()
        assert not any((await kept_of(bench, document.id)).values())
        bench.peers.meter.tokens = 1 << 40
        assert (await tried_again(bench, document.id)).status == pb.DOCUMENT_STATUS_READY


async def test_a_passage_that_no_minute_can_take_fails_its_document_and_says_why(bench: Bench) -> None:
    bench.peers.meter.minute = 3
    document = await bench.upload(TEXT.encode(), title="Story")
    async with bench.working():
        ended = await bench.ended(document.id)
    assert ended.status == pb.DOCUMENT_STATUS_FAILED
    assert "this work alone takes" in ended.error
    assert ended.error.endswith("Have the limit raised, then try the document again.")


async def test_documents_are_deleted_by_a_filter(bench: Bench) -> None:
    async with bench.working():
        made = [
            await bench.upload(f"Text {year} of harbours.".encode(), metadata_json=f'{{"year": {year}}}')
            for year in (2023, 2024, 2025, 2026)
        ]
        for document in made:
            await bench.ended(document.id)
        wanted = '{"op": "lt", "field": "year", "value": 2025}'
        request = pb.DeleteDocumentsRequest(collection="default", filter_json=wanted)
        erasure = (await bench.stub.DeleteDocuments(request, context=bench.calling())).erasure
        assert erasure.documents == 2
        # Hidden at once, and gone with all that was made of them.
        assert {row.document_id for row in await bench.search("harbours")} == {made[2].id, made[3].id}
        await bench.quiet()
        found = await bench.stub.GetErasure(pb.GetErasureRequest(id=erasure.id), context=bench.calling())
        counts = found.erasure.counts
        assert (counts["documents"], counts["chunks"], counts["vectors"], counts["found"]) == (2, 2, 2, 0)
        for document in made[:2]:
            assert not any((await kept_of(bench, document.id)).values())
            with pytest.raises(PlatformError):
                await bench.document(document.id)


async def taken_over(bench: Bench) -> None:
    """The lease runs out, and another worker takes the job."""
    async with asyncio.timeout(60):
        while await bench.owner.fetchval("SELECT max(attempts) FROM jobs WHERE kind = 'ingest'") == 1:
            await bench.owner.execute("UPDATE jobs SET run_at = now() WHERE kind = 'ingest' AND attempts = 1")
            await bench.owner.execute("SELECT pg_notify($1, 'ingest')", CHANNEL)  # clocks are not waited for
            await asyncio.sleep(0.05)


async def held_at_the_model(bench: Bench) -> asyncio.Event:
    """Both calls of a document wait for what is answered; those that come later do not."""
    embeddings = bench.peers.embeddings
    async with asyncio.timeout(60):
        while embeddings.waiting < 2:
            await asyncio.sleep(0.01)
    held, embeddings.open = embeddings.open, asyncio.Event()
    embeddings.open.set()
    return held


@pytest.mark.parametrize("held", ["some vectors", "some mark", "in the swap"])
async def test_of_two_workers_at_one_run_one_wins_and_nothing_is_doubled(bench: Bench, held: str) -> None:
    """The lease of the first runs out while a statement of its waits; then both go on."""
    async with bench.working():
        document = await bench.upload(edition(1).encode(), title="Story")
        await bench.ended(document.id)
        await bench.quiet()
    embedded = sum(bench.peers.embeddings.texts.values())
    # One job at once, so that it does not take its own job again.
    async with bench.working(jobs_at_once=1), looking(bench, document) as seen:
        what, when, number = POINTS[held]
        await bench.set_trap((what, when, min(number, 3)))
        await bench.upload(edition(2).encode(), document_id=document.id)
        await bench.trapped()
        async with bench.working():
            await taken_over(bench)
            await asyncio.sleep(0.1)
            await bench.open_trap()
            ready = await bench.ended(document.id)
            await bench.quiet()
            await asyncio.sleep(0.2)
    assert (ready.status, ready.version, ready.ready_version) == (pb.DOCUMENT_STATUS_READY, 2, 2)
    del bench.peers.embeddings.texts["lanterns"]  # what was searched for
    await check(bench, BATCH, ready, edition(2), embedded + ready.chunks)
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == (1, 2)


async def test_the_first_of_two_workers_is_fenced_while_the_second_is_still_at_it(bench: Bench) -> None:
    bench.peers.embeddings.open.clear()
    document = await bench.upload(edition(1).encode(), title="Story")
    async with bench.working(jobs_at_once=1):
        held = await held_at_the_model(bench)
        await bench.set_trap(("INSERT ON vectors", "FOR EACH STATEMENT", 3))
        async with bench.working():
            await taken_over(bench)
            await bench.trapped()
            before = dict(bench.peers.embeddings.texts)
            asked = len(bench.peers.embeddings.calls)
            held.set()
            async with asyncio.timeout(PATIENCE):
                while sum(bench.peers.embeddings.texts.values()) < sum(before.values()) + BATCH:
                    await asyncio.sleep(0.01)
            await asyncio.sleep(0.5)
            # It has its vectors, may not say so, and asks for no more.
            now = await bench.document(document.id)
            assert now.status == pb.DOCUMENT_STATUS_RUNNING
            marked = await bench.owner.fetchval("SELECT count(*) FROM staged_chunks WHERE embedded")
            assert 0 < marked <= BATCH
            assert await bench.search("lanterns", pb.SEARCH_MODE_LEXICAL) == []
            assert sum(bench.peers.embeddings.texts.values()) == sum(before.values()) + BATCH
            assert len(bench.peers.embeddings.calls) == asked
            await bench.open_trap()
            ready = await bench.ended(document.id)
            await bench.quiet()
    await check(bench, BATCH, ready, edition(1), ready.chunks)


async def staged(bench: Bench, tenant: str, count: int) -> None:
    """So many documents of the tenant are at the model, or wait for it; those that wait have had time to."""
    query = "SELECT count(*) FROM documents WHERE stage = 'embedding' AND tenant_id = $1"
    async with asyncio.timeout(PATIENCE):
        while await bench.owner.fetchval(query, tenant) < count:
            await asyncio.sleep(0.01)
    await asyncio.sleep(1)


QUEUED = int(os.environ.get("AISP_QUEUED", "24"))
"""Documents of the tenant that has many; the figures in the notes are of 1,000."""


async def test_a_tenant_with_many_documents_does_not_hold_up_anothers_single_one(
    bench: Bench, record_property: Callable[..., None]
) -> None:
    """Counted in embedding calls and documents, not in seconds."""
    bench.peers.embeddings.seconds = 0.002
    bench.peers.embeddings.open.clear()
    many, one = bench.tenant, str(uuid4())
    for number in range(QUEUED):
        await bench.upload(f"Text {number} of harbours.".encode(), title=f"Text {number}")
    async with bench.working():
        await staged(bench, many, 1)
        before = len(bench.peers.embeddings.calls)
        document = await bench.upload(b"A single text.", tenant=one)
        await staged(bench, one, 1)
        bench.peers.embeddings.open.set()
        ready = await bench.ended(document.id, tenant=one)
        assert ready.status == pb.DOCUMENT_STATUS_READY
        meanwhile = bench.peers.embeddings.calls[before:]
        left = await bench.owner.fetchval("SELECT count(*) FROM documents WHERE tenant_id = $1 AND chunks = 0", many)
        # Those that are on their way, and one turn.
        before_its_own = [who for who, _ in meanwhile].index(one)
        assert before_its_own <= bench.settings.rag.embedding_calls + 1
        assert QUEUED - left <= QUEUED // 2
        async with asyncio.timeout(300):
            while await bench.owner.fetchval("SELECT count(*) FROM jobs WHERE kind = 'ingest'"):
                await asyncio.sleep(0.05)
    sizes = [count for who, count in bench.peers.embeddings.calls if who == many]
    record_property("calls", f"{sum(sizes)} texts in {len(sizes)} calls; {before_its_own} before the single one's")
    assert sum(sizes) == QUEUED


async def test_documents_share_embedding_calls(bench: Bench) -> None:
    """While the model works for one, the texts of the others are gathered: a tenant alone has four places of eight."""
    bench.peers.embeddings.open.clear()
    documents = [await bench.upload(f"Text {number}.".encode(), title=f"T {number}") for number in range(5)]
    async with bench.working():
        await staged(bench, bench.tenant, 4)
        assert [count for _, count in bench.peers.embeddings.calls] == [1]
        bench.peers.embeddings.open.set()
        for document in documents:
            assert (await bench.ended(document.id)).status == pb.DOCUMENT_STATUS_READY
    assert [count for _, count in bench.peers.embeddings.calls] == [1, 3, 1]
