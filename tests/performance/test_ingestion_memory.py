"""The memory that an ingestion takes does not grow with its document; and the life of a large one, stage by stage.

`make test` takes a few megabytes. AISP_INGEST_MEGABYTES=500 is the long proof, AISP_INGEST_AGAIN=1 adds a second
version.
"""

import asyncio
import json
import os
import random
import re
import time
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

from aisp.rag.v1 import rag_service_pb2 as pb
from aisp.rag.v1.rag_service_pb2_grpc import RagServiceStub
from structlog.testing import capture_logs

from chassis.settings import DatabaseSettings, RedisSettings
from tests.integration.conftest import Serve, migrated, serve  # noqa: F401  # fixtures
from tests.integration.rag_bench import PART, Bench, rag_bench
from tests.performance.processes import processor_seconds, stat, weighing, with_children
from tests.performance.test_ingestion import WORDS
from tests.standins import files

MEGABYTES = int(os.environ.get("AISP_INGEST_MEGABYTES", "5"))
AGAIN = bool(os.environ.get("AISP_INGEST_AGAIN"))
"""The large text gets a second version in which every passage is another one."""
SETTINGS = json.loads(os.environ.get("AISP_INGEST_SETTINGS", "{}"))
"""Of rag_service, beside those that let so much in: {"exact_vectors": 1000000} leaves out the index of vectors."""
PLANTED = "The zephyrine pelican keeps its ledger beneath the third lantern."
MOST_MEGABYTES = 320
"""Of the service or its worker, whatever the size of a document; what extracts has a limit of its own."""


def novel(megabytes: int, edition: int = 0) -> Iterator[bytes]:
    """About so much text, in parts of an upload: no two paragraphs the same, and as many words as books have. In the
    midst of it one sentence that no other paragraph has.
    """
    rng = random.Random(megabytes)  # noqa: S311  # the same text each time
    words = [*WORDS, *(f"{rng.choice(WORDS)[:3]}{number:x}" for number in range(30_000))]
    shares = list(accumulate(1 / (rank + 10) for rank in range(len(words))))
    paragraphs = [" ".join(rng.choices(words, cum_weights=shares, k=160)) for _ in range(400)]
    part, made, number = bytearray(), 0, 0
    while made < megabytes << 20:
        number += 1
        part += f"Paragraph {number} of edition {edition}. {paragraphs[number % 400]}.\n\n".encode()
        if len(part) >= PART:
            if made < (megabytes << 20) // 2 <= made + len(part):
                part += f"{PLANTED}\n\n".encode()
            yield bytes(part)
            made += len(part)
            part.clear()


async def test_memory_does_not_grow_with_the_text(
    migrated: Callable[[str], DatabaseSettings],  # noqa: F811
    valkey: RedisSettings,
    serve: Serve,  # noqa: F811
    tmp_path: Path,
    record_property: Callable[..., None],
) -> None:
    """A text of a megabyte and a large one through the service and the worker, each a process, from the upload until
    searches see all of it, it is read back, replaced if a long run wants that, and erased. Only the embeddings are a
    stand-in's, over the real contract: the real model would take hours, and what it takes does not depend on a
    document's length.
    """
    most: dict[str, Any] = {"max_document_bytes": 1 << 30, "max_text_characters": 1 << 30, "max_chunks": 10_000_000}
    most |= {"extraction_text_bytes": 1 << 30, "erasure_wait_seconds": 0} | SETTINGS
    told: dict[int, Any] = {}
    async with rag_bench(migrated("rag_service"), valkey, serve, tmp_path, **most) as bench:
        bench.peers.embeddings.remembers = False
        for megabytes in (1, MEGABYTES):
            async with bench.serving() as (stub, service):
                await bench.start()
                assert bench.process is not None
                pids = {"service": service.pid, "worker": bench.process.pid}
                async with weighing(pids) as peaks:
                    told[megabytes] = await Life(bench, stub, service.pid).whole(megabytes)
                told[megabytes]["peaks"] = peaks
            await bench.kill()
    record_property("megabytes", str(told))
    print(json.dumps(told, indent=1))  # with -s
    small, large = (told[megabytes]["peaks"] for megabytes in (1, MEGABYTES))
    for name in ("service", "worker"):
        assert large[name] <= MOST_MEGABYTES, told
        assert large[name] - small[name] < 64, told


