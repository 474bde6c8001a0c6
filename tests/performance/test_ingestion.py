"""Ingestion beside the bare model on the same texts in one run, in processor time; and the memory that it takes.

The share that is measured: what the bare ONNX model needs in one process (tokens, batches by length, vectors) of what
all processes together need that ingest the same passages: worker, embedding service and PostgreSQL. Where the processor
is the limit, that is the ratio of the throughputs; unlike a wall clock it can be measured on a busy machine.
"""

import asyncio
import io
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
from aisp.embedding.v1 import embedding_service_pb2 as embedding_pb
from aisp.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceStub
from aisp.rag.v1 import rag_service_pb2 as pb
from aisp.rag.v1.rag_service_pb2_grpc import RagServiceStub
from structlog.testing import capture_logs

from chassis.client import Channel, read_service_config
from chassis.context import Keyring, RequestContext
from chassis.settings import DatabaseSettings, RedisSettings, RelaySettings
from deploy.local.process import free_port
from rag_service.policy.chunking import Source, chunks, embedded_text, segments
from tests.integration.conftest import ROOT, Serve, migrated, serve  # noqa: F401  # fixtures
from tests.integration.rag_bench import PART, Bench, rag_bench
from tests.standins import files

MODELS = Path(os.environ.get("AI_PLATFORM_MODELS_DIR", ".data/models")).resolve()
PASSAGES = int(os.environ.get("AISP_INGEST_PASSAGES", "48"))
"""`make test` takes a few; the figures in the notes are of more."""
MEGABYTES = int(os.environ.get("AISP_INGEST_MEGABYTES", "5"))
LEAST_SHARE = 0.9 if PASSAGES >= 400 else 0.4
"""With few passages, what a document costs once weighs more, and so does that a worker looks for work meanwhile."""
TICKS = os.sysconf("SC_CLK_TCK")
WORDS = ("harbour", "lantern", "meadow", "granite", "willow", "copper", "falcon", "orchard", "tunnel", "violet")

BARE = """
import json, resource, sys
from pathlib import Path
from embedding_service import policy
from embedding_service.adapters.local_onnx import LocalOnnx
texts = json.load(sys.stdin)
model = LocalOnnx(Path(sys.argv[1]), threads=2, batch_tokens=2048, max_input_tokens=512, max_call_tokens=10**9)
model._load()
used = lambda: sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
before = used()
ids = model._tokenize(texts)
for group in policy.batches([len(row) for row in ids], 2048):
    model._infer([ids[index] for index in group])
print(json.dumps({"seconds": used() - before, "tokens": sum(map(len, ids))}))
"""


def story(passages: int, seed: int = 1) -> str:
    """A text of about so many passages."""
    rng = random.Random(seed)  # noqa: S311  # the same text each time

    def paragraph() -> str:
        return " ".join(" ".join(rng.choices(WORDS, k=11)).capitalize() + "." for _ in range(20))

    return "\n\n".join(paragraph() for _ in range(passages))


def novel(megabytes: int) -> Iterator[bytes]:
    """About so much text, in parts of an upload: no two paragraphs the same, and as many words as books have."""
    rng = random.Random(megabytes)  # noqa: S311  # the same text each time
    words = [*WORDS, *(f"{rng.choice(WORDS)[:3]}{number:x}" for number in range(30_000))]
    shares = list(accumulate(1 / (rank + 10) for rank in range(len(words))))
    paragraphs = [" ".join(rng.choices(words, cum_weights=shares, k=160)) for _ in range(400)]
    part, made, number = bytearray(), 0, 0
    while made < megabytes << 20:
        number += 1
        part += f"Paragraph {number}. {paragraphs[number % 400]}.\n\n".encode()
        if len(part) >= PART:
            yield bytes(part)
            made += len(part)
            part.clear()


def processor_seconds(pid: int) -> float:
    """Of a process and of its children that have ended."""
    return sum(int(field) for field in stat(pid)[11:15]) / TICKS


def stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except FileNotFoundError:
        return ["0"] * 20


def with_children(pid: int) -> float:
    """Of a process and all of its children."""
    others = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return processor_seconds(pid) + sum(processor_seconds(other) for other in others if stat(other)[1] == str(pid))


def peak_megabytes(pid: int) -> int:
    text = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in text.splitlines() if line.startswith("VmHWM")).split()[1]) // 1024


def bare_model(texts: Sequence[str]) -> dict[str, float]:
    """Processor seconds and tokens of the model alone, in a process of its own."""
    command = [sys.executable, "-c", BARE, str(MODELS / "embedding")]
    ran = subprocess.run(command, input=json.dumps(texts), capture_output=True, text=True, check=True)
    told: dict[str, float] = json.loads(ran.stdout)
    return told


