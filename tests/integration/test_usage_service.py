"""From the meter's streams to the ledger, and what a tenant reads there: real Valkey, real PostgreSQL."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from aisp.common.v1 import usage_pb2
from aisp.usage.v1 import usage_service_pb2 as pb
from aisp.usage.v1.usage_service_pb2_grpc import UsageServiceStub
from prometheus_client import REGISTRY
from pydantic import SecretStr
from sqlalchemy import text

from chassis.context import RequestContext
from chassis.database import Database
from chassis.errors import LASTING, InvalidArgument, PermissionDenied, PlatformError, ResourceExhausted
from chassis.jobs import Jobs
from chassis.settings import DatabaseSettings, RedisSettings, WireSettings
from gateway.limits.leases import Admission, Line
from gateway.limits.meter import Meter
from gateway.limits.resp import RespClient
from tests.conftest import BOTH_SERVERS
from tests.integration.conftest import ROOT, Serve
from tests.integration.meter_heard import HeardMeter
from usage_service.adapters.valkey import number_of, partition
from usage_service.app import Worker, compose, compose_worker
from usage_service.repository.store import PostgresStore
from usage_service.repository.tables import jobs
from usage_service.settings import Settings

pytestmark = BOTH_SERVERS


class Platform:
    """The service, its worker and a gateway's meter."""

    def __init__(self, stub: UsageServiceStub, worker: Worker, meter: Meter, store: PostgresStore) -> None:
        self.stub = stub
        self.worker = worker
        self.meter = meter
        self.store = store
        self.tenant = str(uuid4())

    @property
    def context(self) -> RequestContext:
        return RequestContext("r-9", tenant_id=self.tenant, user_id="u")

    def admission(self, **changes: object) -> Admission:
        given = {"tenant_id": self.tenant, "plan": "pro", "tenant_version": 1, "request_id": "r-9", "service": "llm"}
        return Admission(**(given | changes))  # type: ignore[arg-type]

    async def settle(self) -> None:
        while await self.worker._ledger.move(1000, 0.05):
            pass


@pytest.fixture
async def platform(
    migrated: Callable[[str], DatabaseSettings], valkey: RedisSettings, serve: Serve
) -> AsyncIterator[Platform]:
    settings = Settings(
        database=migrated("usage_service"), redis=valkey, wire=WireSettings(secret=SecretStr(ROOT.decode()))
    )
    async with AsyncExitStack() as stack:
        stub = UsageServiceStub(await stack.enter_async_context(serve("usage_service", settings, compose)))
        worker = await stack.enter_async_context(compose_worker(settings))
        await worker._open()
        await worker._ledger.ensure_partitions()
        resp = RespClient(valkey)

        async def ensure(admission: Admission) -> None:
            asking = RequestContext(admission.request_id, tenant_id=admission.tenant_id)
            request = pb.EnsureLimitsRequest(plan=admission.plan, tenant_version=admission.tenant_version)
            await stub.EnsureLimits(request, context=asking)

        database = await stack.enter_async_context(Database(settings.database, "usage"))
        store = PostgresStore(database, Jobs(jobs, settings.keyring("usage_service")))
        yield Platform(stub, worker, HeardMeter(resp, ensure), store)
        resp.close()


CHAT = (
    Line("llm", "local/smollm2-135m-instruct", "local", "input_tokens", 1000),
    Line("llm", "local/smollm2-135m-instruct", "local", "output_tokens", 500),
)


async def test_a_call_is_on_the_books_with_its_price(platform: Platform) -> None:
    lease = await platform.meter.reserve(platform.admission(tokens=900, model="local/smollm2-135m-instruct"))
    await platform.meter.settle(lease, CHAT)
    await platform.settle()
    summary = await platform.stub.GetSummary(pb.GetSummaryRequest(), context=platform.context)
    assert summary.plan == "pro"
    assert (summary.totals.requests, summary.totals.input_tokens, summary.totals.output_tokens) == (1, 1000, 500)
    # 1,000 tokens at 0.01 and 500 at 0.02 dollars a million: 20 millionths of a dollar.
    assert summary.totals.cost_nano_usd == 20_000
    assert [row.name for row in summary.by_model] == ["local/smollm2-135m-instruct"]
    limits = {row.name: (row.limit, row.used) for row in summary.limits}
    assert limits["requests_per_day"] == (1000, 1)
    assert limits["tokens_per_minute"] == (100_000, 1500)
    events = (await platform.stub.ListEvents(pb.ListEventsRequest(), context=platform.context)).events
    assert [(event.id, event.request_id, event.provider) for event in events] == [(lease.id, "r-9", "local")]
    assert sum(line.cost_nano_usd for line in events[0].lines) == 20_000
    daily = (await platform.stub.ListDaily(pb.ListDailyRequest(), context=platform.context)).days
    assert [(day.date, day.service, day.amounts.requests) for day in daily] == [
        (datetime.now(UTC).date().isoformat(), "llm", 1)
    ]


