"""Ingestion beside the bare model on the same texts in one run, in processor time.

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
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aisp.embedding.v1 import embedding_service_pb2 as embedding_pb
from aisp.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceStub
from aisp.rag.v1 import rag_service_pb2 as pb

from chassis.client import Channel, read_service_config
from chassis.context import Keyring, RequestContext
from chassis.settings import DatabaseSettings, RedisSettings, RelaySettings
from deploy.local.process import free_port
from rag_service.policy.chunking import Source, chunks, embedded_text, segments
from tests.integration.conftest import ROOT, Serve, migrated, serve  # noqa: F401  # fixtures
from tests.integration.rag_bench import Bench, rag_bench
from tests.performance.processes import processor_seconds, stat, with_children

MODELS = Path(os.environ.get("AI_PLATFORM_MODELS_DIR", ".data/models")).resolve()
PASSAGES = int(os.environ.get("AISP_INGEST_PASSAGES", "48"))
"""`make test` takes a few; the figures in the notes are of more."""
LEAST_SHARE = 0.9 if PASSAGES >= 400 else 0.4
"""With few passages, what a document costs once weighs more, and so does that a worker looks for work meanwhile."""
WORDS = ("harbour", "lantern", "meadow", "granite", "willow", "copper", "falcon", "orchard", "tunnel", "violet")

BARE = """
import json, resource, sys
from pathlib import Path
from embedding_service import policy
from embedding_service.adapters.local_onnx import LocalOnnx
texts = json.load(sys.stdin)
bounds = {"max_input_tokens": 512, "max_call_tokens": 10**9, "queue_seconds": 60}
model = LocalOnnx(Path(sys.argv[1]), threads=2, batch_tokens=2048, **bounds)
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


def passages_of(text: str, title: str) -> list[str]:
    """What is embedded of a document."""
    found = chunks(Source("d", title, {}), segments(io.StringIO(text).read))
    return [embedded_text(title, chunk.heading, chunk.text) for chunk in found]


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
    texts = passages_of(text, "Story")
    async with (
        embedding_process(valkey, tmp_path / "embedding.log") as (address, embedding_pid),
        rag_bench(migrated("rag_service"), valkey, serve, tmp_path, address, watch_seconds=0.25) as bench,
    ):
        await bench.start()
        warm = await bench.upload(story(2, 9).encode(), title="Warm")
        await bench.ended(warm.id, 120)
        assert bench.process is not None
        worker, server = bench.process.pid, int(stat(await bench.owner.fetchval("SELECT pg_backend_pid()"))[1])

        def used() -> dict[str, float]:
            return {
                "embedding service": processor_seconds(embedding_pid),
                "worker": processor_seconds(worker),
                "database": with_children(server),
            }

        # Half of the bare model's work before and half behind: what else the machine does meanwhile falls on both.
        halves = [await asyncio.to_thread(bare_model, texts[::2])]
        before, began = used(), time.monotonic()
        document = await bench.upload(text.encode(), title="Story")
        ready = await waited_for(bench, document.id)
        seconds = time.monotonic() - began
        assert ready.status == pb.DOCUMENT_STATUS_READY, ready.error
        each = {name: round(value - before[name], 2) for name, value in used().items()}
        spent = sum(each.values())
        halves.append(await asyncio.to_thread(bare_model, texts[1::2]))
    bare = {name: sum(half[name] for half in halves) for name in halves[0]}
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
