"""The composition root of the usage service and its worker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

import structlog
from aisp.usage.v1.usage_service_pb2_grpc import add_UsageServiceServicer_to_server
from redis.asyncio import Redis
from redis.exceptions import RedisError

from chassis.database import Database
from chassis.errors import PlatformError
from chassis.ops import Readiness, serve_ops
from chassis.server import App, run_server, stop_signal
from chassis.settings import RedisSettings
from usage_service.adapters.stream import ValkeyEvents
from usage_service.adapters.valkey import ValkeyMeter, close, number_of
from usage_service.repository import PostgresStore
from usage_service.service.leases import Leases
from usage_service.service.ledger import Ledger
from usage_service.service.limits import Limits
from usage_service.service.reports import Reports
from usage_service.servicer import UsageServicer
from usage_service.settings import Settings

log = structlog.get_logger()

PAUSE_AFTER_FAILURE_SECONDS = 1.0
TRIM_SECONDS = 600.0
OPEN_SECONDS = 0.25


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def connect(redis: RedisSettings) -> Redis:
    """A client of the meter's store; connects when used."""
    return Redis(
        host=redis.host,
        port=redis.port,
        password=redis.password.get_secret_value() or None,
        socket_connect_timeout=3,
        socket_timeout=10,
    )


@asynccontextmanager
async def compose(settings: Settings) -> AsyncIterator[App]:
    """The service, connected; everything is closed on leaving."""
    client = connect(settings.redis)
    meter = ValkeyMeter(client)
    try:
        async with Database(settings.database, "usage") as database:
            store = PostgresStore(database)
            limits = Limits(store, meter, now, number_of)
            reports = Reports(store, meter, limits, now, settings.usage.longest_span_days)
            servicer = UsageServicer(limits, Leases(meter, limits), reports)

            async def ready() -> None:
                await database.check()
                # The gateway is never without the library: whoever finds it gone puts it back.
                await meter.check()

            yield App(
                register=partial(add_UsageServiceServicer_to_server, servicer),
                services=("aisp.usage.v1.UsageService",),
                ready=ready,
            )
    finally:
        await close(client)


async def serve(settings: Settings) -> None:
    """Serves until told to stop."""
    await run_server("usage_service", settings, settings.usage, compose)


class Worker:
    """Moves events into the ledger, sweeps expired leases, opens the meter's partitions, makes the ledger's."""

    def __init__(
        self, meter: ValkeyMeter, stream: ValkeyEvents, ledger: Ledger, limits: Limits, settings: Settings
    ) -> None:
        self._meter = meter
        self._stream = stream
        self._ledger = ledger
        self._limits = limits
        self._usage = settings.usage
        self._prepared = False

    async def ready(self) -> None:
        """Raises until everything that the work needs is there."""
        if not self._prepared:
            raise PlatformError("The meter's store or the ledger is not reachable yet.")

    async def run(self) -> None:
        """Runs until cancelled."""
        await asyncio.gather(
            self._for_ever(self._move, 0),
            self._for_ever(self._open, OPEN_SECONDS),
            self._for_ever(self._stream.sweep, self._usage.sweep_seconds),
            self._for_ever(self._ledger.trim, TRIM_SECONDS),
        )

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
        await self._meter.load()
        if closed := await self._stream.closed():
            await self._limits.open_partitions(closed)

    async def _for_ever(self, step: Any, pause: float) -> None:
        while True:
            try:
                await step()
                await asyncio.sleep(pause)
            except (PlatformError, RedisError, OSError, TimeoutError) as error:
                # A store that was away may have lost the library, and a ledger may have been restored.
                log.warning("the worker pauses", step=step.__name__, error=repr(error))
                self._prepared = False
                self._ledger.forget_positions()
                await asyncio.sleep(PAUSE_AFTER_FAILURE_SECONDS)


@asynccontextmanager
async def compose_worker(settings: Settings) -> AsyncIterator[Worker]:
    """The worker, connected."""
    client = connect(settings.redis)
    try:
        async with Database(settings.database, "usage") as database:
            stream = ValkeyEvents(client, settings.usage.kept_hours * 3600)
            store, meter = PostgresStore(database), ValkeyMeter(client)
            yield Worker(meter, stream, Ledger(store, stream, now), Limits(store, meter, now, number_of), settings)
    finally:
        await close(client)


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
