"""What the meter promises, counted: exactly the limit, in any 60 seconds, over several gateways whose clocks are wrong.

AISP_RUNS repeats all of it so often (5 times by default, each kind of limit once).
"""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Iterator
from itertools import pairwise
from statistics import quantiles
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from chassis.settings import RedisSettings
from gateway.limits.leases import Lease, Line
from gateway.limits.meter import Meter
from gateway.limits.refusals import RateLimited
from gateway.limits.resp import RespClient
from tests.integration.meter_clock import NOON, NOW
from tests.integration.meter_counters import MEASURES, meaning
from tests.integration.meter_gateways import SKEWS, Gateways, admission, never
from tests.integration.meter_heard import HeardMeter
from usage_service.adapters.valkey import ValkeyMeter, number_of
from usage_service.domain.ledger import START
from usage_service.domain.limits import Standing, Subject

RUNS = int(os.environ.get("AISP_RUNS", "5"))
MINUTE_MS = 61_000
WIDE = 10**12
CHECKPOINT = 50
"""Tokens between two checkpoints of a stream."""
KINDS = [
    *(f"{noun}_{period}" for noun in MEASURES for period in ("per_minute", "per_day", "per_month", "total")),
    "concurrent_requests",
    "storage_bytes",
    "management_requests_per_minute",
]


class Store:
    """The meter's store on a clock of the test's."""

    def __init__(self, settings: RedisSettings) -> None:
        self.settings = settings
        self.redis = Redis(host=settings.host, port=settings.port, password=settings.password.get_secret_value())
        self.functions = ValkeyMeter(self.redis)
        self.functions.load = self._loaded  # type: ignore[method-assign]  # the library with the test's clock stays
        self.ms = NOON

    async def set_clock(self, ms: int) -> None:
        self.ms = ms
        await self.redis.set(NOW, ms)

    async def tenant(self, limits: dict[str, int], kind: str = "tenant") -> str:
        """A tenant with these limits, of itself, its key `key` or its user `user`."""
        tenant = str(uuid4())
        await self.functions.open({number_of(tenant): START})
        opening = await self.functions.opening(tenant)
        subjects = [Subject("tenant", tenant, 0, limits if kind == "tenant" else {}, flags=("key", "user"))]
        subjects += [Subject(name, name, 1, limits if kind == name else {}) for name in ("key", "user")]
        for subject in subjects:
            assert await self.functions.compile(tenant, opening, subject, Standing())
        prices = {"|m|input_tokens": 10**6, "p|m|input_tokens": 10**6}
        await self.functions.set_prices([number_of(tenant)], "standard", prices)
        return tenant

    def client(self, skew: float = 0.0) -> tuple[Meter, RespClient]:
        resp = RespClient(self.settings)
        return HeardMeter(resp, never, clock=lambda: self.ms / 1000 + skew), resp

    async def _loaded(self) -> None:
        return


@pytest.fixture
async def store(clocked: RedisSettings) -> AsyncIterator[Store]:
    store = Store(clocked)
    await store.redis.flushall()
    await store.set_clock(NOON)
    yield store
    await store.redis.aclose()


@pytest.fixture(scope="module")
def gateways(clocked: RedisSettings) -> Iterator[Gateways]:
    gateways = Gateways(clocked)
    yield gateways
    gateways.close()


async def test_exactly_100_a_minute_and_500_a_day(store: Store, gateways: Gateways) -> None:
    for _ in range(RUNS):
        await store.set_clock(NOON)
        tenant = await store.tenant({"requests_per_minute": 100, "requests_per_day": 500})
        admitted = []
        for minute in range(6):
            await store.set_clock(NOON + minute * MINUTE_MS)
            admitted.append(await gateways.compete(tenant, 1000 if minute == 0 else 300))
        assert admitted == [100, 100, 100, 100, 100, 0]
        await store.set_clock(NOON + 86_400_000)
        assert await gateways.compete(tenant, 300) == 100


