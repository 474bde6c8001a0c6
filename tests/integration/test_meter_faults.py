"""Retries, and a store that goes away, as clients of two gateways meet them: over HTTP, with the ledger checked."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import aiohttp
import orjson
import pytest
from redis.asyncio import Redis

from deploy.local.valkey import METER, Valkey
from tests.integration.meter_house import WIDE, Customer, House, housed
from tests.integration.meter_provider import Provider, asked, providing
from tests.promptness import PATIENCE

CHAT = "/v1/chat/completions"
SEARCH = "/api/v1/services/rag/search"
JSON = {"Content-Type": "application/json"}
WORDS = 5


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with providing() as provider:
        yield provider


@pytest.fixture(scope="module")
def house(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with housed(tmp_path_factory.mktemp("house"), provider.address, clocks=(0.0, 0.0)) as house:
        yield house


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    headers: Any

    @property
    def error(self) -> Any:
        document = orjson.loads(self.body)
        return document.get("error", document)


class Client:
    """Asks at any gateway."""

    def __init__(self, house: House, session: aiohttp.ClientSession, customer: Customer) -> None:
        self.house = house
        self.session = session
        self.customer = customer

    async def post(self, body: bytes, key: str = "", gateway: int = 0, path: str = CHAT) -> Answer:
        headers = self.customer.headers | JSON | ({"Idempotency-Key": key} if key else {})
        async with self.session.post(self.house.urls[gateway] + path, data=body, headers=headers) as answer:
            return Answer(answer.status, await answer.read(), answer.headers)

    async def charged(self, requests: int) -> tuple[int, int]:
        """Requests and output tokens in the ledger, once so many are, and some time for more to come."""
        await self.house.booked(self.customer, requests)
        await asyncio.sleep(1)
        totals = await self.house.booked(self.customer, requests)
        return totals["requests"], totals["output_tokens"]


@pytest.fixture
async def client(house: House) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(60)
    ) as session:
        yield Client(house, session, await house.customer({"tokens_per_day": WIDE, "requests_per_day": WIDE}))


async def until(check: Any, seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


@pytest.mark.slow
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_a_retry_at_another_gateway_gets_the_same_answer_and_is_charged_once(
    client: Client, provider: Provider, stream: bool
) -> None:
    name = str(uuid4())
    body = asked(WORDS, name=name, stream=stream)
    answers = [await client.post(body, name, gateway) for gateway in (0, 1, 1, 0)]
    assert [answer.status for answer in answers] == [200] * 4
    assert len({answer.body for answer in answers}) == 1
    assert answers[0].body.endswith(b"data: [DONE]\n\n") == stream
    assert provider.calls[name] == 1
    assert await client.charged(1) == (1, WORDS)
    assert [answer.headers.get("idempotency-replayed") for answer in answers] == [None, "true", "true", "true"]


@pytest.mark.slow
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_of_twenty_retries_at_once_at_two_gateways_one_is_executed(
    client: Client, provider: Provider, stream: bool
) -> None:
    name = str(uuid4())
    body = asked(WORDS, name=name, stream=stream)
    provider.held = True
    try:
        tasks = [asyncio.create_task(client.post(body, name, number % 2)) for number in range(20)]
        await until(lambda: sum(task.done() for task in tasks) == 19)
    finally:
        provider.held = False
    answers = await asyncio.gather(*tasks)
    assert Counter(answer.status for answer in answers) == {200: 1, 409: 19}
    waiting = next(answer for answer in answers if answer.status == 409)
    assert (waiting.error["code"], waiting.headers["retry-after"]) == ("idempotency_in_flight", "1")
    again = [await client.post(body, name, gateway) for gateway in (0, 1)]
    first = next(answer for answer in answers if answer.status == 200)
    assert {answer.body for answer in again} == {first.body}
    assert provider.calls[name] == 1
    assert await client.charged(1) == (1, WORDS)


@pytest.mark.slow
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_whose_connection_breaks_gets_the_answer_by_a_retry(
    client: Client, provider: Provider, stream: bool
) -> None:
    name = str(uuid4())
    body = asked(WORDS, 0.2, name, stream=stream)
    headers = client.customer.headers | JSON | {"Idempotency-Key": name}
    broken = asyncio.create_task(client.session.post(client.house.urls[0] + CHAT, data=body, headers=headers))
    await until(lambda: provider.calls[name] == 1)
    if stream:
        (await broken).close()
    else:
        broken.cancel()
    answer = await client.post(body, name, 1)
    while answer.status == 409:
        await asyncio.sleep(float(answer.headers["retry-after"]) / 5)
        answer = await client.post(body, name, 1)
    assert answer.status == 200
    assert answer.body.count(b"1." if stream else b"answer 1 to") == (WORDS if stream else 1)
    assert provider.calls[name] == 1
    assert await client.charged(1) == (1, WORDS)


@pytest.mark.slow
async def test_without_a_key_a_broken_connection_ends_the_work(client: Client, provider: Provider) -> None:
    name = str(uuid4())
    broken = asyncio.create_task(client.post(asked(40, 0.1, name, stream=True)))
    await until(lambda: provider.calls[name] == 1)
    await asyncio.sleep(0.5)
    broken.cancel()
    requests, tokens = await client.charged(1)
    assert requests == 1
    assert tokens < 40


@pytest.mark.slow
async def test_a_key_is_for_one_body_and_a_refused_request_does_not_use_it_up(house: House, client: Client) -> None:
    key = str(uuid4())
    first = await client.post(asked(WORDS), key)
    other = await client.post(asked(WORDS + 1), key, 1)
    assert (first.status, other.status, other.error["code"]) == (200, 422, "idempotency_mismatch")
    poor = Client(house, client.session, await house.customer({"concurrent_requests": 0}))
    refused = await poor.post(asked(WORDS), key)
    assert (refused.status, refused.error["param"]) == (429, "concurrent_requests")
    rich = await house.customer({"concurrent_requests": 1}, of=poor.customer)
    assert (await Client(house, client.session, rich).post(asked(WORDS), key)).status == 200


@pytest.mark.slow
async def test_while_the_store_is_away_nobody_is_admitted_and_who_runs_ends_well(
    house: House, client: Client, provider: Provider
) -> None:
    """Valkey is killed under load: streams go on, new work is told when to come back, and afterwards all is booked."""
    streams = [
        asyncio.create_task(client.post(asked(30, 0.1, f"s{n}", stream=True, max_tokens=30), gateway=n % 2))
        for n in range(10)
    ]
    stop, answers = asyncio.Event(), list[Answer]()

    async def load(number: int) -> None:
        while not stop.is_set():
            answers.append(await client.post(asked(WORDS), gateway=number % 2))
            await asyncio.sleep(0.02)

    loading = [asyncio.create_task(load(number)) for number in range(8)]
    await until(lambda: len(answers) > 40)
    house.platform.meter.process.kill()
    killed = len(answers)
    await until(lambda: len(answers) > killed + 60)
    search = await client.post(b'{"query": "x"}', path=SEARCH)
    assert (search.status, search.headers["content-type"]) == (503, "application/problem+json")
    assert (search.error["code"], int(search.headers["retry-after"]) >= 1) == ("METER_UNAVAILABLE", True)
    house.platform.meter.start()
    await house.platform.meter.wait_ready()
    restarted = len(answers)
    await until(lambda: sum(answer.status == 200 for answer in answers[restarted:]) > 40)
    stop.set()
    await asyncio.gather(*loading)
    assert {answer.status for answer in answers} == {200, 503}
    away = [answer for answer in answers if answer.status == 503]
    assert {answer.error["code"] for answer in away} == {"meter_unavailable"}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in away)
    finished = await asyncio.gather(*streams)
    assert all(answer.body.endswith(b"data: [DONE]\n\n") and answer.status == 200 for answer in finished)
    good = sum(answer.status == 200 for answer in answers)
    # Work that was admitted, and of which the client was told otherwise, is in the books, too: none was.
    assert await client.charged(good + 10) == (good + 10, WORDS * good + 30 * 10)
    await balanced(house)


@pytest.mark.slow
async def test_after_a_failover_to_a_stale_replica_no_limit_is_forgotten(house: House, client: Client) -> None:
    """A replica that stopped hearing of anything after the tenth request takes over the address after the sixtieth."""
    customer = await house.customer({"requests_per_day": 100, "requests_per_minute": 100, "tokens_total": WIDE})
    mine = Client(house, client.session, customer)
    meter = house.platform.meter
    replica = Valkey(
        "replica", house.directory / "replica", METER, meter.password, house.directory / "logs" / "replica"
    )
    replica.start()
    await replica.wait_ready()
    async with house.store() as store, replica_client(replica) as other:
        await other.config_set("masterauth", meter.password)
        await other.replicaof("127.0.0.1", meter.port)
        assert {(await mine.post(asked(WORDS))).status for _ in range(10)} == {200}
        while (await other.info("replication")).get("master_link_status") != "up":
            await asyncio.sleep(0.05)
        assert await store.wait(1, 5000) == 1
        await other.replicaof("NO", "ONE")
        assert Counter([(await mine.post(asked(WORDS))).status for _ in range(50)]) == {200: 50}
        assert await mine.charged(60) == (60, 60 * WORDS)
        meter.process.kill()
        await other.config_set("port", meter.port)
    # In the place of the one that died: what starts or stops the meter's store means this one now.
    meter.process, meter._directory = replica.process, replica._directory
    answers = await asyncio.gather(*(mine.post(asked(WORDS), gateway=n % 2) for n in range(200)))
    while (unavailable := [answer for answer in answers if answer.status == 503]) and len(answers) < 4000:
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in unavailable)
        answers = [answer for answer in answers if answer.status != 503]
        answers += await asyncio.gather(*(mine.post(asked(WORDS), gateway=n % 2) for n in range(200)))
    assert Counter(answer.status for answer in answers)[200] == 40
    assert await mine.charged(100) == (100, 100 * WORDS)
    await balanced(house)


def replica_client(replica: Valkey) -> Redis:
    return Redis(host="127.0.0.1", port=replica.port, password=replica.password)


async def balanced(house: House) -> None:
    """No lease lives, and all books agree."""
    deadline = time.monotonic() + PATIENCE
    while (books := await house.read("/api/v1/usage/invariants"))["live"]:
        assert time.monotonic() < deadline, books
        await asyncio.sleep(0.3)
    assert books["balanced"], books
