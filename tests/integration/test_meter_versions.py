"""A rollout: gateways and usage services of this version and of the next at work on the same tenants."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import Any

import pytest

from chassis.settings import RedisSettings
from gateway.limits.leases import Lease
from gateway.limits.refusals import RateLimited
from gateway.limits.resp import Heard, RespClient
from tests.conftest import BOTH_SERVERS
from tests.integration.meter_heard import HeardMeter
from tests.integration.test_meter import Bench, tokens
from usage_service.adapters import library
from usage_service.adapters.stream import ValkeyEvents
from usage_service.adapters.valkey import PREFIX, ValkeyMeter, partition_of

pytestmark = BOTH_SERVERS

NEXT_NAME, NEXT_PREFIX = "aisp_meter_v4", "aisp_v4_"
NEXT = library.source().replace(library.NAME, NEXT_NAME).replace(f"'{PREFIX}'", f"'{NEXT_PREFIX}'")


class NextGateway(RespClient):
    """Calls the functions of the next version."""

    def call(self, *command: str | bytes | int, at_once: bool = False) -> Awaitable[Any]:
        return super().call(*self._named(command), at_once=at_once)

    def tell(self, heard: Heard, *command: str | bytes | int, at_once: bool = False) -> None:
        super().tell(heard, *self._named(command), at_once=at_once)

    def _named(self, command: Sequence[str | bytes | int]) -> list[str | bytes | int]:
        return [item.replace(PREFIX, NEXT_PREFIX) if isinstance(item, str) else item for item in command]


class NextService(ValkeyMeter):
    """The usage service of the next version."""

    async def _fcall(self, function: str, prefix: str, *arguments: Any) -> Any:
        return await self._client.fcall(NEXT_PREFIX + function, 1, prefix, *arguments)


class Rollout(Bench):
    """`meters`: a gateway of each version; `services`: likewise."""

    def __init__(self, settings: RedisSettings) -> None:
        super().__init__(settings)
        self.next = NextGateway(settings)
        self.meters = [self.meter, HeardMeter(self.next, self.ensure)]
        self.services = [self.functions, NextService(self.redis)]

    async def admit(self, count: int, **asked: object) -> list[tuple[int, Lease]]:
        """By turns from each version, at once."""
        calls = (self.meters[number % 2].reserve(self.admission(**asked)) for number in range(count))
        found = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(item, Lease | RateLimited) for item in found)
        return [(number % 2, item) for number, item in enumerate(found) if isinstance(item, Lease)]


@pytest.fixture
async def rollout(valkey: RedisSettings) -> AsyncIterator[Rollout]:
    rollout = Rollout(valkey)
    await rollout.redis.function_load(NEXT, replace=True)
    await rollout.functions.load()
    yield rollout
    rollout.resp.close()
    rollout.next.close()
    await rollout.redis.aclose()


async def test_exactly_the_limit_is_admitted_by_both_together(rollout: Rollout) -> None:
    rollout.limits = {"requests_per_minute": 100, "requests_per_day": 500}
    admitted = [await rollout.admit(60) for _ in range(17)]
    assert [len(leases) for leases in admitted] == [60, 40, *[0] * 15]
    assert [version for version, _ in admitted[0]].count(0) == 30


async def test_each_ends_the_others_leases_and_the_books_are_exact(rollout: Rollout) -> None:
    """Random work: reserved by one version, checkpointed, settled, swept or corrected by another, with limits that
    change under it, told by services of both.
    """
    rng = random.Random(3)  # noqa: S311  # no secret
    rollout.limits = {"tokens_total": 10**9, "requests_per_day": 10**6, "concurrent_requests": 10**4}
    partition = partition_of(rollout.tenant)
    before = await rollout.functions.books()
    used, open_leases = 0, list[Lease]()
    for step in range(60):
        open_leases += [
            lease for _, lease in await rollout.admit(10, tokens=100, output_tokens=50, output_bounded=True)
        ]
        rng.shuffle(open_leases)
        for lease in open_leases[:4]:
            lease.lines = [tokens(30)]
            meter = rng.choice(rollout.meters)
            await meter.checkpoint(lease)
        for lease in open_leases[4:10]:
            if swept := rng.random() < 0.3:
                await rollout.expire(lease)
                sweeper = rng.choice((PREFIX, NEXT_PREFIX))
                assert await rollout.redis.fcall(sweeper + "sweep", 1, partition, 10) == 1
            if swept and rng.random() < 0.5:
                used += sum(line.amount for line in lease.lines) or 100
                continue
            amount = rng.randrange(1, 200)
            meter = rng.choice(rollout.meters)
            meter._open[lease.id] = lease
            await meter.settle(lease, [tokens(amount)])
            used += amount
        del open_leases[4:10]
        if step % 7 == 0:
            rollout.limits = rollout.limits | {"requests_per_minute": 10**6 + step}
            await rng.choice(rollout.services).invalidate(rollout.tenant)
            rollout.functions = rng.choice(rollout.services)
    for lease in open_leases:
        meter = rng.choice(rollout.meters)
        meter._open[lease.id] = lease
        await meter.settle(lease, [tokens(7)])
        used += 7
    assert (await rollout.used("tokens_total"), await rollout.used("concurrent_requests")) == (used, 0)
    assert await rollout.used("requests_per_day") == 600
    for service in rollout.services:
        books = await service.books()
        assert books.balanced
        assert (books.admitted - before.admitted, books.live - before.live) == (600, 0)
    assert await booked(rollout) == used


async def booked(rollout: Rollout) -> int:
    """What the events say: a correction replaces what the sweep had put."""
    lines: dict[str, tuple[Any, ...]] = {}
    for entry in await ValkeyEvents(rollout.redis, 3600).read({}, 1_000_000, 0.1):
        if entry.event and entry.event.tenant_id == rollout.tenant:
            assert (entry.event.id in lines) == (entry.event.kind == "correct")
            lines[entry.event.id] = entry.event.lines
    return sum(line.amount for row in lines.values() for line in row)


async def test_nobody_takes_away_what_a_newer_process_has_loaded(rollout: Rollout) -> None:
    newer = library.source().replace(f"-- revision {library.REVISION}", f"-- revision {library.REVISION + 1}")
    await rollout.redis.function_load(newer, replace=True)
    await rollout.functions.load()
    found = str(await rollout.redis.function_list("aisp_meter_*", withcode=True))
    assert f"-- revision {library.REVISION + 1}" in found
    assert f"-- revision {library.REVISION}\\n' " not in found
    assert NEXT_NAME in found
    await rollout.redis.function_load(library.source(), replace=True)