class Life:
    """The life of a text: the seconds of each stage, by the clock and of the processors."""

    def __init__(self, bench: Bench, stub: RagServiceStub, service: int) -> None:
        self._bench = bench
        self._stub = stub
        self._service = service
        self._began: tuple[float, dict[str, float]] = (0.0, {})
        self._stages: dict[str, dict[str, float]] = {}
        self._searches: list[float] = []

    async def whole(self, megabytes: int) -> dict[str, Any]:
        """Uploaded, ready, found, read, replaced if wanted, erased."""
        self._began = time.monotonic(), await self._used()
        document = await self._bench.upload(novel(megabytes), title="Large", stub=self._stub)
        ready = await self._watched(document.id, "")
        await self._read(ready)
        if AGAIN:
            await self._bench.upload(novel(megabytes, 1), document_id=document.id, stub=self._stub)
            assert (await self._watched(document.id, "again: ")).version == 2
        await self._bench.quiet(1200)
        await self._passed("tidied")
        await self._stub.DeleteDocument(pb.DeleteDocumentRequest(id=document.id), context=self._bench.calling())
        await self._bench.quiet(1200)
        await self._passed("erased")
        assert await self._bench.search(PLANTED, pb.SEARCH_MODE_HYBRID) == []
        last = "SELECT counts FROM erasures ORDER BY created_at DESC LIMIT 1"
        erased = json.loads(await self._bench.owner.fetchval(last))
        assert (erased["chunks"], erased["found"]) == (ready.chunks, 0)
        return {
            "bytes": ready.bytes,
            "chunks": ready.chunks,
            "stages": self._stages,
            "seconds of each swap": re.findall(r"swap_seconds\W+([0-9.]+)", self._bench.log.read_text()),
            "slowest search while indexing": max(self._searches, default=None),
        }

    async def _watched(self, document_id: str, name: str) -> pb.Document:
        """Until it is ready; nothing is found before, and what is planted in it is then."""
        bench, stage, found = self._bench, "uploading", 0
        while (now := await bench.document(document_id)).status < pb.DOCUMENT_STATUS_READY:
            await self._passed(name + stage)
            stage = now.stage
            if stage == "indexing":
                began = time.monotonic()
                found = len(await bench.search(PLANTED, pb.SEARCH_MODE_LEXICAL, top_k=5))
                self._searches.append(round(time.monotonic() - began, 3))
                swapped = (await bench.document(document_id)).status == pb.DOCUMENT_STATUS_READY
                assert swapped or bool(found) == bool(now.ready_version)
            await asyncio.sleep(0.2)
        await self._passed(name + stage)
        assert now.status == pb.DOCUMENT_STATUS_READY, now.error
        (best, *_) = await bench.search(PLANTED, pb.SEARCH_MODE_LEXICAL, top_k=5)
        assert PLANTED in best.text
        # The stand-in's vectors mean nothing: by these alone it would not be first.
        assert best.chunk_id in {row.chunk_id for row in await bench.search(PLANTED, pb.SEARCH_MODE_HYBRID, top_k=20)}
        await self._passed(name + "two searches")
        return now

    async def _read(self, ready: pb.Document) -> None:
        request = pb.ReadDocumentTextRequest(id=ready.id)
        read = 0
        async for part in self._stub.ReadDocumentText(request, context=self._bench.calling()):
            read += len(part.content)
        assert read == ready.bytes
        await self._passed("read back")

    async def _passed(self, stage: str) -> None:
        now, used = time.monotonic(), await self._used()
        since, before = self._began
        told = self._stages.setdefault(stage, {"seconds": 0.0} | dict.fromkeys(used, 0.0))
        told["seconds"] = round(told["seconds"] + now - since, 2)
        for name, value in used.items():
            told[name] = round(told[name] + value - before[name], 2)
        if told["seconds"] >= 60:
            print(stage, told)  # a long run that is stopped has told something
        self._began = now, used

    async def _used(self) -> dict[str, float]:
        """Processor seconds."""
        assert self._bench.process is not None
        server = int(stat(await self._bench.owner.fetchval("SELECT pg_backend_pid()"))[1])
        pids = {"service": self._service, "worker": self._bench.process.pid}
        told = {name: processor_seconds(pid) for name, pid in pids.items()}
        return told | {"database": await asyncio.to_thread(with_children, server)}


async def test_a_pdf_of_1600_pages_stays_under_the_limit(tmp_path: Path, record_property: Callable[..., None]) -> None:
    """The process that extracts it: 2,048 MB are allowed by default, and it needs a tenth of that at most."""
    from rag_service.adapters.extraction import ExtractionLimits, ProcessExtractor

    lines = [f"Line {number} tells of harbours, lanterns and what stands between them." for number in range(40)]
    content = await asyncio.to_thread(files.pdf, [[f"Chapter {page}", *lines] for page in range(1600)])
    original = tmp_path / "original"
    original.write_bytes(content)
    limits = ExtractionLimits(120, 2048, 64 << 20, 1)
    with capture_logs() as told:
        text = await ProcessExtractor(limits).extract(original, "a.pdf", "application/pdf", tmp_path)
    (megabytes,) = [line["megabytes"] for line in told if line["event"] == "text extracted"]
    record_property("megabytes", str(megabytes))
    assert 20 < megabytes < 205
    assert len(text.page_starts) == 1600
    assert text.characters > 4_000_000
