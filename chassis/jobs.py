"""Durable jobs in a service's own PostgreSQL: enqueued in the transaction that asks for them, leased, retried.

A job acts under a delegated context (tenant, principal, purpose, job id), signed by the service that owns it and
verified before use. A worker that dies leaves its lease to run out; another goes on with the job from its start, so
handlers are idempotent. It knows no handler: a service gives its own by kind.

Runners sleep until they are told of a job (CHANNEL, by `chassis.notifications`), or one is due; and look by themselves
now and then, since nobody may rely on being told.

A job may have a name: then there is one of that name at most, done by one worker at a time, and asking for it again
while it is done makes it due again with what was asked for last. No wish is lost, and none is done twice at once.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any
from uuid import NAMESPACE_OID, uuid4, uuid5

import sqlalchemy as sa
import structlog
from sqlalchemy.dialects.postgresql import BYTEA, JSONB, TIMESTAMP, insert
from sqlalchemy.dialects.postgresql import UUID as PG_UUID
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import context
from chassis.context import Keyring, RequestContext, Signer, Verifier
from chassis.database import Database
from chassis.errors import DeadlineExceeded, PlatformError, ResourceExhausted, Unavailable
from chassis.job import Job
from chassis.notifications import ANYTHING

log = structlog.get_logger()

LEASE_SECONDS = 30
MAX_ATTEMPTS = 20
MAX_PAUSE_SECONDS = 300
LIMITED_SECONDS = 60
"""Until a limit is asked again that says of no time when it is free."""
DELEGATION_SECONDS = 30 * 24 * 3600
AWAY_SECONDS = 1
"""Until a database that was away is asked again."""
CHANNEL = "jobs"
"""Where the kinds of new jobs are told."""
METHOD = "job"
"""What a delegated context is signed for."""


Handler = Callable[[Job], Awaitable[None]]
"""Does the work, or raises; what may pass (Unavailable and the like) is tried again."""
Failed = Callable[[Job, PlatformError], Awaitable[None]]
"""Told of a job that is given up."""


def jobs_table(metadata: sa.MetaData) -> sa.Table:
    """The table `jobs` of a service. `attempts` counts how often a job was taken: below zero while it waits for the
    next time, so that a job that is done (above zero, until `run_at`) is told from one that waits (until `run_at`).
    """
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
        self,
        connection: AsyncConnection,
        kind: str,
        calling: RequestContext,
        payload: Mapping[str, Any],
        *,
        name: str = "",
        delay_seconds: float = 0,
    ) -> str:
        """The job's id; it is there when the connection's transaction commits. With a name: see above."""
        (job_id,) = await self.enqueue_all(connection, kind, calling, [(name, payload)], delay_seconds=delay_seconds)
        return job_id

    async def enqueue_all(
        self,
        connection: AsyncConnection,
        kind: str,
        calling: RequestContext,
        wanted: Sequence[tuple[str, Mapping[str, Any]]],
        *,
        delay_seconds: float = 0,
    ) -> list[str]:
        """Several at once: (name, payload), each of another name, or all without."""
        table, named = self._table, bool(wanted[0][0])
        rows = [self._row(kind, calling, name, payload) for name, payload in wanted]
        change = insert(table).values([row | {"run_at": _in_seconds(delay_seconds)} for row in rows])
        if named:
            waits = table.c.attempts <= 0
            new = {
                "payload": change.excluded.payload,
                "context": change.excluded.context,
                "attempts": sa.case((waits, 0), else_=table.c.attempts),
                "run_at": sa.case((waits, change.excluded.run_at), else_=table.c.run_at),
            }
            change = change.on_conflict_do_update(index_elements=[table.c.id], set_=new)
        made = change.returning(table.c.id).cte("made")
        await connection.execute(sa.select(sa.func.pg_notify(CHANNEL, kind)).add_cte(made))
        return [str(row["id"]) for row in rows]

    def _row(self, kind: str, calling: RequestContext, name: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        job_id = job_named(kind, name) if name else str(uuid4())
        return {
            "id": job_id,
            "kind": kind,
            "tenant_id": calling.tenant_id,
            "payload": dict(payload),
            "context": self._signer.sign(calling.for_job(job_id, kind), METHOD, DELEGATION_SECONDS),
        }

    async def exists(self, connection: AsyncConnection, kind: str, name: str) -> bool:
        """Whether there is a job of that name: it waits, or is done right now."""
        query = sa.select(self._table.c.id).where(self._table.c.id == job_named(kind, name))
        return (await connection.execute(query)).first() is not None

    async def withdraw(self, connection: AsyncConnection, kind: str, name: str) -> None:
        """Takes a job back that is not done yet."""
        await connection.execute(self._table.delete().where(self._table.c.id == job_named(kind, name)))


def job_named(kind: str, name: str) -> str:
    """The id of the job of that name."""
    return str(uuid5(NAMESPACE_OID, f"{kind}/{name}"))


class JobRunner:
    """Takes jobs and does them, at most `concurrency` at once. Several runners share one table.

    A tenant with much to do has half of the slots at most, the less the more tenants there are: a slot is left for who
    comes next.
    """

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
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        """Does the jobs whose kinds have a handler, and leaves the others alone; looks every `poll_seconds` untold."""
        self._database = database
        self._table = table
        self._verifier = Verifier(keyring)
        self._handlers = handlers
        self._failed = failed
        self._concurrency = concurrency
        self._slots = asyncio.Semaphore(concurrency)
        self._news = asyncio.Event()
        self._poll = poll_seconds
        self._lease_seconds = lease_seconds
        self._running: Counter[str] = Counter()
        self._claiming = _claiming(table, list(handlers), lease_seconds)
        self._waiting = _waiting(table, list(handlers))

    def told(self, kind: str) -> None:
        """There is a job of this kind, or (ANYTHING) there may be one of any."""
        if kind in self._handlers or kind == ANYTHING:
            self._news.set()

    async def run(self) -> None:
        """Runs until cancelled; then the jobs under way are cancelled too, and another runner takes them up."""
        async with asyncio.TaskGroup() as group:
            while True:
                await self._slots.acquire()
                self._news.clear()
                claimed = None
                try:
                    claimed = await self._claim()
                finally:
                    if claimed is None:
                        self._slots.release()
                if claimed is None:
                    await self._sleep()
                    continue
                tenant_id = claimed[0].tenant_id
                self._running[tenant_id] += 1
                group.create_task(self._do(*claimed)).add_done_callback(lambda _, who=tenant_id: self._free(who))  # type: ignore[misc]  # mypy loses the callback's parameters

    def _free(self, tenant_id: str) -> None:
        self._running[tenant_id] -= 1
        if not self._running[tenant_id]:
            del self._running[tenant_id]
        self._slots.release()
        # What waited for this one's share may have its turn.
        self._news.set()

    async def _sleep(self) -> None:
        pause = await self._pause()
        # Not wait_for: before Python 3.12 it loses a cancellation that comes with the news.
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._news.wait()

    async def _pause(self) -> float:
        """Until the next job is due, or a lease runs out."""
        try:
            async with self._database.platform() as connection:
                due = (await connection.execute(self._waiting)).scalar_one()
        except PlatformError:
            return AWAY_SECONDS
        return self._poll if due is None else min(self._poll, float(due))

    def _full(self) -> list[str]:
        """Tenants that have their share of the slots."""
        share = max(1, self._concurrency // (len(self._running) + 1))
        return [tenant_id for tenant_id, count in self._running.items() if count >= share]

    async def _claim(self) -> tuple[Job, bytes] | None:
        try:
            async with self._database.platform() as connection:
                found = await connection.execute(self._claiming, {"full": list(self._full())})
                row = found.one_or_none()
        except PlatformError as error:
            log.warning("cannot take jobs", reason=error.reason)
            return None
        if row is None:
            return None
        return Job(row.id, row.kind, row.tenant_id, row.payload, row.attempts), bytes(row.context)

    async def _do(self, job: Job, delegated: bytes) -> None:
        beating = asyncio.create_task(self._heartbeat(job))
        try:
            await self._try(job, delegated)
        except PlatformError as error:
            # The database is away: the lease runs out, and the job is done again.
            log.warning("how a job ended was not written", job_id=job.id, kind=job.kind, reason=error.reason)
        finally:
            beating.cancel()

    async def _try(self, job: Job, delegated: bytes) -> None:
        problem: PlatformError | None = None
        try:
            context.enter(self._verifier.verify(delegated, METHOD))
            await self._handlers[job.kind](job)
        except PlatformError as error:
            problem = error
        except Exception:
            log.exception("a job failed unexpectedly", job_id=job.id, kind=job.kind)
            problem = PlatformError()
        if problem is None:
            await self._finish(job)
        else:
            await self._again_or_never(job, problem)

    async def _again_or_never(self, job: Job, error: PlatformError) -> None:
        passing = isinstance(error, Unavailable | DeadlineExceeded) or type(error) is PlatformError
        # Who waits for a limit has not failed: it may take many minutes, or days, and goes on in each.
        limited = isinstance(error, ResourceExhausted)
        if limited or (passing and job.attempt < MAX_ATTEMPTS):
            pause = error.retry_after or (LIMITED_SECONDS if limited else min(MAX_PAUSE_SECONDS, 2**job.attempt))
            log.warning("a job waits", job_id=job.id, kind=job.kind, reason=error.reason, seconds=pause)
            spent = job.attempt - 1 if limited else job.attempt
            await self._change(job, attempts=-spent, run_at=_in_seconds(pause))
            return
        log.warning("a job is given up", job_id=job.id, kind=job.kind, reason=error.reason)
        await self._failed(job, error)
        await self._finish(job)

    async def _heartbeat(self, job: Job) -> None:
        while True:
            await asyncio.sleep(self._lease_seconds / 3)
            try:
                await self._change(job, run_at=_in_seconds(self._lease_seconds))
            except PlatformError as error:
                log.warning("a lease was not renewed", job_id=job.id, reason=error.reason)

    async def _finish(self, job: Job) -> None:
        """Unless it was asked for again meanwhile: then it is due anew."""
        table = self._table
        async with self._database.platform() as connection:
            gone = table.delete().where(self._mine(job), table.c.payload == sa.cast(dict(job.payload), JSONB))
            if not (await connection.execute(gone)).rowcount:
                anew = table.update().where(self._mine(job)).values(attempts=0, run_at=sa.func.now())
                await connection.execute(anew)

    async def _change(self, job: Job, **values: Any) -> None:
        async with self._database.platform() as connection:
            await connection.execute(self._table.update().where(self._mine(job)).values(**values))

    def _mine(self, job: Job) -> sa.ColumnElement[bool]:
        """Who lost its lease to another changes nothing any more."""
        return sa.and_(self._table.c.id == job.id, self._table.c.attempts == job.attempt)


def _claiming(table: sa.Table, kinds: list[str], lease_seconds: float) -> sa.Executable:
    """Takes the job that has been due for longest, of no tenant in `full`. Made once: it is asked for as long as a
    process lives.
    """
    due = sa.select(table.c.id).where(
        table.c.run_at <= sa.func.now(),
        table.c.kind.in_(kinds),
        table.c.tenant_id.not_in(sa.bindparam("full", expanding=True, type_=table.c.tenant_id.type)),
    )
    due = due.order_by(table.c.run_at).limit(1).with_for_update(skip_locked=True)
    change = table.update().where(table.c.id == due.scalar_subquery())
    change = change.values(attempts=sa.func.abs(table.c.attempts) + 1, run_at=_in_seconds(lease_seconds))
    return change.returning(*table.c)


def _waiting(table: sa.Table, kinds: list[str]) -> sa.Executable:
    """Seconds until one is due of those that are not yet."""
    wait = sa.func.extract("epoch", sa.func.min(table.c.run_at) - sa.func.now())
    return sa.select(wait).where(table.c.run_at > sa.func.now(), table.c.kind.in_(kinds))


def _in_seconds(seconds: float) -> sa.ColumnElement[Any]:
    return sa.func.now() + sa.func.make_interval(0, 0, 0, 0, 0, 0, seconds)
