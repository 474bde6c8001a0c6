"""The composition root of the language-model service: the only place where its concrete classes meet."""

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import structlog
from aisp.llm.v1.llm_service_pb2_grpc import add_LlmServiceServicer_to_server
from redis.asyncio import Redis

from chassis import valkey
from chassis.background import for_ever
from chassis.database import Database
from chassis.envelope import Envelope
from chassis.erasure import together
from chassis.errors import PlatformError, Unavailable
from chassis.idempotency import IdempotencyInterceptor, ValkeyAnswerStore
from chassis.notifications import ANYTHING, Listener
from chassis.outbound import Outbound, check_url
from chassis.sealed_rows import SealedRows
from chassis.server import App, run_server
from chassis.tenant_rows import TenantRows
from llm_service.adapters.allowances import SharedPauses, ValkeyAllowances
from llm_service.adapters.answer_cache import ValkeyAnswerCache
from llm_service.adapters.guards.makers import Guards
from llm_service.adapters.supervisor import EngineOptions, LocalEngine
from llm_service.app.providers import clients, counters, kinds, providers, upstreams
from llm_service.domain.calls import InputCounter, LanguageModel
from llm_service.domain.providers import Providers
from llm_service.policy.texts.formats import TEXTS
from llm_service.repository import CATALOGUE, CHANNEL, metadata
from llm_service.repository.sealed import SEALED
from llm_service.repository.store import PostgresStore
from llm_service.service.caching import Cached, CacheRules
from llm_service.service.catalogue import Catalogue
from llm_service.service.completions import Completions
from llm_service.service.counting import Counting
from llm_service.service.guardrails import Guardrails
from llm_service.service.learned import Learned
from llm_service.service.models import Models
from llm_service.service.offers import Offers
from llm_service.service.provider_keys import ProviderKeys
from llm_service.service.responses import Responses, StorageRules
from llm_service.service.router import Router
from llm_service.service.rules import Rules
from llm_service.service.screening import Screened
from llm_service.service.screens import ScreenBook
from llm_service.service.tenancies import Tenancies
from llm_service.servicer import LlmServicer, UseCases
from llm_service.settings import ResponsesSettings, Settings

log = structlog.get_logger()

NAME = "llm_service"
LIMITS_SECONDS = 0.5
"""That a call waits for the store which counts what a deployment takes; then it goes uncounted."""
TENANCY_SECONDS = 60.0
"""After which a tenant's keys, aliases and rules are read again, even if nothing was heard of them."""


@dataclass(frozen=True)
class Parts:
    """What the use cases need."""

    database: Database
    store: PostgresStore
    catalogue: Catalogue
    tenancies: Tenancies
    engine: LocalEngine
    uses_engine: bool
    providers: Mapping[str, LanguageModel]
    counters: Mapping[str, InputCounter]
    kinds: Providers
    vault: Envelope
    outbound: Outbound
    answers: ValkeyAnswerCache
    cache: Redis
    pauses: SharedPauses
    learned: Learned


@asynccontextmanager
async def compose(settings: Settings) -> AsyncIterator[App]:
    """The service, connected; everything is closed on leaving."""
    async with connected(settings) as parts:
        answers = ValkeyAnswerStore(parts.cache)
        cases = use_cases(settings, parts)
        # Who is there before the database is answers all the same, that it is not ready.
        with suppress(PlatformError):
            await parts.catalogue.refresh()
        sweeping = for_ever(partial(_sweep, cases.responses), settings.llm.responses.sweep_seconds)
        work = [*_background(settings, parts), sweeping]
        background = [asyncio.create_task(one) for one in work]
        try:
            yield App(
                register=partial(add_LlmServiceServicer_to_server, LlmServicer(cases)),
                services=("aisp.llm.v1.LlmService",),
                ready=partial(_ready, parts),
                interceptors=(IdempotencyInterceptor(answers, settings.keyring(NAME)),),
                erase=together(
                    TenantRows(parts.database, metadata).erase, cases.models.erase, answers.erase, parts.answers.erase
                ),
                reencrypt=SealedRows(parts.database, parts.vault, SEALED).reencrypt,
            )
        finally:
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[Parts]:
    """The database and the providers."""
    local = settings.llm.local
    engine = LocalEngine(EngineOptions(settings.model_file, local.threads, local.slots, local.context_length))
    uses_engine = local.enabled and engine.available
    if local.enabled and not engine.available:
        log.warning("no local model: run `make models`", looked_for=str(settings.model_file))
    known = upstreams(settings, engine, uses_engine=uses_engine)
    async with (
        Database(settings.database, "llm") as database,
        clients(settings) as http,
        Outbound(settings.outbound) as outbound,
        _cache(settings, 5) as cache,
        _cache(settings, LIMITS_SECONDS) as counting,
        # What is listened to may be silent for long.
        _cache(settings, None) as listening,
    ):
        store, pauses, learned = PostgresStore(database), SharedPauses(listening), Learned(time.monotonic)
        yield Parts(
            database=database,
            store=store,
            catalogue=Catalogue(store),
            tenancies=Tenancies(store, time.monotonic, TENANCY_SECONDS),
            engine=engine,
            uses_engine=uses_engine,
            counters=counters(settings, known, http),
            providers=providers(settings, known, http, ValkeyAllowances(counting), pauses, learned),
            kinds=kinds(known),
            vault=_vault(settings),
            outbound=outbound,
            answers=ValkeyAnswerCache(cache),
            cache=cache,
            pauses=pauses,
            learned=learned,
        )