async def test_an_event_that_comes_twice_is_booked_once_and_a_contradiction_is_kept_apart(platform: Platform) -> None:
    lease = await platform.meter.reserve(platform.admission())
    await platform.meter.settle(lease, CHAT)
    entries = await platform.worker._stream.read({}, 100_000, 0.05)
    events = [entry.event for entry in entries if entry.event and entry.event.id == lease.id]
    ledger = platform.worker._ledger
    assert await ledger.book(events) == 1
    assert await ledger.book(events) == 0
    assert await ledger.book([replace(event, lines=()) for event in events]) == 0
    summary = await platform.stub.GetSummary(pb.GetSummaryRequest(), context=platform.context)
    assert summary.totals.input_tokens == 1000


async def test_rollups_can_be_rebuilt_from_events(platform: Platform) -> None:
    for _ in range(3):
        await platform.meter.settle(await platform.meter.reserve(platform.admission()), CHAT)
    await platform.settle()
    today = datetime.now(UTC).date()
    async with platform.store.transaction(platform.tenant) as repository:
        before = await repository.list_rollups(platform.tenant, today, today)
    await platform.worker._ledger.rebuild(platform.tenant)
    async with platform.store.transaction(platform.tenant) as repository:
        assert await repository.list_rollups(platform.tenant, today, today) == before
    assert sum(row.amounts.input_tokens for row in before) == 3000


async def test_a_rollup_that_says_something_else_is_found_named_and_mended(platform: Platform) -> None:
    """A difference is planted behind the service's back: in every unit, by a row too many, by a row that is gone."""
    for _ in range(3):
        await platform.meter.settle(await platform.meter.reserve(platform.admission()), CHAT)
    await platform.settle()
    operator = RequestContext("op", tenant_id=str(uuid4()), operator=True)

    async def proof() -> pb.GetInvariantsResponse:
        found: pb.GetInvariantsResponse = await platform.stub.GetInvariants(pb.GetInvariantsRequest(), context=operator)
        return found

    async def mine() -> dict[str, tuple[int, int]]:
        rows = (await proof()).differences
        return {row.unit: (row.ledger, row.rollups) for row in rows if row.tenant_id == platform.tenant}

    async def plant(change: str) -> None:
        async with platform.store.transaction(platform.tenant) as repository:
            await repository._db.execute(text(change), {"tenant": platform.tenant})

    before = await proof()
    assert before.balanced
    assert before.events >= 3
    assert before.ledger == before.rollups
    await plant("UPDATE rollups SET input_tokens = input_tokens + 1 WHERE tenant_id = :tenant AND input_tokens > 0")
    assert await mine() == {"input_tokens": (3000, 3001)}
    assert not (await proof()).balanced
    await platform.worker._ledger.rebuild(platform.tenant)
    assert not await mine()
    await plant("DELETE FROM rollups WHERE tenant_id = :tenant")
    assert await mine() == {
        "requests": (3, 0), "input_tokens": (3000, 0), "output_tokens": (1500, 0), "cost_nano_usd": (60_000, 0)
    }  # fmt: skip
    await platform.worker._proofs.watch()
    assert REGISTRY.get_sample_value("aisp_usage_ledger_differences") == 4
    await platform.worker._ledger.rebuild(platform.tenant)
    await plant("INSERT INTO rollups SELECT tenant_id, day + 1, service, model, 0, 0, 0, 1, 2, 3, 4 FROM rollups "
                "WHERE tenant_id = :tenant LIMIT 1")  # fmt: skip
    assert await mine() == {
        "characters": (0, 1), "audio_milliseconds": (0, 2), "stored_bytes": (0, 3), "cost_nano_usd": (0, 4)
    }  # fmt: skip
    await platform.worker._ledger.rebuild(platform.tenant)
    assert (await proof()).balanced


