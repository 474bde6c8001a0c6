"""A rag_service on the real PostgreSQL, whose worker is a process of its own, for tests that kill it or time it, or
works in this process, where a test wants to hold it at a point.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
from aisp.rag.v1 import rag_service_pb2 as pb
from aisp.rag.v1.rag_service_pb2_grpc import RagServiceStub
from pydantic import SecretStr

from chassis.client import Channel, read_service_config
from chassis.context import Keyring, RequestContext
from chassis.database import url
from chassis.errors import PlatformError
from chassis.settings import DatabaseSettings, RedisSettings, RelaySettings, WireSettings
from deploy.local.process import free_port
from rag_service.app import compose, connect, make_worker
from rag_service.settings import Peer, RagSection, Settings
from tests.integration.conftest import ROOT, Serve
from tests.standins.rag_peers import Peers, rag_peers

PART = 256 * 1024
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
RUN_OUT = "UPDATE jobs SET run_at = now() WHERE attempts > 0 AND run_at > now()"
UNTRAPPED = "DROP FUNCTION IF EXISTS test_stop() CASCADE; DROP SEQUENCE IF EXISTS test_hits"


async def uploaded(parts: Iterable[bytes], described: Mapping[str, Any]) -> AsyncIterator[pb.UploadDocumentRequest]:
    """An upload on the wire."""
    yield pb.UploadDocumentRequest(description=pb.DocumentDescription(**described))
    for part in parts:
        yield pb.UploadDocumentRequest(content=part)


@dataclass
class Bench:
    """The service, called over the wire; its peers; the worker's process, if it runs."""

    stub: RagServiceStub
    peers: Peers
    environment: Mapping[str, str]
    log: Path
    owner: asyncpg.Connection
    settings: Settings
    tenant: str = field(default_factory=lambda: str(uuid4()))
    process: asyncio.subprocess.Process | None = None

    def calling(self, tenant: str = "") -> RequestContext:
        return RequestContext("r", tenant_id=tenant or self.tenant, user_id="u")

    async def start(self) -> None:
        """A worker, as a process. Leases of one before it that was killed run out now: clocks are not waited for."""
        await self.owner.execute(RUN_OUT)
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "rag_service", "worker", env=dict(self.environment), stdout=log, stderr=log
            )

    async def kill(self) -> None:
        if self.process is not None:
            if self.process.returncode is None:
                self.process.send_signal(signal.SIGKILL)
            await self.process.wait()
            self.process = None

    @asynccontextmanager
    async def working(self, **rag: Any) -> AsyncIterator[None]:
        """A worker in this process until left, with other settings if a test wants some."""
        settings = self.settings.model_copy(update={"rag": self.settings.rag.model_copy(update=rag)})
        async with connect(settings) as parts, make_worker(settings, parts) as loops:
            tasks = [asyncio.create_task(loop) for loop in loops]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[tuple[RagServiceStub, asyncio.subprocess.Process]]:
        """The service as a process of its own, for tests that kill it or weigh it; killed on leaving."""
        address = f"127.0.0.1:{free_port()}"
        place = {"AI_PLATFORM_RAG__ADDRESS": address, "AI_PLATFORM_RAG__OPS_PORT": "0"}
        command = [sys.executable, "-m", "rag_service", "serve"]
        with self.log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *command, env=dict(self.environment) | place, stdout=log, stderr=log
            )
        known: Any = {"keyring": Keyring("gateway", root=ROOT), "callee": "rag_service"}
        known |= {"service_config": read_service_config(), "relay": RelaySettings(enabled=False)}
        try:
            async with Channel(address, **known) as channel:
                stub = RagServiceStub(channel)
                async with asyncio.timeout(90):
                    while not await _answers(stub):
                        assert process.returncode is None, self.log.read_text()[-3000:]
                        await asyncio.sleep(0.1)
                yield stub, process
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def set_trap(self, point: tuple[str, str, int]) -> None:
        """Whoever does it for that time waits: ("INSERT ON chunks", for each what, the how manieth)."""
        what, when, number = point
        await self.owner.execute(UNTRAPPED)
        await self.owner.execute(STOP)
        await self.owner.fetchval("SELECT pg_advisory_lock(4242)")
        await self.owner.execute(f"CREATE TRIGGER test_stop BEFORE {what} {when} EXECUTE FUNCTION test_stop({number})")

    async def trapped(self) -> None:
        """Returns when somebody is there."""
        async with asyncio.timeout(180):
            while not await self.owner.fetchval(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = $1 AND NOT granted", LOCK
            ):
                assert self.process is None or self.process.returncode is None, self.log.read_text()[-3000:]
                await asyncio.sleep(0.02)

    async def open_trap(self) -> None:
        """Whoever is there goes on."""
        await self.owner.execute("SELECT pg_advisory_unlock(4242)")

    async def search(self, query: str, mode: int = pb.SEARCH_MODE_DENSE, top_k: int = 100, **asked: Any) -> list[Any]:
        """The passages."""
        request = pb.SearchPassagesRequest(query=query, mode=mode, top_k=top_k, **asked)  # type: ignore[arg-type]  # an enum's number
        return list((await self.stub.SearchPassages(request, context=self.calling())).passages)

    async def upload(
        self, content: bytes | Iterable[bytes], tenant: str = "", stub: RagServiceStub | None = None, **described: Any
    ) -> pb.Document:
        if isinstance(content, bytes):
            content = [content[start : start + PART] for start in range(0, len(content), PART)]
        requests = uploaded(content, described)
        answer = await (stub or self.stub).UploadDocument(requests, context=self.calling(tenant))
        document: pb.Document = answer.document
        return document

    async def document(self, document_id: str, tenant: str = "") -> pb.Document:
        request = pb.GetDocumentRequest(id=document_id)
        document: pb.Document = (await self.stub.GetDocument(request, context=self.calling(tenant))).document
        return document

    async def ended(self, document_id: str, seconds: float = 180, tenant: str = "") -> pb.Document:
        async with asyncio.timeout(seconds):
            while True:
                document = await self.document(document_id, tenant)
                if document.status >= pb.DOCUMENT_STATUS_READY:
                    return document
                assert self.process is None or self.process.returncode is None, self.log.read_text()[-3000:]
                await asyncio.sleep(0.05)

    async def quiet(self, seconds: float = 120) -> None:
        """Until no job is left."""
        async with asyncio.timeout(seconds):
            while await self.owner.fetchval("SELECT count(*) FROM jobs WHERE run_at < now() + interval '5 minutes'"):
                await asyncio.sleep(0.05)