def responses(settings: Settings, parts: Parts, router: Router) -> Responses:
    """What answers every call: the stored conversation outermost, so that all of it is judged; then the guardrails."""
    completions = Completions(router, parts.providers)

    kept = settings.llm.answer_cache
    cached = Cached(completions, parts.answers, router.route, CacheRules(kept.max_seconds, kept.max_bytes))
    screens = ScreenBook(parts.store, _guards(settings, parts), router.meant, settings.llm.guardrails.seconds)
    screened = Screened(cached, screens, TEXTS, settings.llm.guardrails.window)
    return Responses(screened, parts.store, _rules(settings.llm.responses))


def use_cases(settings: Settings, parts: Parts) -> UseCases:
    """What the service does."""
    store, vault, catalogue, tenancies = parts.store, parts.vault, parts.catalogue, parts.tenancies
    router = Router(catalogue, tenancies, vault, parts.kinds.open)
    answering = responses(settings, parts, router)
    guards, most = _guards(settings, parts), settings.llm.guardrails.most

    def check_address(url: str) -> str:
        return str(check_url(url, settings.outbound, "base_url"))

    return UseCases(
        generator=answering,
        counting=Counting(router, parts.counters),
        responses=answering,
        offers=Offers(catalogue, tenancies, parts.providers),
        models=Models(store, parts.kinds, partial(datetime.now, UTC)),
        keys=ProviderKeys(store, vault, parts.kinds, check_address, _new_id),
        rules=Rules(store, router, settings.llm.max_aliases),
        guardrails=Guardrails(store, guards, router.meant, vault, partial(datetime.now, UTC), _new_id, most),
    )


async def reencrypt(settings: Settings, _arguments: list[str]) -> None:
    """Encrypts under the current secret what is still under a previous one."""
    async with Database(settings.database, "llm") as database:
        renewed = await SealedRows(database, _vault(settings), SEALED).reencrypt()
    for table, number in renewed.items():
        print(f"{table}: {number} secrets were encrypted anew")  # noqa: T201  # a command's answer


def _new_id() -> str:
    return str(uuid4())


async def serve(settings: Settings) -> None:
    """Serves until told to stop."""
    await run_server(NAME, settings, settings.llm, compose)


def _background(settings: Settings, parts: Parts) -> list[Coroutine[Any, Any, None]]:
    changed = asyncio.Event()

    def heard(told: str) -> None:
        if told in (CATALOGUE, ANYTHING):
            changed.set()
            parts.learned.forget()
        if told != CATALOGUE:
            parts.tenancies.forget(told)

    work = [
        for_ever(partial(_refresh, parts.catalogue, changed, settings.llm.catalogue_seconds), 0),
        Listener(parts.database.dsn, CHANNEL, heard).run(),
        parts.pauses.run(),
    ]
    return [*work, parts.engine.run()] if parts.uses_engine else work


async def _ready(parts: Parts) -> None:
    await parts.database.check()
    if not parts.catalogue.loaded:
        raise Unavailable("the catalogue was not read yet")
    if parts.uses_engine and parts.engine.address() is None:
        raise Unavailable("the local engine is loading its model")


def _guards(settings: Settings, parts: Parts) -> Guards:
    return Guards(parts.outbound, settings.outbound, parts.vault)


def _rules(section: ResponsesSettings) -> StorageRules:
    return StorageRules(
        section.store,
        timedelta(days=section.retention_days),
        section.max_bytes,
        section.max_chain_bytes,
        section.max_turns,
    )


async def _sweep(answering: Responses) -> None:
    """Removes stored responses that have expired, a batch at a time."""
    while await answering.sweep():
        pass


def _vault(settings: Settings) -> Envelope:
    # Without a secret of its own for what is at rest: the key of its own jobs, which only it has.
    own = base64.b64encode(settings.keyring(NAME).key(NAME, NAME) or b"").decode()
    return settings.envelope(f"{NAME}/provider-keys", own)


def _cache(settings: Settings, seconds: float | None) -> Redis:
    """`seconds`: for which an answer is waited."""
    return valkey.connect(settings.cache or settings.redis, connect_seconds=2, reply_seconds=seconds)


async def _refresh(catalogue: Catalogue, changed: asyncio.Event, seconds: float) -> None:
    """Reads the catalogue; ends when the database tells of a change, and every so often in case it could not."""
    changed.clear()
    await catalogue.refresh()
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await changed.wait()
