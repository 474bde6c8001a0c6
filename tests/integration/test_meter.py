"""The function library on the real Valkey, through the gateway's own client."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from chassis.errors import LASTING
from chassis.settings import RedisSettings
from gateway.limits.leases import Admission, Lease, Line
from gateway.limits.meter import Meter
from gateway.limits.quotas import headers
from gateway.limits.refusals import RateLimited
from gateway.limits.resp import RespClient
from tests.conftest import BOTH_SERVERS
from tests.integration.meter_heard import HeardMeter
from usage_service.adapters.stream import ValkeyEvents
from usage_service.adapters.valkey import PREFIX, ValkeyMeter, number_of, partition_of
from usage_service.domain.ledger import START, Entry
from usage_service.domain.limits import Standing, Subject

pytestmark = BOTH_SERVERS


class Bench:
    """A meter with the limits that a test asks for."""

    def __init__(self, settings: RedisSettings) -> None:
        password = settings.password.get_secret_value()
        self.redis = Redis(host=settings.host, port=settings.port, password=password)
        self.functions = ValkeyMeter(self.redis)
        self.place = settings
        self.resp = RespClient(settings)
        self.limits: dict[str, int] = {}
        self.meter: Meter = HeardMeter(self.resp, self.ensure)
        self.tenant = str(uuid4())

    async def ensure(self, admission: Admission) -> None:
        subjects = [Subject("tenant", admission.tenant_id, admission.tenant_version, self.limits)]
        if admission.key_version:
            subjects.append(Subject("key", admission.key_id, admission.key_version, admission.key_limits))
        await self.compile(*subjects)

    async def compile(self, *subjects: Subject, standing: Standing = Standing()) -> None:  # noqa: B008  # frozen
        await self.functions.open({number_of(self.tenant): START})
        opening = await self.functions.opening(self.tenant)
        for subject in subjects:
            assert await self.functions.compile(self.tenant, opening, subject, standing)

    def admission(self, **changes: object) -> Admission:
        given: dict[str, object] = {"tenant_id": self.tenant, "plan": "free", "tenant_version": 1, "request_id": "r"}
        return Admission(**(given | {"service": "llm"} | changes))  # type: ignore[arg-type]

    async def expire(self, lease: Lease) -> None:
        """As if nobody had renewed it."""
        answer = await self.redis.fcall(
            PREFIX + "checkpoint", 1, partition_of(self.tenant), lease.id, self.tenant, 0, ""
        )
        assert answer == [b"OK"]

    async def used(self, name: str) -> int:
        return next(row.used for row in await self.functions.limits(self.tenant, "", "") if row.name == name)


@pytest.fixture
async def bench(valkey: RedisSettings) -> AsyncIterator[Bench]:
    bench = Bench(valkey)
    await bench.functions.load()
    yield bench
    bench.resp.close()
    await bench.redis.aclose()


def tokens(amount: int, unit: str = "input_tokens") -> Line:
    return Line("llm", "m", "local", unit, amount)


async def outcomes(bench: Bench, count: int, **changes: object) -> tuple[list[Lease], list[RateLimited]]:
    calls = (bench.meter.reserve(bench.admission(**changes)) for _ in range(count))
    found = await asyncio.gather(*calls, return_exceptions=True)
    unexpected = [item for item in found if not isinstance(item, Lease | RateLimited)]
    assert not unexpected
    return [i for i in found if isinstance(i, Lease)], [i for i in found if isinstance(i, RateLimited)]


@pytest.mark.parametrize("name", ["requests_per_minute", "requests_per_day", "concurrent_requests"])
async def test_exactly_the_limit_is_admitted_of_a_thousand_at_once(bench: Bench, name: str) -> None:
    bench.limits = {name: 100}
    admitted, refused = await outcomes(bench, 1000)
    assert (len(admitted), len(refused)) == (100, 900)
    assert refused[0].metadata["limit"] == name
    assert refused[0].retry_after
    assert refused[0].retry_after >= 1


async def test_a_refusal_consumes_nothing(bench: Bench) -> None:
    bench.limits = {"requests_per_minute": 5, "tokens_per_minute": 100}
    admitted, refused = await outcomes(bench, 10, tokens=40, output_bounded=True)
    assert (len(admitted), len(refused)) == (2, 8)
    assert await bench.used("requests_per_minute") == 2
    assert await bench.used("tokens_per_minute") == 80


async def test_what_can_be_done_meanwhile_is_done_where_nothing_else_is_under_way(bench: Bench) -> None:
    bench.limits = {"requests_per_minute": 11}
    leases: list[str] = []

    async def reserve() -> Lease:
        return await bench.meter.reserve(bench.admission(), leases.append)

    async def alone() -> Lease:
        lease = await reserve()
        await bench.meter.settle(lease, [])
        return lease

    # Of the first call there was no connection yet, and no limits.
    await alone()
    assert not leases
    assert [(await alone()).id for _ in range(2)] == leases
    # Of many at once it is done for the first; who comes after them is the first that is alone again.
    for lease in await asyncio.gather(*(reserve() for _ in range(6))):
        await bench.meter.settle(lease, [])
    assert len(leases) == 3
    await alone()
    assert len(leases) == 3
    await alone()
    for _ in range(3):
        with pytest.raises(RateLimited):
            await reserve()
    # Who was refused is not believed the next time.
    assert len(leases) == 5


async def test_settling_corrects_the_estimate_and_frees_the_slot(bench: Bench) -> None:
    bench.limits = {"tokens_per_minute": 1000, "tokens_per_day": 1000, "concurrent_requests": 1}
    lease = await bench.meter.reserve(bench.admission(tokens=100, output_tokens=500, output_bounded=True))
    assert await bench.used("tokens_per_minute") == 600
    await bench.meter.settle(lease, [tokens(90), tokens(30, "output_tokens")])
    assert await bench.used("tokens_per_minute") == 120
    assert await bench.used("tokens_per_day") == 120
    assert await bench.used("concurrent_requests") == 0


async def test_who_settles_is_told_what_is_left_after_it(bench: Bench) -> None:
    bench.limits = {"tokens_per_minute": 1000, "requests_per_day": 5}
    lease = await bench.meter.reserve(bench.admission(tokens=100, output_tokens=500, output_bounded=True))
    assert dict(headers(lease.rows))[b"x-ratelimit-remaining-tokens"] == b"400"
    await bench.meter.settle(lease, [tokens(90), tokens(30, "output_tokens")], told=True)
    told = dict(headers(lease.rows))
    assert (told[b"x-ratelimit-remaining-tokens"], told[b"x-ratelimit-remaining-requests"]) == (b"880", b"4")


@pytest.mark.parametrize(
    ("name", "limit", "asked", "text"),
    [
        ("tokens_per_day", 100, 40, "80 of 100 used, 20 left. Try again in "),
        ("tokens_per_day", 100, 101, "0 of 100 used, 100 left. This call alone may use 101: ask for less"),
        ("tokens_total", 100, 40, "80 of 100 used, 20 left. Time does not free it"),
        ("concurrent_requests", 2, 40, "2 of 2 used, 0 left. Try again when a call of yours has ended."),
    ],
)
async def test_a_refusal_says_how_much_is_left_and_when_to_come_back(
    bench: Bench, name: str, limit: int, asked: int, text: str
) -> None:
    bench.limits = {name: limit}
    _, refused = await outcomes(bench, 3, tokens=asked, output_bounded=True)
    state = "is exhausted" if " 0 left" in text else "has too little left for this call"
    assert f"The limit {name} of this tenant {state}: {text}" in refused[0].message
    # When the limit is whole again is told even where that does not help this call.
    assert (refused[0].retry_after is not None) is (name != "tokens_total")
    assert (LASTING in refused[0].metadata) is ("Try again" not in text)


async def test_of_limits_that_bind_the_one_that_no_time_frees_is_told(bench: Bench) -> None:
    bench.limits = {"tokens_per_day": 100, "tokens_total": 150}
    _, (refused, *_) = await outcomes(bench, 3, tokens=80, output_bounded=True)
    assert (refused.metadata["limit"], refused.retry_after) == ("tokens_total", None)


async def test_an_output_that_nobody_bounded_reserves_a_part_of_the_minute_at_most(bench: Bench) -> None:
    bench.limits = {"tokens_per_minute": 1000}
    await bench.meter.reserve(bench.admission(tokens=10, output_tokens=100_000))
    assert await bench.used("tokens_per_minute") == 260


async def test_a_lease_settles_once(bench: Bench) -> None:
    bench.limits = {"tokens_per_minute": 1000}
    lease = await bench.meter.reserve(bench.admission(tokens=100))
    await bench.meter.settle(lease, [tokens(10)])
    await bench.meter.settle(lease, [tokens(10)])
    answer = await bench.redis.fcall(
        PREFIX + "settle", 1, partition_of(bench.tenant), lease.id, bench.tenant, "settled", "[]"
    )
    assert answer[0] == b"CLOSED"
    assert await bench.used("tokens_per_minute") == 10


async def test_a_replayed_call_costs_nothing(bench: Bench) -> None:
    bench.limits = {"requests_per_minute": 10, "requests_per_day": 10, "tokens_per_minute": 100}
    lease = await bench.meter.reserve(bench.admission(tokens=50))
    await bench.meter.settle(lease, [], "replayed")
    assert [await bench.used(name) for name in bench.limits] == [0, 0, 0]


async def test_an_expired_lease_is_swept_and_a_late_settlement_corrects_it_once(bench: Bench) -> None:
    bench.limits = {"tokens_per_minute": 1000, "concurrent_requests": 5}
    lease = await bench.meter.reserve(bench.admission(tokens=100, output_tokens=300, output_bounded=True))
    before = await bench.functions.books()
    partition = partition_of(bench.tenant)
    await bench.expire(lease)
    assert await bench.redis.fcall(PREFIX + "sweep", 1, partition, 10) == 1
    after = await bench.functions.books()
    assert (after.abandoned - before.abandoned, after.live - before.live) == (1, -1)
    assert after.balanced
    assert await bench.used("tokens_per_minute") == 100
    assert await bench.used("concurrent_requests") == 0
    await bench.meter.settle(lease, [tokens(100), tokens(80, "output_tokens")])
    assert await bench.used("tokens_per_minute") == 180
    again = await bench.redis.fcall(PREFIX + "settle", 1, partition, lease.id, bench.tenant, "settled", "[]")
    assert again[0] == b"CLOSED"
    assert (await bench.functions.books()).balanced


async def test_a_keys_own_limit_binds_beside_the_tenants(bench: Bench) -> None:
    bench.limits = {"requests_per_minute": 100}
    key = {"key_id": "k1" + bench.tenant, "key_version": 1, "key_limits": {"requests_per_minute": 3}}
    admitted, refused = await outcomes(bench, 10, **key)
    assert (len(admitted), len(refused)) == (3, 7)
    assert refused[0].metadata["scope"] == "key"
    assert await bench.used("requests_per_minute") == 3


async def test_a_newer_version_of_the_limits_is_asked_for_and_an_older_never_comes_back(bench: Bench) -> None:
    bench.limits = {"requests_per_minute": 1}
    await bench.meter.reserve(bench.admission())
    bench.limits = {"requests_per_minute": 5}
    await bench.meter.reserve(bench.admission(tenant_version=2))
    await bench.compile(Subject("tenant", bench.tenant, 1, {"requests_per_minute": 1}))
    admitted, _ = await outcomes(bench, 10, tenant_version=1)
    assert len(admitted) == 3


async def test_management_calls_have_a_limit_of_their_own_and_open_no_lease(bench: Bench) -> None:
    bench.limits = {"requests_per_minute": 1, "requests_per_day": 1, "management_requests_per_minute": 4}
    before = await bench.functions.books()
    admitted, refused = await outcomes(bench, 6, kind="management")
    assert (len(admitted), len(refused)) == (4, 2)
    assert await bench.used("requests_per_day") == 0
    assert await bench.functions.books() == before


async def test_storage_is_a_gauge_that_deleting_gives_back(bench: Bench) -> None:
    bench.limits = {"storage_bytes": 1000}
    upload = await bench.meter.reserve(bench.admission(storage_bytes=900))
    with pytest.raises(RateLimited) as caught:
        await bench.meter.reserve(bench.admission(storage_bytes=200))
    assert caught.value.metadata["limit"] == "storage_bytes"
    await bench.meter.settle(upload, [Line("rag", "", "", "stored_bytes", 800)])
    assert await bench.used("storage_bytes") == 800
    delete = await bench.meter.reserve(bench.admission(kind="effect"))
    await bench.meter.settle(delete, [Line("rag", "", "", "stored_bytes", -800)])
    assert await bench.used("storage_bytes") == 0


async def test_amounts_beyond_2_to_the_53_are_refused(bench: Bench) -> None:
    bench.limits = {"tokens_per_day": 2**53}
    lease = await bench.meter.reserve(bench.admission(tokens=2**53 - 1, output_bounded=True))
    assert await bench.used("tokens_per_day") == 2**53 - 1
    await bench.meter.settle(lease, [tokens(2**53 - 1)])
    with pytest.raises(Exception, match="out of range"):
        await bench.meter.reserve(bench.admission(tokens=2**53 + 2))


async def test_a_settlement_appends_one_event_with_its_lines(bench: Bench) -> None:
    bench.limits = {}
    lease = await bench.meter.reserve(bench.admission(request_id="req-7", user_id="u", model="m"))
    await bench.meter.settle(lease, [tokens(7)], "partial")
    entries: list[Entry] = await ValkeyEvents(bench.redis, 3600).read({}, 100_000, 0.1)
    found = [entry.event for entry in entries if entry.event and entry.event.id == lease.id]
    assert [(event.kind, event.status.value, event.request_id) for event in found] == [("settle", "partial", "req-7")]
    assert found[0].lines[0].amount == 7


@pytest.mark.parametrize("turns", [0, 1])
async def test_who_is_cancelled_while_it_settles_is_booked_once(bench: Bench, turns: int) -> None:
    """Before the command was sent, or while its reply is awaited: there is no room for another like it before."""
    bench.limits = {"tokens_per_day": 1000, "concurrent_requests": 1}
    lease = await bench.meter.reserve(bench.admission(tokens=100, output_bounded=True))
    settling = asyncio.create_task(bench.meter.settle(lease, [tokens(90)]))
    await asyncio.sleep(0)
    for _ in range(turns):
        await asyncio.sleep(0)
    settling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await settling
    assert bench.meter.settlements.waiting == 1
    await bench.meter.drain(5)
    assert bench.meter.settlements.waiting == 0
    assert await bench.used("tokens_per_day") == 90
    assert await bench.used("concurrent_requests") == 0


async def test_a_cancelled_caller_leaves_its_reply_behind(bench: Bench) -> None:
    bench.limits = {}
    await bench.meter.reserve(bench.admission())

    async def echo(number: int) -> bytes:
        answer: bytes = await bench.resp.call("ECHO", str(number))
        return answer

    tasks = [asyncio.create_task(echo(number)) for number in range(200)]
    await asyncio.sleep(0)
    for task in tasks[::3]:
        task.cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    for number, answer in enumerate(answers):
        assert isinstance(answer, asyncio.CancelledError) if number % 3 == 0 else answer == str(number).encode()


async def test_headers_tell_of_the_limit_with_the_least_left(bench: Bench) -> None:
    bench.limits = {"requests_per_minute": 10, "requests_per_day": 3, "tokens_per_minute": 100}
    lease = await bench.meter.reserve(bench.admission(tokens=40))
    told = dict(headers(lease.rows))
    assert told[b"x-ratelimit-limit-requests"] == b"3"
    assert told[b"x-ratelimit-remaining-requests"] == b"2"
    assert told[b"x-ratelimit-remaining-tokens"] == b"60"
    assert b'"requests_per_day";q=3;w=86400' in told[b"ratelimit-policy"]