@asynccontextmanager
async def rag_bench(
    database: DatabaseSettings, valkey: RedisSettings, serve: Serve, directory: Path, embedding: str = "", **rag: Any
) -> AsyncIterator[Bench]:
    """Its worker is not started yet. `embedding`: the address of another embedding service; `rag`: settings."""
    wire = WireSettings(secret=SecretStr(ROOT.decode()))
    section = {"job_lease_seconds": 60, "watch_seconds": 0.05, "worker_ops_port": 0} | rag
    base = Settings(database=database, redis=valkey, wire=wire, data_dir=directory)
    async with rag_peers(base) as peers:
        embedding = embedding or peers.embedding_address
        settings = base.model_copy(
            update={
                "rag": RagSection(**section),
                "embedding": Peer(address=embedding),
                "usage": Peer(address=peers.usage_address),
            }
        )
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.environ.get("PYTHONPATH", ":".join(sys.path)),
            "AI_PLATFORM_DATA_DIR": str(directory),
            "AI_PLATFORM_WIRE__SECRET": ROOT.decode(),
            "AI_PLATFORM_DATABASE__HOST": database.host,
            "AI_PLATFORM_DATABASE__PORT": str(database.port),
            "AI_PLATFORM_DATABASE__PASSWORD": database.password.get_secret_value(),
            "AI_PLATFORM_REDIS__HOST": valkey.host,
            "AI_PLATFORM_REDIS__PORT": str(valkey.port),
            "AI_PLATFORM_REDIS__PASSWORD": valkey.password.get_secret_value(),
            "AI_PLATFORM_EMBEDDING__ADDRESS": embedding,
            "AI_PLATFORM_USAGE__ADDRESS": peers.usage_address,
        } | {f"AI_PLATFORM_RAG__{name.upper()}": _told(value) for name, value in section.items()}
        dsn = url(database, "rag", owner=True).set(drivername="postgresql").render_as_string(hide_password=False)
        owner = await asyncpg.connect(dsn)
        await owner.execute("SELECT set_config('aisp.tenant', '*', false)")
        try:
            async with serve("rag_service", settings, compose) as channel:
                bench = Bench(RagServiceStub(channel), peers, environment, directory / "worker.log", owner, settings)
                try:
                    yield bench
                finally:
                    await bench.kill()
                    await owner.execute(UNTRAPPED)
        finally:
            await owner.close()


async def _answers(stub: RagServiceStub) -> bool:
    try:
        await stub.ListVectorStores(pb.ListVectorStoresRequest(), context=RequestContext("r", tenant_id=str(uuid4())))
    except PlatformError:
        return False
    return True


def _told(value: Any) -> str:
    return json.dumps(value) if isinstance(value, dict) else str(value)
