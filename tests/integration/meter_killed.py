"""A gateway's meter that is killed right after it has settled: `python -m tests.integration.meter_killed HOST PORT`.

It settles calls alone, then sixteen at once, and writes how many of them it has no reply for before it ends itself.
"""

import asyncio
import os
import signal
import sys

import uvloop
from pydantic import SecretStr

from chassis.settings import RedisSettings
from gateway.limits.leases import Lease, Line
from gateway.limits.meter import Meter
from gateway.limits.resp import RespClient
from tests.integration.meter_gateways import admission, never

AT_ONCE = 16
LINES = [Line("llm", "m", "local", "input_tokens", 7), Line("llm", "m", "local", "output_tokens", 4)]


async def main() -> None:
    tenant = os.environ["METER_TENANT"]
    at = RedisSettings(host=sys.argv[1], port=int(sys.argv[2]), password=SecretStr(os.environ["METER_PASSWORD"]))
    meter = Meter(RespClient(at), never)

    async def reserve() -> Lease:
        return await meter.reserve(admission(tenant, {"tokens": 100, "output_bounded": True}))

    for _ in range(3):
        lease = await reserve()
        await meter.settle(lease, LINES, told=True)
    leases = await asyncio.gather(*(reserve() for _ in range(AT_ONCE)))
    # Its server stands still, so that on no machine a reply comes first.
    os.kill(int(os.environ["METER_PID"]), signal.SIGSTOP)
    await asyncio.gather(*(meter.settle(lease, LINES, told=True) for lease in leases))
    # One write, and nothing of this process runs any more: what it has not given to the system is lost.
    os.write(1, b"%d" % meter.settlements.waiting)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    uvloop.run(main())
