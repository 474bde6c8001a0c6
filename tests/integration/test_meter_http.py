"""What the meter promises, counted by clients: over HTTP, at three gateways that are processes, of which one's clock is
seven minutes fast and another's an hour slow.

AISP_RUNS repeats it (once by default).
"""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest

from tests.integration.meter_clock import NOON
from tests.integration.meter_gateways import SKEWS
from tests.integration.meter_house import WIDE, Customer, House, housed
from tests.integration.meter_provider import Provider, asked, providing

RUNS = int(os.environ.get("AISP_RUNS", "1"))
AT_ONCE = 1000
PER_KIND = int(os.environ.get("AISP_PER_KIND", "1000" if RUNS > 1 else "250"))
MINUTE_MS = 61_000
DAY_MS = 86_400_000
CHAT = "/v1/chat/completions"
WORDS = 3
BODY = asked(WORDS, max_tokens=WORDS)
ESTIMATE = {"requests": 1, "tokens": len(BODY) // 4 + WORDS, "cost_nano_usd": len(BODY) // 4 * 150 + WORDS * 600}
"""What a call is estimated at, and comes to."""
KINDS = [f"{noun}_{period}" for noun in ESTIMATE for period in ("per_minute", "per_day", "per_month", "total")]
OF_KEYS = ("requests_per_minute", "requests_per_day", "tokens_per_minute", "tokens_per_day")
WIDER = dict.fromkeys((*KINDS, "concurrent_requests", "management_requests_per_minute"), WIDE)
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with providing() as provider:
        yield provider


@pytest.fixture(scope="module")
def house(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with housed(tmp_path_factory.mktemp("house"), provider.address, clocks=SKEWS, clocked=True) as house:
        yield house


class Crowd:
    """Clients of all gateways at once."""

    def __init__(self, house: House, session: aiohttp.ClientSession) -> None:
        self.house = house
        self.session = session

    async def ask(self, customer: Customer, number: int, path: str) -> int:
        url = self.house.urls[number % len(self.house.urls)] + path
        method, body = ("POST", BODY) if path == CHAT else ("GET", None)
        async with self.session.request(method, url, data=body, headers=customer.headers | JSON) as answer:
            document = await answer.json()
            if answer.status == 429:
                assert document["error"]["code"] == "rate_limit_exceeded"
                assert int(answer.headers["retry-after"]) >= 1
            elif answer.status != 200:
                raise AssertionError(document)
            return answer.status

    async def compete(self, customer: Customer, count: int = AT_ONCE, path: str = CHAT) -> int:
        """How many of so many at once are admitted."""
        return Counter(await asyncio.gather(*(self.ask(customer, number, path) for number in range(count))))[200]

    async def customer(self, limits: dict[str, int], key_limits: dict[str, int] | None = None) -> Customer:
        """Whom every gateway knows already: a thousand strangers at once is another test's matter."""
        customer = await self.house.customer(limits, key_limits)
        for url in self.house.urls:
            async with self.session.get(f"{url}/v1/models", headers=customer.headers) as answer:
                assert answer.status == 200, await answer.text()
        return customer


def next_noon(ms: int) -> int:
    return NOON + (ms - NOON) // DAY_MS * DAY_MS + DAY_MS


@pytest.fixture
async def crowd(house: House) -> AsyncIterator[Crowd]:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(120)) as session:
        yield Crowd(house, session)


@pytest.mark.slow
async def test_exactly_100_a_minute_and_500_a_day(crowd: Crowd) -> None:
    for _ in range(RUNS):
        customer = await crowd.customer({"requests_per_minute": 100, "requests_per_day": 500})
        await crowd.house.set_clock(next_noon(crowd.house.ms))
        admitted = []
        for minute in range(6):
            await crowd.house.set_clock(crowd.house.ms + MINUTE_MS)
            admitted.append(await crowd.compete(customer, AT_ONCE if minute == 0 else 150))
        assert admitted == [100, 100, 100, 100, 100, 0]
        await crowd.house.set_clock(next_noon(crowd.house.ms))
        assert await crowd.compete(customer, 150) == 100
        totals = await crowd.house.booked(customer, 600)
        assert (totals["requests"], totals["output_tokens"]) == (600, 600 * WORDS)


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS if "AISP_RUNS" in os.environ else KINDS[::5])
async def test_exactly_each_limit_of_tenant_and_key_with_all_others_wider(crowd: Crowd, name: str) -> None:
    once = ESTIMATE[name.split("_per_", maxsplit=1)[0].removesuffix("_total")]
    limits = WIDER | {name: 101 * once - 1}
    for run in range(RUNS):
        owners = [(limits, None), (WIDER, {name: limits[name]})] if name in OF_KEYS and run == 0 else [(limits, None)]
        for of_tenant, of_key in owners:
            customer = await crowd.customer(of_tenant, of_key)
            assert await crowd.compete(customer, PER_KIND) == 100


@pytest.mark.slow
async def test_exactly_so_many_at_work_at_once(crowd: Crowd, provider: Provider) -> None:
    for _ in range(RUNS):
        customer = await crowd.customer(WIDER | {"concurrent_requests": 100})
        provider.held = True
        answers = [asyncio.create_task(crowd.ask(customer, number, CHAT)) for number in range(AT_ONCE)]
        while sum(answer.done() for answer in answers) < AT_ONCE - 100:
            await asyncio.sleep(0.05)
        provider.held = False
        assert Counter(await asyncio.gather(*answers)) == {200: 100, 429: 900}
        assert await crowd.compete(customer, 100) == 100


@pytest.mark.slow
async def test_exactly_so_many_management_calls(crowd: Crowd) -> None:
    for _ in range(RUNS):
        customer = await crowd.customer({"management_requests_per_minute": 100})
        await crowd.house.set_clock(crowd.house.ms + MINUTE_MS)
        assert await crowd.compete(customer, PER_KIND, "/v1/models") == 100
