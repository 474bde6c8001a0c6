"""A gateway's meter under load, as a process: `python -m tests.chaos.load FILE` with settings in the environment.

Each lease that was admitted is a line in FILE, before any work is done under it.
"""

import asyncio
import os
import random
import signal
import sys
from pathlib import Path
from typing import TextIO

from aisp.usage.v1.usage_service_pb2_grpc import UsageServiceStub
from pydantic import SecretStr

from chassis.client import Channel, read_service_config
from chassis.errors import PlatformError
from chassis.settings import RedisSettings, load
from gateway.limits.leases import Admission, Line
from gateway.limits.meter import Meter
from gateway.limits.resp import RespClient
from gateway.limits.usage import ensure_limits
from gateway.settings import Settings

WORKERS = 12
LEASE_SECONDS = 3.0
USED = [Line("llm", "m", "p", "input_tokens", 10), Line("llm", "m", "p", "output_tokens", 7)]


class Clients:
    """What `ensure_limits` needs of the gateway's clients."""

    def __init__(self, usage: UsageServiceStub) -> None:
        self.usage = usage


async def work(meter: Meter, tenant: str, journal: TextIO, stop: asyncio.Event) -> None:
    while not stop.is_set():
        admission = Admission(tenant, "enterprise", 1, "chaos", service="llm", model="m", tokens=10, output_tokens=50)
        try:
            lease = await meter.reserve(admission)
        except PlatformError:
            await asyncio.sleep(0.2)
            continue
        journal.write(f"{lease.id}\n")
        await asyncio.sleep(random.uniform(0, 0.3))  # noqa: S311  # no secret
        await meter.settle(
            lease, [Line("llm", "m", "p", "input_tokens", 10), Line("llm", "m", "p", "output_tokens", 7)]
        )


async def main() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    port, password = int(os.environ["CHAOS_METER_PORT"]), SecretStr(os.environ["CHAOS_METER_PASSWORD"])
    resp = RespClient(RedisSettings(host="127.0.0.1", port=port, password=password))
    keyring = load(Settings).keyring("gateway")
    channel = Channel(
        os.environ["AI_PLATFORM_USAGE__ADDRESS"], keyring=keyring, callee="usage_service",
        service_config=read_service_config(),
    )  # fmt: skip
    async with channel:
        usage = Clients(UsageServiceStub(channel))
        meter = Meter(resp, ensure_limits(usage), lease_seconds=LEASE_SECONDS)  # type: ignore[arg-type]
        running = asyncio.create_task(meter.run())
        with Path(sys.argv[1]).open("a", buffering=1) as journal:  # noqa: ASYNC230  # a line at a time
            tenants = os.environ["CHAOS_TENANTS"].split()
            await asyncio.gather(*(work(meter, tenants[n % len(tenants)], journal, stop) for n in range(WORKERS)))
        await meter.drain(20)
        # What the store has taken is told again until the ledger has it: the end waits for that.
        for _ in range(100):
            if not meter.settlements.kept and not meter.settlements.waiting:
                break
            await asyncio.sleep(0.2)
        running.cancel()
        resp.close()


if __name__ == "__main__":
    asyncio.run(main())
