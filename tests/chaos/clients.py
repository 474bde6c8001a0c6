"""Clients of gateways: some ask for whole answers, some for streams; what was answered to the end is remembered."""

import asyncio
import random
import threading
from collections.abc import Sequence
from typing import Self
from uuid import uuid4

import aiohttp

from tests.integration.meter_house import Customer
from tests.integration.meter_provider import asked

AT_ONCE = 8
WORDS = 7


class Clients:
    """They ask in a thread of their own, until stopped."""

    def __init__(self, urls: Sequence[str], customers: Sequence[Customer]) -> None:
        self._urls = urls
        self._customers = customers
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self.answered: set[str] = set()
        """Request ids of whole answers."""
        self.failed = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Returns when the last answer is there."""
        self._stop.set()
        self._thread.join(90)

    async def _run(self) -> None:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(30)) as session:
            await asyncio.gather(*(self._ask_on(session) for _ in range(AT_ONCE)))

    async def _ask_on(self, session: aiohttp.ClientSession) -> None:
        while not self._stop.is_set():
            request_id, stream = str(uuid4()), random.random() < 0.5  # noqa: S311  # no secret
            url = f"{random.choice(self._urls)}/v1/chat/completions"  # noqa: S311
            customer = random.choice(self._customers)  # noqa: S311
            headers = customer.headers | {"Content-Type": "application/json", "X-Request-Id": request_id}
            body = asked(WORDS, 0.03, stream=stream, max_tokens=WORDS)
            try:
                async with session.post(url, data=body, headers=headers) as answer:
                    told = await answer.read()
                    whole = answer.status == 200 and (not stream or told.endswith(b"data: [DONE]\n\n"))
            except (aiohttp.ClientError, TimeoutError, OSError):
                whole = False
            # A stream that failed on its way says so, and then that it is done.
            if whole and b'"error"' not in told:
                self.answered.add(request_id)
            else:
                self.failed += 1
                await asyncio.sleep(0.1)