async def test_one_tenant_never_reads_anothers_rows(platform: Platform) -> None:
    await platform.meter.settle(await platform.meter.reserve(platform.admission()), CHAT)
    await platform.settle()
    stranger = RequestContext("r", tenant_id=str(uuid4()))
    assert not (await platform.stub.ListEvents(pb.ListEventsRequest(), context=stranger)).events
    async with platform.store.transaction(stranger.tenant_id) as repository:
        assert await repository.all_events(platform.tenant) == []


async def test_a_job_reserves_and_settles_through_the_service(platform: Platform) -> None:
    await platform.stub.EnsureLimits(pb.EnsureLimitsRequest(plan="free", tenant_version=1), context=platform.context)
    request = pb.ReserveRequest(tokens=9000, service="rag")
    lease = await platform.stub.Reserve(request, context=platform.context)
    with pytest.raises(ResourceExhausted) as caught:
        await platform.stub.Reserve(request, context=platform.context)
    assert caught.value.reason == "RATE_LIMITED"
    assert caught.value.metadata["limit"] == "tokens_per_minute"
    await platform.stub.Settle(pb.SettleRequest(lease_id=lease.lease_id), context=platform.context)
    await platform.stub.Reserve(request, context=platform.context)


async def test_nobody_ends_another_tenants_lease(platform: Platform) -> None:
    """Not in the tenant's own partition, where the store knows whose it is, and not elsewhere, where it knows nothing
    of it: nothing is booked for the stranger. Whose it is ends it, though the store has lost it.
    """
    number = number_of(platform.tenant)
    near = next(name for name in (str(uuid4()) for _ in range(100_000)) if number_of(name) == number)
    far = next(name for name in (str(uuid4()) for _ in range(100_000)) if number_of(name) != number)
    strangers = [RequestContext("r", tenant_id=name, user_id="u") for name in (near, far)]
    for context in (platform.context, *strangers):
        await platform.stub.EnsureLimits(pb.EnsureLimitsRequest(plan="free", tenant_version=1), context=context)
    request = pb.ReserveRequest(tokens=100, service="rag")
    lease = (await platform.stub.Reserve(request, context=platform.context)).lease_id
    lost = (await platform.stub.Reserve(request, context=platform.context)).lease_id
    # As a torn tail of the store's log loses it: whole, with its admission.
    store = platform.worker._meter._client
    await store.hdel(f"{partition(number)}:leases", lost)
    ended = [f"{partition(number)}:ended:{int(time.time() // 300) - before}" for before in (0, 1)]
    assert sum([await store.srem(name, lost) for name in ended]) == 1
    await store.hincrby(f"{partition(number)}:books", "admitted", -1)
    usage = usage_pb2.Usage(lines=[usage_pb2.UsageLine(service="rag", unit=usage_pb2.UNIT_INPUT_TOKENS, amount=7)])
    for context in strangers:
        for name in (lease, lost):
            with pytest.raises(PlatformError) as caught:
                await platform.stub.Settle(pb.SettleRequest(lease_id=name, usage=usage), context=context)
            assert caught.value.reason == "LEASE_CLOSED"
    for name in (lease, lost):
        await platform.stub.Settle(pb.SettleRequest(lease_id=name, usage=usage), context=platform.context)
    await platform.settle()
    for context, booked in ((platform.context, {lease, lost}), *((context, set()) for context in strangers)):
        events = (await platform.stub.ListEvents(pb.ListEventsRequest(), context=context)).events
        assert {event.id for event in events} == booked


