"""The composition root of the language-model service: the only place where its concrete classes meet."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

import aiohttp
import structlog
from aisp.llm.v1.llm_service_pb2_grpc import add_LlmServiceServicer_to_server
from redis.asyncio import Redis

from chassis.database import Database
from chassis.erasure import together
from chassis.errors import PlatformError, Unavailable
from chassis.idempotency import IdempotencyInterceptor, ValkeyAnswerStore
from chassis.resilience import Bulkhead, RetryPolicy
from chassis.server import App, run_server
from chassis.tenant_rows import TenantRows
from llm_service.adapters.chat_completions import ChatCompletions
from llm_service.adapters.completions import TextCompletions
from llm_service.adapters.http import HttpLimits, ProviderHttp, Upstream
from llm_service.adapters.messages import Messages, api_key
from llm_service.adapters.supervisor import EngineOptions, LocalEngine
from llm_service.adapters.wire import Wire, WireModel
from llm_service.domain.calls import Format, LanguageModel
from llm_service.repository.store import PostgresStore
from llm_service.repository.tables import metadata
from llm_service.service.catalogue import Catalogue
from llm_service.service.completions import Completions
from llm_service.service.resilience import Guarded, Retrying
from llm_service.servicer import LlmServicer
from llm_service.settings import Settings

log = structlog.get_logger()


@asynccontextmanager
async def compose(settings: Settings) -> AsyncIterator[App]:
    """The service, connected; everything is closed on leaving."""
    llm = settings.llm
    local = llm.local
    engine = LocalEngine(EngineOptions(settings.model_file, local.threads, local.slots, local.context_length))
    uses_engine = local.enabled and engine.available
    if local.enabled and not engine.available:
        log.warning("no local model: run `make models`", looked_for=str(settings.model_file))
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=30)
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=llm.timeouts.connect)
    cache = _cache(settings)
    answers = ValkeyAnswerStore(cache)
    async with (
        Database(settings.database, "llm") as database,
        aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=False) as session,
    ):
        catalogue = Catalogue(PostgresStore(database))
        providers = _providers(settings, session, engine, uses_engine=uses_engine)
        background = [asyncio.create_task(_refresh(catalogue, llm.catalogue_seconds))]
        if uses_engine:
            background.append(asyncio.create_task(engine.run()))

        async def ready() -> None:
            await database.check()
            if not catalogue.models():
                raise Unavailable("the catalogue was not read yet")
            if uses_engine and engine.address() is None:
                raise Unavailable("the local engine is loading its model")

        try:
            yield App(
                register=partial(add_LlmServiceServicer_to_server, LlmServicer(Completions(catalogue, providers))),
                services=("aisp.llm.v1.LlmService",),
                ready=ready,
                interceptors=(IdempotencyInterceptor(answers, settings.keyring("llm_service")),),
                erase=together(TenantRows(database, metadata).erase, answers.erase),
            )
        finally:
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
            await cache.aclose()


async def serve(settings: Settings) -> None:
    """Serves until told to stop."""
    await run_server("llm_service", settings, settings.llm, compose)


def _providers(
    settings: Settings, session: aiohttp.ClientSession, engine: LocalEngine, *, uses_engine: bool
) -> dict[str, LanguageModel]:
    """One provider a row: where it is, its key, whether it can be used; then the same wrappers around each."""
    llm = settings.llm
    openai_key = settings.openai_api_key.get_secret_value()
    anthropic_key = settings.anthropic_api_key.get_secret_value()
    hf_key = settings.hf_api_key.get_secret_value()
    # A base address without a key is a server of one's own (vLLM, TGI): it gets no Authorization header.
    own_openai = "openai_base_url" in settings.model_fields_set
    own_anthropic = "anthropic_base_url" in settings.model_fields_set
    own_hf = "hf_base_url" in settings.model_fields_set
    upstreams = [
        Upstream("openai", _fixed(settings.openai_base_url), openai_key, bool(openai_key) or own_openai),
        Upstream(
            "anthropic",
            _fixed(settings.anthropic_base_url),
            anthropic_key,
            bool(anthropic_key) or own_anthropic,
            authorization=api_key,
        ),
        Upstream("hf", _fixed(settings.hf_base_url), hf_key, bool(hf_key) or own_hf),
        Upstream("local", engine.address, "", uses_engine, local=True),
    ]
    times = llm.timeouts
    limits = HttpLimits(times.first_byte, times.between_bytes, times.total, llm.max_answer_bytes)
    retries = RetryPolicy(attempts=llm.attempts)
    wrapped: dict[str, LanguageModel] = {}
    for upstream in upstreams:
        slots, queue = (llm.local.slots, llm.local.queue) if upstream.local else (llm.concurrency, llm.queue)
        guarded = Guarded(
            WireModel(ProviderHttp(session, upstream, limits), _wires(upstream)),
            Bulkhead(slots, queue),
            failures=llm.breaker_failures,
            pause_seconds=llm.breaker_pause_seconds,
        )
        wrapped[upstream.name] = Retrying(guarded, retries)
    return wrapped


def _wires(upstream: Upstream) -> dict[Format, Wire]:
    if upstream.name == "anthropic":
        return {Format.MESSAGES: Messages()}
    return {
        Format.CHAT_COMPLETIONS: ChatCompletions(local=upstream.local),
        Format.COMPLETIONS: TextCompletions(local=upstream.local),
    }


def _fixed(address: str) -> Callable[[], str | None]:
    return lambda: address


def _cache(settings: Settings) -> Redis:
    store = settings.cache or settings.redis
    password = store.password.get_secret_value() or None
    return Redis(host=store.host, port=store.port, password=password, socket_connect_timeout=2, socket_timeout=5)


async def _refresh(catalogue: Catalogue, seconds: float) -> None:
    while True:
        try:
            await catalogue.refresh()
        except PlatformError as error:
            log.warning("the catalogue was not read", reason=error.reason)
        await asyncio.sleep(seconds)