@pytest.mark.parametrize("kind", KINDS)
async def test_exactly_each_limit_whoever_has_it_and_all_others_wider(
    store: Store, gateways: Gateways, kind: str
) -> None:
    _, _, scale = meaning(kind)
    costs = {"model": "m", "tokens": 7, "characters": 7, "audio_milliseconds": 7000, "storage_bytes": 7}
    once = kind.startswith(("requests", "concurrent", "management"))
    limits = {name: WIDE // meaning(name)[2] for name in KINDS} | {kind: 100 if once else 100 * 7 + 6}
    for run in range(RUNS if "AISP_RUNS" in os.environ else 1):
        for owner in ("tenant", "key", "user") if run == 0 else ("tenant",):
            tenant = await store.tenant(limits, owner)
            asked = costs | {"kind": "management" if "management" in kind else "ai", "key_id": "key", "user_id": "user"}
            assert await gateways.compete(tenant, 1000, **asked, key_version=1) == 100, (owner, scale)


@pytest.mark.parametrize("seed", range(4))
async def test_no_60_seconds_get_more_than_the_limit_and_hardly_less(store: Store, seed: int) -> None:
    """Ten minutes of bursts and trickles; in the last, the store's clock is set back: by less than what makes it stand
    still, and by more.
    """
    rng = random.Random(seed)  # noqa: S311  # no secret
    tenant = await store.tenant({"requests_per_minute": 100, "tokens_per_minute": 1000})
    clients = [store.client(skew) for skew in SKEWS]
    admitted: list[int] = []
    real = NOON
    set_back = 0
    while real < NOON + 720_000:
        real += rng.choice((1, 15, 130, 600, 600, 59_900 if rng.random() < 0.02 else 700))
        if seed % 2 and real > NOON + 600_000 and not set_back:
            set_back = rng.choice((7_000, 45_000, 3_600_000))
        await store.set_clock(real - set_back)
        burst = rng.choice((1, 1, 2, 3, 40 if rng.random() < 0.05 else 1))
        calls = (rng.choice(clients)[0].reserve(admission(tenant, {"tokens": 10})) for _ in range(burst))
        found = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(item, Lease | RateLimited) for item in found)
        admitted += [real] * sum(isinstance(item, Lease) for item in found)
    for _, resp in clients:
        resp.close()
    in_any_60_seconds = (
        sum(first <= other < first + 60_000 for other in admitted[i : i + 200]) for i, first in enumerate(admitted)
    )
    assert max(in_any_60_seconds) == 100
    if not seed % 2:
        # Under pressure the window gives its 100 in 61 seconds: whoever waits for a free place gets it.
        pressed = [b - a for a, b in pairwise(admitted[::100])]
        assert sorted(pressed)[len(pressed) // 2] < 90_000


@pytest.mark.parametrize("bounded", [True, False], ids=["max_tokens", "nobody bounded it"])
async def test_64_streams_on_the_last_10000_tokens(store: Store, bounded: bool) -> None:
    """With max_tokens nothing is overshot. Without, a stream may go beyond its estimate until the next checkpoint."""
    rng = random.Random(64)  # noqa: S311  # no secret
    overshoots = []
    for _ in range(RUNS):
        tenant = await store.tenant({"tokens_total": 10_000})
        meter, resp = store.client()

        async def stream(length: int, meter: Meter = meter, tenant: str = tenant) -> int:
            asked = {"tokens": 50, "output_tokens": 500 if bounded else 300, "output_bounded": bounded}
            try:
                lease = await meter.reserve(admission(tenant, asked))
            except RateLimited:
                return 0
            made = 0
            while made < (min(length, 500) if bounded else length) and not lease.exhausted:
                made += 10
                await asyncio.sleep(0)
                lease.lines = [Line("llm", "m", "p", "input_tokens", 50), Line("llm", "m", "p", "output_tokens", made)]
                if made % CHECKPOINT == 0:
                    await meter.checkpoint(lease)
            await meter.settle(lease, lease.lines, "partial" if lease.exhausted else "settled")
            return 50 + made

        used = sum(await asyncio.gather(*(stream(rng.randrange(10, 900, 10)) for _ in range(64))))
        counted = (await store.functions.limits(tenant, "", ""))[0].used
        assert counted == used
        overshoots.append(max(0, used - 10_000))
        resp.close()
    marks = quantiles(overshoots, n=20)
    print(f"overshoot of 10,000: median {marks[9]:g}, p95 {marks[18]:g}, most {max(overshoots)}")  # noqa: T201
    # At most 28 leases of 350 tokens live at once.
    assert max(overshoots) <= (0 if bounded else 28 * CHECKPOINT)
