"""Authenticated calls at a steady rate, spread over gateways: RATE URL... When it ends, it prints what it reached."""

import asyncio
import os
import signal
import sys
import time

import aiohttp

CONNECTIONS = 12


async def main(rate: int, urls: list[str]) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    headers = {"Authorization": f"Bearer {os.environ['AISP_TOKEN']}"}
    counts: dict[int, int] = {}
    began = time.monotonic()
    async with aiohttp.ClientSession() as session:

        async def client(number: int) -> None:
            """Its share of the rate; what is late is made up for."""
            due = began + number / rate
            while not stop.is_set():
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                due = max(due + CONNECTIONS / rate, time.monotonic() - 1)
                async with session.get(f"{urls[number % len(urls)]}/api/v1/tenants/me", headers=headers) as answer:
                    await answer.read()
                    counts[answer.status] = counts.get(answer.status, 0) + 1

        clients = [asyncio.create_task(client(number)) for number in range(CONNECTIONS)]
        await stop.wait()
        await asyncio.gather(*clients, return_exceptions=True)
    seconds = time.monotonic() - began
    sys.stdout.write(f"{sum(counts.values()) / seconds:.0f} requests/s ({rate} asked; {counts})")


asyncio.run(main(int(sys.argv[1]), sys.argv[2:]))