@pytest.mark.parametrize(
    ("limit", "asked", "used"),
    [
        ({"characters_per_day": 1000}, {"characters": 600}, usage_pb2.UNIT_CHARACTERS),
        ({"audio_seconds_per_day": 1}, {"audio_milliseconds": 600}, usage_pb2.UNIT_AUDIO_MILLISECONDS),
        ({"cost_nano_usd_total": 1_000_000}, {"tokens": 60_000, "model": CHAT[0].model}, usage_pb2.UNIT_INPUT_TOKENS),
        ({"storage_bytes": 1000}, {"storage_bytes": 600}, usage_pb2.UNIT_STORED_BYTES),
        ({"requests_per_day": 1}, {"counts_request": True}, usage_pb2.UNIT_INPUT_TOKENS),
    ],
)
async def test_work_behind_a_request_meets_every_kind_of_limit_and_is_booked_for_whom_it_is_done(
    platform: Platform, limit: dict[str, int], asked: dict[str, object], used: usage_pb2.Unit
) -> None:
    """A job's step, under the context that its request left behind: a second one is refused until the first has told
    that it used less; a checkpoint keeps the lease; what was used is in the books of the same tenant, user and key.
    """
    await platform.worker._prices.publish_changes()
    operator = RequestContext("op", tenant_id=str(uuid4()), operator=True)
    limits = pb.SetTenantLimitsRequest(tenant_id=platform.tenant, plan="enterprise", tenant_version=1, limits=limit)
    await platform.stub.SetTenantLimits(limits, context=operator)
    job = RequestContext("req-of-the-upload", tenant_id=platform.tenant, user_id="u", key_id="k")
    request = pb.ReserveRequest(service="speech", **asked)  # type: ignore[arg-type]
    lease = await platform.stub.Reserve(request, context=job)
    with pytest.raises(ResourceExhausted) as caught:
        await platform.stub.Reserve(request, context=job)
    assert caught.value.metadata["limit"] == next(iter(limit))
    assert "used" in caught.value.message
    lasts = next(iter(limit)) in ("storage_bytes", "cost_nano_usd_total")
    assert (caught.value.retry_after is None, LASTING in caught.value.metadata) == (lasts, lasts)
    line = usage_pb2.UsageLine(service="speech", model=CHAT[0].model, provider="local", unit=used, amount=7)
    usage = usage_pb2.Usage(lines=[line])
    await platform.stub.Checkpoint(pb.CheckpointRequest(lease_id=lease.lease_id, usage=usage), context=job)
    stranger = RequestContext("r", tenant_id=str(uuid4()))
    with pytest.raises(PlatformError):
        await platform.stub.Checkpoint(pb.CheckpointRequest(lease_id=lease.lease_id, usage=usage), context=stranger)
    await platform.stub.Settle(pb.SettleRequest(lease_id=lease.lease_id, usage=usage), context=job)
    if "requests_per_day" not in limit:
        again = await platform.stub.Reserve(request, context=job)
        await platform.stub.Settle(pb.SettleRequest(lease_id=again.lease_id), context=job)
    await platform.settle()
    (event,) = [
        event
        for event in (await platform.stub.ListEvents(pb.ListEventsRequest(), context=platform.context)).events
        if event.id == lease.lease_id
    ]
    assert (event.request_id, event.user_id, event.key_id) == ("req-of-the-upload", "u", "k")
    assert [row.usage.amount for row in event.lines] == [7]
    assert event.amounts.requests == int(bool(asked.get("counts_request")))


async def test_own_limits_replace_the_plans_and_are_in_force_at_once(platform: Platform) -> None:
    await platform.meter.reserve(platform.admission())
    operator = RequestContext("op", tenant_id=str(uuid4()), operator=True)
    request = pb.SetTenantLimitsRequest(
        tenant_id=platform.tenant, plan="pro", tenant_version=2, limits={"requests_per_day": 1}
    )
    with pytest.raises(PermissionDenied):
        await platform.stub.SetTenantLimits(request, context=platform.context)
    answer = await platform.stub.SetTenantLimits(request, context=operator)
    assert answer.limits["requests_per_day"] == 1
    with pytest.raises(ResourceExhausted):
        await platform.meter.reserve(platform.admission())
    request.limits["requests_per_day"] = -1
    request.tenant_version = 3
    answer = await platform.stub.SetTenantLimits(request, context=operator)
    assert answer.limits["requests_per_day"] == 1000


@pytest.mark.parametrize("dates", [("x", ""), ("2026-02-30", ""), ("2026-02-02", "2026-02-01"), ("1990-01-01", "")])
async def test_bad_dates_are_refused(platform: Platform, dates: tuple[str, str]) -> None:
    request = pb.GetSummaryRequest(from_date=dates[0], to_date=dates[1])
    with pytest.raises(InvalidArgument) as caught:
        await platform.stub.GetSummary(request, context=platform.context)
    assert caught.value.reason == "BAD_DATE_RANGE"


async def test_the_books_balance(platform: Platform) -> None:
    await platform.meter.reserve(platform.admission())
    operator = RequestContext("op", tenant_id=str(uuid4()), operator=True)
    books = await platform.stub.GetInvariants(pb.GetInvariantsRequest(), context=operator)
    assert books.balanced
    assert books.admitted == books.settled + books.abandoned + books.live
    assert books.live >= 1
