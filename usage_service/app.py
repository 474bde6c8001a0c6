"""The composition root of the usage service and its worker."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog
from aisp.usage.v1.usage_service_pb2_grpc import add_UsageServiceServicer_to_server
from redis.asyncio import Redis

from chassis import valkey
from chassis.background import for_ever
from chassis.context import Keyring
from chassis.database import Database
from chassis.envelope import Envelope
from chassis.erasure import together
from chassis.errors import DeadlineExceeded, PlatformError
from chassis.idempotency import IdempotencyInterceptor, ValkeyAnswerStore
from chassis.jobs import CHANNEL, JobRunner, Jobs
from chassis.notifications import Listener
from chassis.ops import Readiness, serve_ops
from chassis.outbound import Outbound
from chassis.sealed_rows import SealedRows
from chassis.server import App, run_server, stop_signal
from chassis.settings import ConfigurationError, RedisSettings
from chassis.tenant_rows import TenantRows
from usage_service.adapters.messenger import OutboundMessenger
from usage_service.adapters.stream import ValkeyEvents
from usage_service.adapters.valkey import PARTITIONS, ValkeyMeter, close, new_lease_id, number_of
from usage_service.domain.webhooks import DELIVER
from usage_service.repository.sealed import SEALED
from usage_service.repository.store import PostgresStore
from usage_service.repository.tables import jobs, metadata
from usage_service.service.budgets import Budgets, Spendings
from usage_service.service.deliveries import Deliveries, DeliveryRules
from usage_service.service.erasure import APART, Erasure
from usage_service.service.leases import Leases
from usage_service.service.ledger import Ledger
from usage_service.service.limits import Limits
from usage_service.service.prices import Prices
from usage_service.service.proof import ProofRules, Proofs
from usage_service.service.reports import Reports
from usage_service.service.review import Pace, Review
from usage_service.service.tellings import Tellings
from usage_service.service.webhooks import Webhooks
from usage_service.servicer import UsageServicer, UseCases
from usage_service.settings import Settings

log = structlog.get_logger()

NAME = "usage_service"

TRIM_SECONDS = 600.0
FORGET_SECONDS = 3600.0
OPEN_SECONDS = 0.25


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def connect(redis: RedisSettings) -> Redis:
    """A client of the meter's store; connects when used."""
    return valkey.connect(redis, connect_seconds=3, reply_seconds=10)


@dataclass(frozen=True)
class Parts:
    """What the service and its worker both need."""

    database: Database
    store: PostgresStore
    meter: ValkeyMeter
    client: Redis
    prices: Prices
    limits: Limits
    tellings: Tellings
    messenger: OutboundMessenger
    vault: Envelope
    keyring: Keyring


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[Parts]:
    """The stores; everything is closed on leaving."""
    client, keyring = connect(settings.redis), settings.keyring(NAME)
    try:
        async with Database(settings.database, "usage") as database, Outbound(settings.outbound) as outbound:
            store, meter = PostgresStore(database, Jobs(jobs, keyring)), ValkeyMeter(client)
            prices = Prices(store, meter, now, number_of, PARTITIONS)
            refused = settings.usage.unpriced == "refuse"
            # Without a secret of its own for what is at rest: the key of its own jobs, which only it has.
            own = base64.b64encode(keyring.key(NAME, NAME) or b"").decode()
            yield Parts(
                database=database,
                store=store,
                meter=meter,
                client=client,
                prices=prices,
                limits=Limits(store, meter, prices, now, number_of, refuse_unpriced=refused),
                tellings=Tellings(now, new_lease_id),
                messenger=OutboundMessenger(outbound, settings.outbound),
                vault=settings.envelope("usage_service/webhooks", own),
                keyring=keyring,
            )
    finally:
        await close(client)


def proofs(settings: Settings, parts: Parts) -> Proofs:
    """What proves that the books balance."""
    rules = ProofRules(settings.usage.longest_span_days, settings.usage.proof_seconds)
    return Proofs(parts.store, parts.meter, now, rules)


def use_cases(settings: Settings, parts: Parts) -> UseCases:
    """What the service does."""
    usage, store, meter, limits = settings.usage, parts.store, parts.meter, parts.limits
    spendings = Spendings(parts.tellings)
    return UseCases(
        limits=limits,
        leases=Leases(meter, limits),
        reports=Reports(store, limits, now, usage.longest_span_days),
        proofs=proofs(settings, parts),
        prices=parts.prices,
        budgets=Budgets(store, meter, spendings, now, number_of, new_lease_id, usage.max_budgets),
        webhooks=Webhooks(store, parts.tellings, parts.messenger, parts.vault, now, new_lease_id, usage.max_webhooks),
    )


@asynccontextmanager
async def compose(settings: Settings) -> AsyncIterator[App]:
    """The service, connected; everything is closed on leaving."""
    answers = connect(settings.cache or settings.redis)
    try:
        async with connected(settings) as parts:
            servicer, stored = UsageServicer(use_cases(settings, parts)), ValkeyAnswerStore(answers)

            async def ready() -> None:
                await parts.database.check()
                # The gateway is never without the library: whoever finds it gone puts it back.
                await parts.meter.check()

            yield App(
                register=partial(add_UsageServiceServicer_to_server, servicer),
                services=("aisp.usage.v1.UsageService",),
                ready=ready,
                interceptors=(IdempotencyInterceptor(stored, parts.keyring),),
                erase=together(
                    TenantRows(parts.database, metadata, APART).erase,
                    Erasure(parts.store, parts.meter).erase,
                    stored.erase,
                ),
                reencrypt=SealedRows(parts.database, parts.vault, SEALED).reencrypt,
            )
    finally:
        await close(answers)


