"""Deployments' limits over a real store: shared by replicas, exact, and open while the store is away."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from chassis.settings import RedisSettings
from deploy.local.process import free_port
from llm_service.adapters.allowances import SharedPauses, ValkeyAllowances
from llm_service.domain.models import Deployment, DeploymentLimits
from tests.promptness import PATIENCE


def limited(**limits: int) -> Deployment:
    return Deployment("openai", "x", id=uuid4().hex, limits=DeploymentLimits(**limits))


@pytest.fixture
async def clients(valkey: RedisSettings) -> AsyncIterator[list[Any]]:
    """Of two replicas."""
    password = valkey.password.get_secret_value()
    made = [Redis(host=valkey.host, port=valkey.port, password=password) for _ in range(2)]
    yield made
    for client in made:
        await client.aclose()


@pytest.fixture
def replicas(clients: list[Any]) -> list[ValkeyAllowances]:
    return [ValkeyAllowances(client) for client in clients]


async def test_requests_in_a_minute_are_counted_over_all_replicas(replicas: list[ValkeyAllowances]) -> None:
    deployment = limited(requests_per_minute=7)
    found = await asyncio.gather(*(replicas[number % 2].take(deployment, 1) for number in range(40)))
    assert sum(not allowance.wait for allowance in found) == 7
    assert all(0 < allowance.wait <= 65 for allowance in found if allowance.wait)


async def test_tokens_are_corrected_by_what_was_used(replicas: list[ValkeyAllowances]) -> None:
    deployment = limited(tokens_per_minute=100)
    first, second = replicas
    held = await first.take(deployment, 90)
    assert (await second.take(deployment, 20)).wait
    await first.settle(deployment, held.ticket, 10)
    assert not (await second.take(deployment, 20)).wait
    assert (await first.take(deployment, 90)).wait
    # What alone is more than a minute's goes when nothing else did.
    assert not (await first.take(limited(tokens_per_minute=100), 5000)).wait


async def test_places_are_given_back(replicas: list[ValkeyAllowances]) -> None:
    deployment = limited(concurrent_requests=2)
    first, second = replicas
    held = [await one.take(deployment, 1) for one in replicas]
    assert (await first.take(deployment, 1)).wait
    await second.settle(deployment, held[1].ticket, 1)
    assert not (await first.take(deployment, 1)).wait
    other = replace(deployment, id=uuid4().hex)
    assert not (await first.take(other, 1)).wait


async def test_a_pause_that_one_replica_was_told_of_is_every_replicas(clients: list[Any]) -> None:
    first, second = (SharedPauses(client) for client in clients)
    listening = [asyncio.create_task(one.run()) for one in (first, second)]
    try:
        deployment = limited()
        async with asyncio.timeout(PATIENCE):
            while not second.left(deployment):
                first.heard(deployment, 429, {"Retry-After": "7"})
                await asyncio.sleep(0.05)
        assert 5 < second.left(deployment) <= 7
        first.heard(limited(), 200, {"x-ratelimit-remaining-requests": "5"})
        assert not first.left(limited())
    finally:
        for task in listening:
            task.cancel()
        await asyncio.gather(*listening, return_exceptions=True)


async def test_nobody_is_held_back_while_the_store_is_away() -> None:
    client = Redis(host="127.0.0.1", port=free_port(), socket_connect_timeout=0.2)
    allowances, deployment = ValkeyAllowances(client), limited(requests_per_minute=1)
    for _ in range(3):
        allowance = await allowances.take(deployment, 1)
        assert not allowance.wait
        await allowances.settle(deployment, allowance.ticket, 1)
    await client.aclose()