@asynccontextmanager
async def embedding_process(valkey: RedisSettings, log: Path) -> AsyncIterator[tuple[str, int]]:
    """The real embedding service, without its cache; its address and pid."""
    address = f"127.0.0.1:{free_port()}"
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.environ.get("PYTHONPATH", ":".join(sys.path)),
        "AI_PLATFORM_WIRE__SECRET": ROOT.decode(),
        "AI_PLATFORM_MODELS_DIR": str(MODELS),
        "AI_PLATFORM_REDIS__HOST": valkey.host,
        "AI_PLATFORM_REDIS__PORT": str(valkey.port),
        "AI_PLATFORM_REDIS__PASSWORD": valkey.password.get_secret_value(),
        "AI_PLATFORM_EMBEDDING__ADDRESS": address,
        "AI_PLATFORM_EMBEDDING__OPS_PORT": "0",
        "AI_PLATFORM_EMBEDDING__CACHE_SECONDS": "0",
    }
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "embedding_service", "serve", env=environment, stdout=file, stderr=file
        )
    try:
        keyring = Keyring("rag_service", root=ROOT)
        async with (
            asyncio.timeout(90),
            Channel(
                address,
                keyring=keyring,
                callee="embedding_service",
                service_config=read_service_config(),
                relay=RelaySettings(enabled=False),
            ) as channel,
        ):
            stub = EmbeddingServiceStub(channel)
            while not await _loaded(stub):
                assert process.returncode is None
                await asyncio.sleep(0.3)
        yield address, process.pid
    finally:
        process.terminate()
        await process.wait()


async def _loaded(stub: EmbeddingServiceStub) -> bool:
    try:
        found = await stub.ListModels(embedding_pb.ListModelsRequest(), context=RequestContext("r", tenant_id="t"))
    except Exception:  # noqa: BLE001  # it is starting
        return False
    return bool(found.models[0].health == "ok")


async def waited_for(bench: Bench, document_id: str) -> pb.Document:
    """Without asking all the time, which would cost, too."""
    while True:
        request = pb.GetDocumentRequest(id=document_id, wait_seconds=30)
        document: pb.Document = (await bench.stub.GetDocument(request, context=bench.calling())).document
        if document.status >= pb.DOCUMENT_STATUS_READY:
            return document


@pytest.mark.skipif(not (MODELS / "embedding").exists(), reason="no model files: run `make models`")
async def test_ingestion_costs_little_beside_the_model(
    migrated: Callable[[str], DatabaseSettings],  # noqa: F811
    valkey: RedisSettings,
    serve: Serve,  # noqa: F811
    tmp_path: Path,
    record_property: Callable[..., None],
) -> None:
    text = story(PASSAGES)
    async with (
        embedding_process(valkey, tmp_path / "embedding.log") as (address, embedding_pid),
        rag_bench(migrated("rag_service"), valkey, serve, tmp_path, address, watch_seconds=0.25) as bench,
    ):
        await bench.start()
        warm = await bench.upload(story(2, 9).encode(), title="Warm")
        await bench.ended(warm.id, 120)
        assert bench.process is not None
        server = int(stat(await bench.owner.fetchval("SELECT pg_backend_pid()"))[1])
        worker = bench.process.pid

        def used() -> dict[str, float]:
            return {
                "embedding service": processor_seconds(embedding_pid),
                "worker": processor_seconds(worker),
                "database": with_children(server),
            }

        before, began = used(), time.monotonic()
        document = await bench.upload(text.encode(), title="Story")
        ready = await waited_for(bench, document.id)
        seconds = time.monotonic() - began
        assert ready.status == pb.DOCUMENT_STATUS_READY, ready.error
        each = {name: round(value - before[name], 2) for name, value in used().items()}
        spent = sum(each.values())
        found = chunks(Source(document.id, "Story", {}), segments(io.StringIO(text).read))
        texts = [embedded_text("Story", chunk.heading, chunk.text) for chunk in found]
        bare = await asyncio.to_thread(bare_model, texts)
    share = bare["seconds"] / spent
    told: dict[str, Any] = {
        "passages": len(texts),
        "tokens": bare["tokens"],
        "bare CPU s": round(bare["seconds"], 2),
        "ingestion CPU s": each,
        "share": round(share, 3),
        "wall s": round(seconds, 1),
    }
    print(told)  # with -s
    record_property("ingestion", str(told))
    assert ready.chunks == len(texts)
    assert share >= LEAST_SHARE, told


MOST_WHOLE = int(os.environ.get("AISP_INGEST_WHOLE", "100"))
"""A larger text is cancelled when some of it is embedded."""
MOST_MEGABYTES = 320
"""Of the service or its worker, whatever the size of a document; what extracts has a limit of its own."""


