"""A gateway's meter that asks as fast as it can: `python -m tests.performance.meter_client HOST PORT`, as a process."""

import asyncio
import os
import random
import sys
import time
from uuid import UUID

import uvloop
from pydantic import SecretStr

from chassis.settings import RedisSettings
from gateway.limits.meter import Meter
from gateway.limits.resp import RespClient
from tests.integration.meter_gateways import never
from tests.performance.test_meter import LINES, asked

AT_ONCE = 32


async def main() -> None:
    at = RedisSettings(host=sys.argv[1], port=int(sys.argv[2]), password=SecretStr(os.environ["METER_PASSWORD"]))
    meter = Meter(RespClient(at), never)
    until = time.monotonic() + float(os.environ["METER_SECONDS"])

    async def work() -> None:
        while time.monotonic() < until:
            tenant = str(UUID(int=random.randrange(1_000)))  # noqa: S311  # no secret
            await meter.settle(await meter.reserve(asked(tenant)), LINES)

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))


if __name__ == "__main__":
    uvloop.run(main())
