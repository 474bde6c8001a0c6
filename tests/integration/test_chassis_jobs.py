"""Runners of jobs sleep until there is something to do: these look by themselves once an hour."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any
from uuid import uuid4

import pytest

from chassis.background import for_ever
from chassis.context import Keyring, RequestContext
from chassis.database import Database
from chassis.errors import PlatformError, Unavailable
from chassis.job import Job
from chassis.jobs import CHANNEL, JobRunner, Jobs
from chassis.notifications import ANYTHING, Listener
from chassis.settings import DatabaseSettings
from tests.integration.conftest import ROOT
from tests.promptness import PATIENCE
from usage_service.repository.tables import jobs as table

NAME = "usage_service"
HOUR = 3600.0


class Works:
    """A kind of jobs of its own, so that tests side by side leave each other's alone."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.kind = uuid4().hex
        self.jobs = Jobs(table, Keyring(NAME, root=ROOT))
        self.done: Counter[str] = Counter()
        self.at_once: Counter[str] = Counter()
        self.changed = asyncio.Condition()
        self.go_on = asyncio.Event()
        self.go_on.set()

    def runner(self, concurrency: int = 4, lease_seconds: float = 30) -> JobRunner:
        options: dict[str, Any] = {"poll_seconds": HOUR, "concurrency": concurrency, "lease_seconds": lease_seconds}
        return JobRunner(
            self.database, table, Keyring(NAME, root=ROOT), {self.kind: self.work}, self.given_up, **options
        )

    async def work(self, job: Job) -> None:
        self.at_once[job.tenant_id] += 1
        await self._tell()
        await self.go_on.wait()
        if job.attempt <= job.payload.get("failures", 0):
            raise Unavailable(retry_after=0.2)
        self.done[job.tenant_id] += 1
        await self._tell()

    async def given_up(self, _job: Job, error: PlatformError) -> None:
        raise error

    async def ask(self, tenant: str = "", delay: float = 0, **payload: Any) -> str:
        tenant = tenant or str(uuid4())
        async with self.database.platform() as connection:
            calling = RequestContext("r", tenant_id=tenant, user_id="u")
            await self.jobs.enqueue(connection, self.kind, calling, payload, delay_seconds=delay)
        return tenant

    async def until(self, there: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE), self.changed:
            await self.changed.wait_for(there)

    async def _tell(self) -> None:
        async with self.changed:
            self.changed.notify_all()


@pytest.fixture
async def works(migrated: Callable[[str], DatabaseSettings]) -> AsyncIterator[Works]:
    async with Database(migrated(NAME), "usage") as database:
        yield Works(database)


async def stop(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def start(works: Works, runner: JobRunner) -> tuple[asyncio.Task[None], asyncio.Task[None]]:
    listener = Listener(works.database.dsn, CHANNEL, runner.told)
    return asyncio.create_task(runner.run()), asyncio.create_task(listener.run())


async def test_a_job_is_done_when_it_is_asked_for(works: Works) -> None:
    tasks = start(works, works.runner())
    for _ in range(3):
        tenant = await works.ask()
        await works.until(lambda who=tenant: works.done[who] == 1)  # type: ignore[misc]  # mypy loses the parameter
    await stop(*tasks)


async def test_one_that_was_asked_for_before_anybody_listened_is_found(works: Works) -> None:
    tenant = await works.ask()
    tasks = start(works, works.runner())
    await works.until(lambda: works.done[tenant] == 1)
    await stop(*tasks)


async def test_one_for_later_and_one_that_failed_are_done_when_they_are_due(works: Works) -> None:
    tasks = start(works, works.runner())
    later = await works.ask(delay=0.5)
    again = await works.ask(failures=2)
    await works.until(lambda: works.done[later] == 1 and works.done[again] == 1)
    await stop(*tasks)


async def test_what_a_dead_runner_had_is_done_when_its_lease_runs_out(works: Works) -> None:
    works.go_on.clear()
    dying = start(works, works.runner(lease_seconds=1))
    tenant = await works.ask()
    await works.until(lambda: works.at_once[tenant] == 1)
    await stop(*dying)
    works.go_on.set()
    tasks = start(works, works.runner())
    await works.until(lambda: works.done[tenant] == 1)
    await stop(*tasks)


async def test_a_tenant_over_its_share_goes_on_when_a_slot_is_free(works: Works) -> None:
    works.go_on.clear()
    tasks = start(works, works.runner(concurrency=3))
    tenant = await works.ask()
    for _ in range(4):
        await works.ask(tenant)
    await works.until(lambda: works.at_once[tenant] == 1)
    works.go_on.set()
    await works.until(lambda: works.done[tenant] == 5)
    await stop(*tasks)


async def test_jobs_of_another_kind_wake_nobody(works: Works) -> None:
    runner = works.runner()
    runner.told("something else")
    assert not runner._news.is_set()
    runner.told(works.kind)
    assert runner._news.is_set()


@pytest.mark.parametrize("steps", range(6))
async def test_a_runner_that_is_stopped_as_it_is_woken_does_stop(works: Works, steps: int) -> None:
    runner = works.runner()
    task = asyncio.create_task(runner.run())
    while not runner._news._waiters:  # until it sleeps
        await asyncio.sleep(0.01)
    runner.told(ANYTHING)
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    stopped, _ = await asyncio.wait({task}, timeout=PATIENCE)
    await stop(task)
    assert stopped


async def test_a_runner_that_fails_to_take_jobs_loses_no_place(works: Works, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it was: it is begun again (`chassis.background`), and has as many places as before."""
    runner, failures = works.runner(concurrency=1), [ValueError(), KeyError()]
    claim = runner._claim

    async def failing() -> Any:
        if failures:
            raise failures.pop()
        return await claim()

    monkeypatch.setattr(runner, "_claim", failing)
    tenant = await works.ask()
    works.go_on.set()
    running = asyncio.create_task(for_ever(runner.run, 0))
    try:
        await works.until(lambda: works.done[tenant] == 1)
    finally:
        await stop(running)
