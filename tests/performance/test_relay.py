"""The relay earns its place: CPU over both sides, against gRPC calls of their own, in one run."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import psutil
import pytest
import uvloop
from google.protobuf.wrappers_pb2 import StringValue

from chassis.client import Channel
from chassis.context import Keyring
from chassis.settings import RelaySettings
from tests.standins.echo_service import CALLING, CONFIG, NAME, ROOT, EchoStub

ROUNDS = 3
CALLS = 1600
AT_ONCE = 16
TEXT = "x" * 600
MOST = 0.75
"""Of what plain gRPC costs, in the best of the rounds. Measured: 0.40 to 0.50."""
MOST_GROWTH = 1.6
"""Of a call's CPU, with ten times the calls in flight: what waits is joined, so it falls."""


@dataclass
class Server:
    """The other side."""

    address: str
    process: psutil.Process


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    command = [sys.executable, "-m", "tests.performance.relay_server"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        assert process.stderr is not None
        yield Server(f"127.0.0.1:{int(process.stderr.readline())}", psutil.Process(process.pid))
    finally:
        process.kill()
        process.wait()


def spent(server: Server) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in (server.process, psutil.Process()))


async def cost(server: Server, *, relayed: bool, at_once: int = AT_ONCE, calls: int = CALLS) -> float:
    """CPU seconds of both sides a call."""
    keyring, relay = Keyring("gateway", root=ROOT.encode()), RelaySettings(enabled=relayed)
    async with Channel(server.address, keyring=keyring, callee=NAME, service_config=CONFIG, relay=relay) as channel:
        stub = EchoStub(channel)

        async def one_after_the_other(count: int) -> None:
            for _ in range(count):
                await stub.unary(StringValue(value=TEXT), context=CALLING)

        await asyncio.gather(*(one_after_the_other(5) for _ in range(at_once)))
        before = spent(server)
        await asyncio.gather(*(one_after_the_other(calls // at_once) for _ in range(at_once)))
        return (spent(server) - before) / calls


def test_a_call_over_the_relay_costs_a_fraction(server: Server) -> None:
    ratios = []
    for _ in range(ROUNDS):
        plain = uvloop.run(cost(server, relayed=False))
        ratios.append(uvloop.run(cost(server, relayed=True)) / plain)
    print(f"CPU of a relayed call, of a plain one: {[round(ratio, 2) for ratio in ratios]}")
    assert min(ratios) < MOST


def test_more_calls_at_once_do_not_cost_more_each(server: Server) -> None:
    ratios = []
    for _ in range(ROUNDS):
        few = uvloop.run(cost(server, relayed=True))
        ratios.append(uvloop.run(cost(server, relayed=True, at_once=10 * AT_ONCE, calls=2 * CALLS)) / few)
    print(
        f"CPU of a call with {10 * AT_ONCE} in flight, of one with {AT_ONCE}: {[round(ratio, 2) for ratio in ratios]}"
    )
    assert min(ratios) < MOST_GROWTH
