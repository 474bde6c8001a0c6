"""The composition root of the retrieval service and its worker."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, cast

import structlog
from aisp.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceStub
from aisp.llm.v1.llm_service_pb2_grpc import LlmServiceStub
from aisp.rag.v1.rag_service_pb2_grpc import add_RagServiceServicer_to_server
from aisp.usage.v1.usage_service_pb2_grpc import UsageServiceStub

from chassis import valkey
from chassis.background import for_ever
from chassis.client import Channel, read_service_config
from chassis.database import Database, DatabaseUnavailable
from chassis.erasure import together
from chassis.errors import PlatformError
from chassis.idempotency import IdempotencyInterceptor, ValkeyAnswerStore
from chassis.job import Job
from chassis.jobs import CHANNEL, Failed, Handler, JobRunner, Jobs
from chassis.notifications import Listener
from chassis.ops import Readiness, serve_ops
from chassis.scratch import scratch
from chassis.server import App, run_server, stop_signal
from chassis.settings import ConfigurationError
from chassis.tenant_rows import TenantRows
from rag_service.adapters.extraction import ExtractionLimits, ProcessExtractor
from rag_service.adapters.object_store import Objects
from rag_service.adapters.registry import VECTOR_STORES
from rag_service.adapters.stores import Stores
from rag_service.adapters.upstream import EmbeddingUpstream, ResponsesUpstream, UsageUpstream, WebhookHerald
from rag_service.domain.jobs import ANNOUNCE, ERASE, EXPIRE, INGEST, RELEASE
from rag_service.domain.vectors import VectorStore
from rag_service.repository.pgvector import has_pgvector
from rag_service.repository.store import PostgresStore
from rag_service.repository.tables import jobs as jobs_table
from rag_service.repository.tables import metadata
from rag_service.service.announcing import Announcing
from rag_service.service.answers import AnswerRules, Answers
from rag_service.service.attachments import Attachments
from rag_service.service.collections import Collections
from rag_service.service.conversations import Conversations
from rag_service.service.departure import Departure
from rag_service.service.documents import Documents
from rag_service.service.embedding import Batches
from rag_service.service.erasure import Eraser, Erasures, Places
from rag_service.service.evaluation import Evaluations
from rag_service.service.expiry import Expiry
from rag_service.service.file_search import FileSearch
from rag_service.service.files import Files
from rag_service.service.ingestion import Ingestion, IngestionRules
from rag_service.service.originals import Originals
from rag_service.service.responding import Responding, RespondingRules
from rag_service.service.rewriting import Rewriting
from rag_service.service.search import Models, Search, SearchRules
from rag_service.service.texts import Texts
from rag_service.service.vectorizing import Vectorizing
from rag_service.service.watching import Watch
from rag_service.servicer import RagServicer, UseCases
from rag_service.servicer.documents import Receiving
from rag_service.settings import RagSection, Settings

log = structlog.get_logger()

NAME = "rag_service"
WAIT_SECONDS = 1.0


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Parts:
    """What the service and its worker both need."""

    database: Database
    store: PostgresStore
    objects: Objects
    vectors: Stores
    embedder: EmbeddingUpstream
    answerer: ResponsesUpstream
    meter: UsageUpstream
    herald: WebhookHerald
    originals: Originals
    answers: ValkeyAnswerStore
    scratch: Path


@asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[Parts]:
    """The stores and the other services."""
    keyring = settings.keyring(NAME)
    config = read_service_config()
    async with AsyncExitStack() as stack:

        async def channel(address: str, callee: str) -> Channel:
            made = Channel(address, keyring=keyring, callee=callee, service_config=config, relay=settings.relay)
            return await stack.enter_async_context(made)

        database = await stack.enter_async_context(Database(settings.database, "rag"))
        vectors = await _vector_stores(settings.rag, database)
        stack.push_async_callback(vectors.close)
        store = PostgresStore(database, Jobs(jobs_table, keyring))
        options = {name: value.get_secret_value() for name, value in settings.rag.object_options.items()}
        objects = Objects(settings.rag.objects, settings.data_dir / "objects", options)
        usage = UsageServiceStub(await channel(settings.usage.address, "usage_service"))
        meter = UsageUpstream(usage)
        cache = settings.cache or settings.redis
        client = valkey.connect(cache, connect_seconds=2, reply_seconds=5)
        stack.push_async_callback(client.aclose)
        yield Parts(
            database=database,
            store=store,
            objects=objects,
            vectors=vectors,
            embedder=EmbeddingUpstream(
                EmbeddingServiceStub(await channel(settings.embedding.address, "embedding_service"))
            ),
            answerer=ResponsesUpstream(LlmServiceStub(await channel(settings.llm.address, "llm_service"))),
            meter=meter,
            herald=WebhookHerald(usage),
            originals=Originals(store, objects, meter, now),
            answers=ValkeyAnswerStore(client),
            scratch=stack.enter_context(scratch(NAME)),
        )


async def _vector_stores(rag: RagSection, database: Database) -> Stores:
    """The service's own PostgreSQL, and those of the others that are configured."""
    own = await _what_there_is(database)
    common = {"prefix": rag.vector_prefix, "seconds": rag.vector_seconds}
    options: dict[str, dict[str, Any]] = {own: {"database": database}}
    if own == "pgvector":
        options[own] |= {"exact_vectors": rag.exact_vectors}
    if rag.qdrant.url:
        options["qdrant"] = common | {"url": rag.qdrant.url, "key": rag.qdrant.key.get_secret_value()}
    if rag.weaviate.url:
        there = {"url": rag.weaviate.url, "grpc_address": rag.weaviate.grpc_address}
        options["weaviate"] = common | there | {"key": rag.weaviate.key.get_secret_value()}
    if key := rag.pinecone.key.get_secret_value():
        options["pinecone"] = common | rag.pinecone.model_dump(exclude={"key"}) | {"key": key}
    default = rag.vector_store or own
    if default not in options:
        raise ConfigurationError(f"the vector store {default!r} is not configured; there is {', '.join(options)}")

    def opener(name: str) -> Callable[[], VectorStore]:
        return lambda: cast("VectorStore", VECTOR_STORES.load(name)(**options[name]))

    return Stores({name: opener(name) for name in options}, default)


