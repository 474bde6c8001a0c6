"""Calls whose end is told to the store while their answer goes out (decision 0021): which, and that nothing is lost."""

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import Any, cast

import pytest

from chassis.settings import RedisSettings
from gateway.limits import meter as meters
from gateway.limits.leases import Lease
from gateway.limits.meter import Meter
from gateway.limits.quotas import headers
from gateway.limits.resp import RespClient
from tests.conftest import BOTH_SERVERS
from tests.integration.meter_killed import AT_ONCE, LINES
from tests.integration.test_meter import Bench, tokens
from usage_service.adapters.stream import ValkeyEvents
from usage_service.adapters.valkey import PREFIX, partition_of
from usage_service.domain.limits import Subject

pytestmark = BOTH_SERVERS
ROOM = {"requests_per_minute": 100, "tokens_per_minute": 10_000, "tokens_per_day": 10_000, "concurrent_requests": 30}


@pytest.fixture
async def bench(valkey: RedisSettings) -> AsyncIterator[Bench]:
    """With the meter as a gateway has it."""
    bench = Bench(valkey)
    bench.meter = Meter(bench.resp, bench.ensure)
    await bench.functions.load()
    yield bench
    bench.resp.close()
    await bench.redis.aclose()


async def reserve(bench: Bench, **asked: object) -> Lease:
    return await bench.meter.reserve(bench.admission(tokens=100, output_tokens=300, output_bounded=True, **asked))


async def state(bench: Bench) -> list[Any]:
    """The rows of all limits as the store has them."""
    answer = await bench.redis.fcall(PREFIX + "limits_state", 1, partition_of(bench.tenant), bench.tenant, "", "")
    rows: list[Any] = answer[1:]
    return rows


def by_limit(rows: Sequence[Any]) -> list[tuple[Any, ...]]:
    return list(zip(*[iter(rows)] * 5, strict=True))


async def test_who_leaves_room_does_not_wait_and_knows_what_is_left(bench: Bench) -> None:
    rng = random.Random(7)  # noqa: S311  # no secret
    bench.limits = ROOM | {"tokens_total": 10**6}
    for _ in range(4):
        lease = await reserve(bench)
        assert lease.reserved == 400
        lines = [tokens(rng.randrange(200)), tokens(rng.randrange(500), "output_tokens")]
        await bench.meter.settle(lease, lines, told=True)
        assert bench.meter.settlements.waiting == 1
        # Whoever asks from then on is answered as if it had waited; what is left is what the store says, but for when.
        assert [row[:4] for row in by_limit(lease.rows)] == [row[:4] for row in by_limit(await state(bench))]
    await bench.meter.ping()
    assert (bench.meter.settlements.waiting, bench.meter.settlements.kept) == (0, 4)


@pytest.mark.parametrize(
    ("limits", "asked"),
    [
        ({"concurrent_requests": 10}, {}),
        ({"requests_per_minute": 10}, {}),
        ({"tokens_per_day": 4399}, {}),
        ({"tokens_per_minute": 10_000}, {"characters": 5}),
        ({"tokens_per_minute": 10_000}, {"audio_milliseconds": 5}),
        ({"tokens_per_minute": 10_000, "cost_nano_usd_per_day": 10**9}, {}),
    ],
)
async def test_who_leaves_no_room_or_has_a_price_waits(
    bench: Bench,
    limits: dict[str, int],
    asked: dict[str, int],
) -> None:
    bench.limits = limits
    lease = await reserve(bench, **asked)
    assert lease.reserved == -1
    await bench.meter.settle(lease, [tokens(90)], told=True)
    assert (bench.meter.settlements.waiting, bench.meter.settlements.kept) == (0, 1)