async def serve(settings: Settings) -> None:
    """Serves until told to stop."""
    await run_server(NAME, settings, settings.usage, compose)


class Worker:
    """Moves events into the ledger, sweeps expired leases, opens the meter's partitions, makes the ledger's, tells the
    meter of prices, sends messages to webhooks.
    """

    def __init__(self, parts: Parts, stream: ValkeyEvents, settings: Settings) -> None:
        usage = settings.usage
        self._meter = parts.meter
        self._stream = stream
        self._ledger = Ledger(parts.store, stream, Spendings(parts.tellings), now)
        self._limits = parts.limits
        self._prices = parts.prices
        self._proofs = proofs(settings, parts)
        pace = Pace(timedelta(hours=usage.review_hours), usage.review_share)
        self._review = Review(parts.store, self._proofs, now, pace)
        rules = DeliveryRules(
            attempts=usage.webhook_attempts,
            first_pause=usage.webhook_pause_seconds,
            disable_after=usage.webhook_disable_after,
            kept=timedelta(days=usage.deliveries_kept_days),
        )
        self._deliveries = Deliveries(parts.store, parts.messenger, parts.vault, now, rules)
        self._jobs = JobRunner(
            parts.database,
            jobs,
            parts.keyring,
            {DELIVER: self._deliveries.run},
            self._deliveries.failed,
            concurrency=usage.webhooks_at_once,
            poll_seconds=usage.jobs_poll_seconds,
        )
        self._dsn = parts.database.dsn
        self._usage = usage
        self._prepared = False

    async def ready(self) -> None:
        """Raises until everything that the work needs is there."""
        if not self._prepared:
            raise PlatformError("The meter's store or the ledger is not reachable yet.")

    async def run(self) -> None:
        """Runs until cancelled."""
        usage = self._usage
        steps: list[tuple[Callable[[], Awaitable[object]], float]] = [
            (self._move, 0),
            (self._open, OPEN_SECONDS),
            (self._stream.sweep, usage.sweep_seconds),
            (self._ledger.trim, TRIM_SECONDS),
            (self._prices.publish_changes, usage.price_seconds),
            (self._proofs.watch, usage.prove_seconds),
            (self._review.step, 0),
            (self._deliveries.forget_old, FORGET_SECONDS),
            (self._jobs.run, 0),
        ]
        working = [for_ever(step, pause, self._failed) for step, pause in steps]
        await asyncio.gather(*working, Listener(self._dsn, CHANNEL, self._jobs.told).run())

    async def _move(self) -> None:
        if not self._prepared:
            await self._open()
            self._prepared = True
        await self._ledger.ensure_partitions()
        moved = await self._ledger.move(self._usage.batch, self._usage.poll_seconds)
        if moved < self._usage.batch:
            # A transaction for each event would cost more than the request that it tells of.
            await asyncio.sleep(self._usage.gather_seconds)

    async def _open(self) -> None:
        """A server that started anew gets its library back, and answers once it is known what it may have lost."""
        if not await self._stream.suspect():
            return
        await self._meter.load()
        if closed := await self._stream.closed():
            await self._limits.open_partitions(closed)
            # It may have lost how far the ledger is, too.
            await self._stream.committed(await self._ledger.positions())

    def _failed(self, error: Exception) -> None:
        if isinstance(error, DeadlineExceeded):
            return
        # A store that was away may have lost the library, and a ledger may have been restored.
        self._prepared = False
        self._ledger.forget_positions()


@asynccontextmanager
async def compose_worker(settings: Settings) -> AsyncIterator[Worker]:
    """The worker, connected."""
    async with connected(settings) as parts:
        yield Worker(parts, ValkeyEvents(parts.client, settings.usage.kept_hours * 3600), settings)


async def reencrypt(settings: Settings, _arguments: list[str]) -> None:
    """Encrypts under the current secret what is still under a previous one."""
    async with connected(settings) as parts:
        for table, number in (await SealedRows(parts.database, parts.vault, SEALED).reencrypt()).items():
            print(f"{table}: {number} secrets were encrypted anew")  # noqa: T201  # a command's answer


async def rebuild(settings: Settings, arguments: list[str]) -> None:
    """Makes the rollups of tenants anew out of their events: `rebuild TENANT...`. ConfigurationError without any."""
    if not arguments:
        raise ConfigurationError("rebuild: name the tenants, by their ids, whose rollups are to be made anew")
    async with connected(settings) as parts:
        stream = ValkeyEvents(parts.client, settings.usage.kept_hours * 3600)
        ledger = Ledger(parts.store, stream, Spendings(parts.tellings), now)
        for tenant_id in arguments:
            await ledger.rebuild(tenant_id)
            log.info("rollups were made anew", tenant_id=tenant_id)


async def work(settings: Settings, _arguments: list[str]) -> None:
    """Works until told to stop."""
    stop = stop_signal()
    readiness = Readiness()
    async with (
        serve_ops(settings.usage.ops_host, settings.usage.worker_ops_port, readiness),
        compose_worker(settings) as worker,
    ):
        task = asyncio.create_task(worker.run())
        readiness.started(worker.ready)
        log.info("working")
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
        readiness.drain()
        stopping.cancel()
        if task.done():
            task.result()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    log.info("stopped")