async def _what_there_is(database: Database) -> str:
    """The vector store that the database was migrated for; waits while it does not answer."""
    while True:
        try:
            return "pgvector" if await has_pgvector(database) else "arrays"
        except DatabaseUnavailable:
            log.warning("waiting for the database")
            await asyncio.sleep(WAIT_SECONDS)


def _servicer(rag: RagSection, parts: Parts) -> RagServicer:
    """The use cases, wired."""
    collections = Collections(parts.store, now, parts.vectors, rag.embedding_model)
    rewriting = Rewriting(parts.answerer, rag.rewrite_model, rag.rewrite_tokens)
    models = Models(parts.embedder, parts.embedder, rewriting)
    search = Search(parts.store, parts.vectors, models, collections, _search_rules(rag))
    conversations = Conversations(parts.store, now, rag.max_conversations)
    answers = Answers(
        parts.store,
        search,
        rewriting,
        conversations,
        (parts.answerer, parts.embedder),
        now,
        _answer_rules(rag),
    )
    file_search = FileSearch(search, collections)
    responding = Responding(
        file_search,
        rewriting,
        parts.answerer,
        RespondingRules(rag.context_tokens, rag.max_context_tokens, rag.max_query_characters),
    )
    documents = Documents(parts.store, parts.objects, parts.originals, collections, now, rag.max_metadata_bytes)
    erasures = Erasures(parts.store, collections, now, rag.erasure_wait_seconds)
    cases = UseCases(
        collections,
        documents,
        Files(parts.store, parts.objects, parts.originals, now),
        Attachments(parts.store, collections, documents, erasures, now),
        erasures,
        search,
        file_search,
        Evaluations(parts.store, search, collections, rag.max_evaluated_queries),
        answers,
        responding,
    )
    return RagServicer(cases, parts.vectors, Receiving(rag.max_document_bytes, parts.scratch))


def _search_rules(rag: RagSection) -> SearchRules:
    return SearchRules(
        max_query=rag.max_query_characters,
        max_top_k=rag.max_top_k,
        candidates=rag.candidates,
        reranked=rag.rerank_candidates,
        rerank_model=rag.rerank_model,
    )


def _answer_rules(rag: RagSection) -> AnswerRules:
    return AnswerRules(
        model=rag.answer_model,
        judge_model=rag.embedding_model,
        answer_tokens=rag.answer_tokens,
        context_tokens=rag.context_tokens,
        max_context_tokens=rag.max_context_tokens,
        max_query=rag.max_query_characters,
        receipt_days=rag.receipt_days,
        kept_messages=rag.max_conversation_messages,
        candidates=min(rag.answer_candidates, rag.max_top_k),
    )