async def test_what_an_old_admission_told_is_asked_anew(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.limits = ROOM
    long, short = await reserve(bench), await reserve(bench)
    await bench.meter.settle(short, [tokens(50)], told=True)
    monkeypatch.setattr(meters, "FRESH_SECONDS", 0.0)
    await bench.meter.settle(long, [tokens(50)], told=True)
    assert bench.meter.settlements.waiting == 0
    assert dict(headers(long.rows))[b"x-ratelimit-remaining-tokens"] == b"9900"


async def test_a_store_of_an_older_revision_is_waited_for(bench: Bench) -> None:
    class Older(RespClient):
        def call(self, *command: str | bytes | int, at_once: bool = False) -> Awaitable[Any]:
            asked = command[:-1] if command[1] == PREFIX + "reserve" else command
            return super().call(*asked, at_once=at_once)

    bench.limits = ROOM
    older = Older(bench.place)
    meter = Meter(older, bench.ensure)
    lease = await meter.reserve(bench.admission(tokens=100, output_bounded=True))
    assert (lease.reserved, len(lease.rows)) == (-1, 5 * len(ROOM))
    await meter.settle(lease, [tokens(50)], told=True)
    assert (meter.settlements.waiting, await bench.used("tokens_per_day")) == (0, 50)
    older.close()


async def test_what_the_store_does_not_take_is_told_again(bench: Bench) -> None:
    """It has lost the lease, or has started anew, or the connection is gone."""
    bench.limits = ROOM
    partition = partition_of(bench.tenant)
    lost, shut, cut = [await reserve(bench) for _ in range(3)]
    # As a store that started anew without its last writes.
    await bench.redis.hdel(f"{partition}:leases", lost.id)
    await bench.redis.hincrby(f"{partition}:books", "admitted", -1)
    await bench.redis.delete(*[key async for key in bench.redis.scan_iter(f"{partition}:ended:*")])
    await bench.meter.settle(lost, [tokens(90)], told=True)
    await bench.meter.ping()
    assert bench.meter.settlements.waiting == 1
    head = cast(bytes, await bench.redis.get(f"{partition}:head"))
    await bench.redis.delete(f"{partition}:head")
    await bench.meter.settle(shut, [tokens(80)], told=True)
    await bench.meter.ping()
    assert bench.meter.settlements.waiting == 2
    await bench.redis.set(f"{partition}:head", head)
    settling = asyncio.create_task(bench.meter.settle(cut, [tokens(70)], told=True))
    await asyncio.sleep(0)
    bench.resp.close()
    await settling
    await bench.meter.drain(5)
    assert (bench.meter.settlements.waiting, bench.meter.settlements.kept) == (0, 3)
    found = await booked(bench)
    assert sorted(line.amount for lease in (lost, shut, cut) for line in found[lease.id]) == [70, 80, 90]


async def test_a_gateway_that_is_killed_has_lost_nothing_that_it_answered(bench: Bench) -> None:
    bench.limits = {"requests_per_day": 1000, "tokens_per_day": 10**6}
    await bench.compile(Subject("tenant", bench.tenant, 1, bench.limits))
    host, port, password = bench.place.host, bench.place.port, bench.place.password.get_secret_value()
    server = int((await bench.redis.info("server"))["process_id"])
    told = {"METER_TENANT": bench.tenant, "METER_PASSWORD": password, "METER_PID": str(server)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.integration.meter_killed", host, str(port),
        env=os.environ | told, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        waiting, _ = await process.communicate()
    finally:
        os.kill(server, signal.SIGCONT)
    assert process.returncode == -9
    # It had heard of none of the last ones.
    assert int(waiting) == AT_ONCE
    found = await booked(bench)
    assert len(found) == AT_ONCE + 3
    assert {tuple(line.amount for line in lines) for lines in found.values()} == {tuple(line.amount for line in LINES)}
    assert await bench.used("tokens_per_day") == 11 * (AT_ONCE + 3)


async def booked(bench: Bench) -> dict[str, tuple[Any, ...]]:
    """The lines of what has ended, by lease."""
    entries = await ValkeyEvents(bench.redis, 3600).read({}, 1_000_000, 0.1)
    events = [entry.event for entry in entries if entry.event and entry.event.tenant_id == bench.tenant]
    assert len({event.id for event in events}) == len(events)
    return {event.id: event.lines for event in events}
