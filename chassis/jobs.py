"""Durable jobs in a service's own PostgreSQL: enqueued in the transaction that asks for them, leased, retried.

A job acts under a delegated context (tenant, principal, purpose, job id), signed by the service that owns it and
verified before use. A worker that dies leaves its lease to run out; another goes on with the job from its start, so
handlers are idempotent. It knows no handler: a service gives its own by kind.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
import structlog
from sqlalchemy.dialects.postgresql import BYTEA, JSONB, TIMESTAMP
from sqlalchemy.dialects.postgresql import UUID as PG_UUID
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import context
from chassis.context import Keyring, RequestContext, Signer, Verifier
from chassis.database import Database
from chassis.errors import DeadlineExceeded, PlatformError, ResourceExhausted, Unavailable
from chassis.job import Job

log = structlog.get_logger()

LEASE_SECONDS = 30
MAX_ATTEMPTS = 20
MAX_PAUSE_SECONDS = 300
DELEGATION_SECONDS = 30 * 24 * 3600
METHOD = "job"
"""What a delegated context is signed for."""


Handler = Callable[[Job], Awaitable[None]]
"""Does the work, or raises; what may pass (Unavailable and the like) is tried again."""
Failed = Callable[[Job, PlatformError], Awaitable[None]]
"""Told of a job that is given up."""


def jobs_table(metadata: sa.MetaData) -> sa.Table:
    """The table `jobs` of a service."""
    return sa.Table(
        "jobs",
        metadata,
        sa.Column("id", PG_UUID(as_uuid=False), primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("tenant_id", PG_UUID(as_uuid=False), nullable=False),
        sa.Column("payload", JSONB, nullable=False),
        sa.Column("context", BYTEA, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("run_at", TIMESTAMP(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Index("ix_jobs_run_at", "run_at"),
    )


class Jobs:
    """Puts jobs into the table."""

    def __init__(self, table: sa.Table, keyring: Keyring) -> None:
        self._table = table
        self._signer = Signer(keyring, keyring.name)

    async def enqueue(
        self, connection: AsyncConnection, kind: str, calling: RequestContext, payload: Mapping[str, Any]
    ) -> str:
        """The id of the new job, which is there when the connection's transaction commits."""
        job_id = str(uuid4())
        delegated = self._signer.sign(calling.for_job(job_id, kind), METHOD, DELEGATION_SECONDS)
        values = {"id": job_id, "kind": kind, "tenant_id": calling.tenant_id, "payload": dict(payload)}
        await connection.execute(self._table.insert().values(**values, context=delegated))
        return job_id


class JobRunner:
    """Takes jobs and does them, at most `concurrency` at once. Several runners share one table."""

    def __init__(
        self,
        database: Database,
        table: sa.Table,
        keyring: Keyring,
        handlers: Mapping[str, Handler],
        failed: Failed,
        *,
        concurrency: int,
        poll_seconds: float,
    ) -> None:
        self._database = database
        self._table = table
        self._verifier = Verifier(keyring)
        self._handlers = handlers
        self._failed = failed
        self._slots = asyncio.Semaphore(concurrency)
        self._poll = poll_seconds

    async def run(self) -> None:
        """Runs until cancelled; then the jobs under way are cancelled too, and another runner takes them up."""
        async with asyncio.TaskGroup() as group:
            while True:
                await self._slots.acquire()
                claimed = await self._claim()
                if claimed is None:
                    self._slots.release()
                    await asyncio.sleep(self._poll)
                    continue
                group.create_task(self._do(*claimed)).add_done_callback(lambda _: self._slots.release())

    async def _claim(self) -> tuple[Job, bytes] | None:
        table = self._table
        try:
            async with self._database.platform() as connection:
                due = sa.select(table.c.id).where(table.c.run_at <= sa.func.now()).order_by(table.c.run_at).limit(1)
                change = table.update().where(table.c.id == due.with_for_update(skip_locked=True).scalar_subquery())
                change = change.values(attempts=table.c.attempts + 1, run_at=_in_seconds(LEASE_SECONDS))
                row = (await connection.execute(change.returning(*table.c))).one_or_none()
        except PlatformError as error:
            log.warning("cannot take jobs", reason=error.reason)
            return None
        if row is None:
            return None
        return Job(row.id, row.kind, row.tenant_id, row.payload, row.attempts), bytes(row.context)

    async def _do(self, job: Job, delegated: bytes) -> None:
        beating = asyncio.create_task(self._heartbeat(job))
        try:
            context.enter(self._verifier.verify(delegated, METHOD))
            await self._handlers[job.kind](job)
            await self._finish(job)
        except PlatformError as error:
            await self._again_or_never(job, error)
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("a job failed unexpectedly", job_id=job.id, kind=job.kind)
            await self._again_or_never(job, PlatformError())
        finally:
            beating.cancel()

    async def _again_or_never(self, job: Job, error: PlatformError) -> None:
        passing = isinstance(error, Unavailable | ResourceExhausted | DeadlineExceeded) or type(error) is PlatformError
        if passing and job.attempt < MAX_ATTEMPTS:
            pause = error.retry_after or min(MAX_PAUSE_SECONDS, 2**job.attempt)
            log.warning("a job waits", job_id=job.id, kind=job.kind, reason=error.reason, seconds=pause)
            await self._postpone(job, pause)
            return
        log.warning("a job is given up", job_id=job.id, kind=job.kind, reason=error.reason)
        await self._failed(job, error)
        await self._finish(job)

    async def _heartbeat(self, job: Job) -> None:
        while True:
            await asyncio.sleep(LEASE_SECONDS / 3)
            await self._postpone(job, LEASE_SECONDS)

    async def _postpone(self, job: Job, seconds: float) -> None:
        async with self._database.platform() as connection:
            change = self._table.update().where(self._table.c.id == job.id)
            await connection.execute(change.values(run_at=_in_seconds(seconds)))

    async def _finish(self, job: Job) -> None:
        async with self._database.platform() as connection:
            await connection.execute(self._table.delete().where(self._table.c.id == UUID(job.id)))


def _in_seconds(seconds: float) -> sa.ColumnElement[Any]:
    return sa.func.now() + sa.func.make_interval(0, 0, 0, 0, 0, 0, seconds)