@asynccontextmanager
async def compose(settings: Settings) -> AsyncIterator[App]:
    """The service, connected; everything is closed on leaving."""
    async with connect(settings) as parts:
        yield App(
            register=partial(add_RagServiceServicer_to_server, _servicer(settings.rag, parts)),
            services=("aisp.rag.v1.RagService",),
            ready=parts.database.check,
            interceptors=(IdempotencyInterceptor(parts.answers, settings.keyring(NAME)),),
            erase=together(
                Departure(parts.store).erase,
                TenantRows(parts.database, metadata, ("jobs",)).erase,
                # Behind the rows, so that nothing that is left in them is ever found.
                parts.vectors.erase,
                parts.objects.erase,
                parts.answers.erase,
            ),
        )


async def serve(settings: Settings) -> None:
    """Serves until told to stop."""
    await run_server(NAME, settings, settings.rag, compose)


@asynccontextmanager
async def make_worker(settings: Settings, parts: Parts) -> AsyncIterator[list[Coroutine[Any, Any, None]]]:
    """What does the jobs: each goes on until cancelled. What keeps house does not wait behind ingestions."""
    rag = settings.rag
    limits = ExtractionLimits(
        rag.extraction_seconds, rag.extraction_megabytes, rag.extraction_text_bytes, rag.extraction_processes
    )
    batches = Batches(parts.embedder, parts.meter, rag.embedding_batch, rag.embedding_calls)
    watch = Watch(parts.store, rag.watch_seconds)
    wait = timedelta(days=rag.longest_wait_days)
    rules = IngestionRules(rag.max_chunks, wait)
    vectorizing = Vectorizing(parts.store, parts.vectors, batches, rag.embedding_batch)
    texts = Texts(parts.objects, ProcessExtractor(limits), parts.scratch, rag.max_text_characters)
    ingestion = Ingestion(parts.store, texts, parts.vectors, vectorizing, watch, rules, now)
    places = Places(parts.objects, parts.vectors, parts.embedder, parts.answers)
    eraser = Eraser(parts.store, places, parts.originals, now, rag.erasure_probes)

    def runner(handlers: Mapping[str, Handler], failed: Failed, concurrency: int) -> JobRunner:
        return JobRunner(
            parts.database,
            jobs_table,
            settings.keyring(NAME),
            handlers,
            failed,
            concurrency=concurrency,
            poll_seconds=rag.jobs_poll_seconds,
            lease_seconds=rag.job_lease_seconds,
        )

    collections = Collections(parts.store, now, parts.vectors, rag.embedding_model)
    expiry = Expiry(parts.store, Erasures(parts.store, collections, now, 0), now)
    upkeep = {
        ERASE: eraser.run,
        RELEASE: parts.originals.run,
        EXPIRE: expiry.run,
        ANNOUNCE: Announcing(parts.herald).run,
    }
    runners = [
        runner({INGEST: ingestion.run}, ingestion.failed, rag.jobs_at_once),
        runner(upkeep, _given_up, rag.upkeep_at_once),
    ]

    def told(kind: str) -> None:
        for one in runners:
            one.told(kind)

    try:
        working = [for_ever(run, 0) for run in (*(one.run for one in runners), watch.run)]
        yield [*working, Listener(parts.database.dsn, CHANNEL, told).run()]
    finally:
        await batches.close()


async def _given_up(job: Job, error: PlatformError) -> None:
    log.error("upkeep was given up", job_id=job.id, kind=job.kind, reason=error.reason, payload=dict(job.payload))


async def work(settings: Settings, _arguments: list[str]) -> None:
    """Ingests documents until told to stop."""
    stop = stop_signal()
    readiness = Readiness()
    async with (
        serve_ops(settings.rag.ops_host, settings.rag.worker_ops_port, readiness),
        connect(settings) as parts,
    ):
        async with make_worker(settings, parts) as loops:
            tasks: list[asyncio.Task[Any]] = [asyncio.create_task(loop) for loop in loops]
            readiness.started(parts.database.check)
            log.info("working")
            stopping: asyncio.Task[Any] = asyncio.create_task(stop.wait())
            ended, _ = await asyncio.wait({*tasks, stopping}, return_when=asyncio.FIRST_COMPLETED)
            readiness.drain()
            stopping.cancel()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for task in ended - {stopping}:
                task.result()
    log.info("stopped")
