"""The composition root of the embedding service: the only place where its concrete classes meet."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import aiohttp
import structlog
from aisp.embedding.v1.embedding_service_pb2_grpc import add_EmbeddingServiceServicer_to_server

from chassis import valkey
from chassis.background import for_ever
from chassis.errors import Unavailable
from chassis.idempotency import IdempotencyInterceptor, ValkeyAnswerStore
from chassis.resilience import RetryPolicy
from chassis.server import App, run_server
from embedding_service.adapters.cache import ValkeyCache
from embedding_service.adapters.local_onnx import LocalOnnx
from embedding_service.adapters.openai_wire import Limits, OpenAIWire
from embedding_service.adapters.rerank_wire import RerankWire
from embedding_service.adapters.retrying import Retrying
from embedding_service.domain import Embedder, Health
from embedding_service.service import Embeddings, Reranking
from embedding_service.servicer import EmbeddingServicer
from embedding_service.settings import EmbeddingSection, Settings

log = structlog.get_logger()

RELOAD_SECONDS = 60.0
"""At most, until a local model that did not load is tried again."""


@asynccontextmanager
async def compose(settings: Settings) -> AsyncIterator[App]:
    """The service, with its model loading in the background; everything is closed on leaving."""
    section = settings.embedding
    local = LocalOnnx(
        settings.models_directory,
        threads=section.threads,
        batch_tokens=section.batch_tokens,
        max_input_tokens=section.max_input_tokens,
        max_call_tokens=section.max_call_tokens,
        queue_seconds=section.queue_seconds,
    )
    if not local.available:
        log.warning("no local embedding model: run `make models`", looked_in=str(settings.models_directory))
    store = settings.cache or settings.redis
    cache = valkey.connect(store, connect_seconds=1, reply_seconds=2)
    answers = ValkeyAnswerStore(cache)
    work = [for_ever(local.run, RELOAD_SECONDS)] if local.available else []
    background = [asyncio.create_task(one) for one in work]
    async with aiohttp.ClientSession(trust_env=False) as session:

        async def ready() -> None:
            if local.available and local.health() is not Health.OK:
                raise Unavailable("the local embedding model is loading")

        embeddings = Embeddings(
            _embedders(settings, session, local), ValkeyCache(cache, section.cache_seconds), section.max_inputs
        )
        reranker = RerankWire(
            session,
            section.rerank_url,
            section.rerank_key.get_secret_value(),
            _limits(section),
            wire=section.rerank_wire,
        )
        servicer = EmbeddingServicer(embeddings, Reranking(embeddings, reranker))
        try:
            yield App(
                register=partial(add_EmbeddingServiceServicer_to_server, servicer),
                services=("aisp.embedding.v1.EmbeddingService",),
                ready=ready,
                interceptors=(IdempotencyInterceptor(answers, settings.keyring("embedding_service")),),
                erase=answers.erase,
            )
        finally:
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
            await cache.aclose()


async def serve(settings: Settings) -> None:
    """Serves until told to stop."""
    await run_server("embedding_service", settings, settings.embedding, compose)


def _limits(section: EmbeddingSection) -> Limits:
    return Limits(section.timeout_seconds, section.max_answer_bytes)


def _embedders(settings: Settings, session: aiohttp.ClientSession, local: LocalOnnx) -> dict[str, Embedder]:
    rules = RetryPolicy(attempts=settings.embedding.attempts)
    found: dict[str, Embedder] = {"local": local}
    for name, base_url, key in (
        ("openai", settings.openai_base_url, settings.openai_api_key.get_secret_value()),
        ("hf", settings.hf_base_url, settings.hf_api_key.get_secret_value()),
    ):
        # A base address without a key is a server of one's own.
        configured = bool(key) or f"{name}_base_url" in settings.model_fields_set
        wire = OpenAIWire(session, base_url, key, _limits(settings.embedding), configured=configured)
        found[name] = Retrying(wire, rules)
    return found