def shares(pids: Mapping[str, int]) -> dict[str, int]:
    """Proportional set sizes in MB; those of the worker's children together, as what extracts."""
    worker = pids["worker"]
    children = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    held = {name: pss(pid) for name, pid in pids.items()}
    return held | {"extraction": sum(pss(pid) for pid in children if stat(pid)[1] == str(worker))}


def pss(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(next(line for line in text.splitlines() if line.startswith("Pss:")).split()[1]) // 1024


@asynccontextmanager
async def weighing(pids: Mapping[str, int]) -> AsyncIterator[dict[str, int]]:
    """Their peaks."""
    peaks: dict[str, int] = {}

    async def weigh() -> None:
        while True:
            for name, now in (await asyncio.to_thread(shares, pids)).items():
                peaks[name] = max(now, peaks.get(name, 0))
            await asyncio.sleep(0.1)

    weighed = asyncio.create_task(weigh())
    try:
        yield peaks
    finally:
        weighed.cancel()
        await asyncio.gather(weighed, return_exceptions=True)


async def test_memory_does_not_grow_with_the_text(
    migrated: Callable[[str], DatabaseSettings],  # noqa: F811
    valkey: RedisSettings,
    serve: Serve,  # noqa: F811
    tmp_path: Path,
    record_property: Callable[..., None],
) -> None:
    """A text of a megabyte and a large one through the service and the worker, each a process, from the upload until
    searches see all of it, it is read back, and erased. Only the embeddings are a stand-in's, over the real contract:
    the real model would take hours, and what it takes does not depend on a document's length.
    """
    most: dict[str, Any] = {"max_document_bytes": 1 << 30, "max_text_characters": 1 << 30, "max_chunks": 10_000_000}
    most |= {"extraction_text_bytes": 1 << 30, "erasure_wait_seconds": 0}
    told: dict[int, Any] = {}
    async with rag_bench(migrated("rag_service"), valkey, serve, tmp_path, **most) as bench:
        for megabytes in (1, MEGABYTES):
            async with bench.serving() as (stub, service):
                await bench.start()
                assert bench.process is not None
                pids = {"service": service.pid, "worker": bench.process.pid}
                async with weighing(pids) as peaks:
                    told[megabytes] = await through(bench, stub, megabytes)
                told[megabytes]["peaks"] = peaks
            await bench.kill()
    record_property("megabytes", str(told))
    print(json.dumps(told, indent=1))  # with -s
    small, large = (told[megabytes]["peaks"] for megabytes in (1, MEGABYTES))
    for name in ("service", "worker"):
        assert large[name] <= MOST_MEGABYTES, told
        assert large[name] - small[name] < 64, told


async def through(bench: Bench, stub: RagServiceStub, megabytes: int) -> dict[str, Any]:
    """The life of a text; the seconds of each stage, and of the slowest search during the swap. Of a very large one no
    more than some thousand vectors are made, then it is cancelled: the rest goes on like that.
    """
    seconds, searches = dict[str, float](), list[float]()
    last, stage = time.monotonic(), "uploading"

    def passed(stage: str) -> None:
        nonlocal last
        seconds[stage] = round(seconds.get(stage, 0) + time.monotonic() - last, 2)
        last = time.monotonic()

    document = await bench.upload(novel(megabytes), title="Large", stub=stub)
    while (now := await bench.document(document.id)).status < pb.DOCUMENT_STATUS_READY:
        passed(stage)
        stage = now.stage
        if megabytes > MOST_WHOLE and sum(bench.peers.embeddings.texts.values()) > 5000:
            await stub.CancelDocument(pb.CancelDocumentRequest(id=document.id), context=bench.calling())
        if stage == "indexing":
            await bench.search("lantern meadow", pb.SEARCH_MODE_LEXICAL, top_k=5)
            searches.append(round(time.monotonic() - last, 3))
        await asyncio.sleep(0.2)
    passed(stage)
    if megabytes > MOST_WHOLE:
        assert now.status == pb.DOCUMENT_STATUS_CANCELLED, now.error
    else:
        assert now.status == pb.DOCUMENT_STATUS_READY, now.error
        assert await bench.search("lantern meadow", pb.SEARCH_MODE_HYBRID, top_k=5)
        passed("first search")
        request = pb.ReadDocumentTextRequest(id=document.id)
        read = 0
        async for part in stub.ReadDocumentText(request, context=bench.calling()):
            read += len(part.content)
        assert read == now.bytes
        passed("read back")
    erased = pb.DeleteDocumentRequest(id=document.id)
    await stub.DeleteDocument(erased, context=bench.calling())
    await bench.quiet(1200)
    passed("erased")
    bench.peers.embeddings.texts.clear()
    return {
        "bytes": now.bytes,
        "chunks": now.chunks,
        "seconds": seconds,
        "slowest search in the swap": max(searches, default=None),
    }


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
