"""A provider of OpenAI's wire format in a thread of its own: it writes as much and as slowly as it is asked, counts its
calls, and can be held.
"""

import asyncio
import re
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import orjson
from aiohttp import web

from tests.standins.openai_provider import chunks, completion

ASKED = re.compile(r"(\d+) words to (\d+), pause ([\d.]+), (.*)")
BYTES_OF_A_TOKEN = 4
"""As the gateway estimates."""


class Provider:
    """The last message says what it does: `WORDS words to PROMPT TOKENS, pause SECONDS, NAME`."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        """By name."""
        self.held = False
        """Nobody is answered while it is."""
        self.address = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        document = orjson.loads(await request.read())
        found = ASKED.fullmatch(str(document["messages"][-1]["content"]))
        assert found
        words, prompt, pause, name = int(found[1]), int(found[2]), float(found[3]), found[4]
        self.calls[name] += 1
        call = self.calls[name]
        while self.held:
            await asyncio.sleep(0.02)
        usage = {"prompt_tokens": prompt, "completion_tokens": words, "total_tokens": prompt + words}
        if not document.get("stream"):
            await asyncio.sleep(pause * words)
            return web.json_response(completion(f"answer {call} to {name}") | {"usage": usage})
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        told = chunks(*(f"{call}.{number} " for number in range(words)))
        told[-1]["usage"] = usage
        for chunk in told:
            await response.write(b"data: " + orjson.dumps(chunk) + b"\n\n")
            await asyncio.sleep(pause)
        await response.write(b"data: [DONE]\n\n")
        return response


def asked(words: int, pause: float = 0.0, name: str = "-", **more: object) -> bytes:
    """The body of a chat whose prompt comes to as many tokens as the gateway estimates for it."""
    prompt = len(asked_with(0, words, pause, name, more)) // BYTES_OF_A_TOKEN
    return asked_with(prompt, words, pause, name, more)


def asked_with(prompt: int, words: int, pause: float, name: str, more: Mapping[str, object]) -> bytes:
    """The body of a chat whose prompt comes to so many tokens."""
    content = f"{words} words to {prompt:04d}, pause {pause}, {name}"
    return orjson.dumps(
        {"model": "openai/gpt-4o-mini", "messages": [{"role": "user", "content": content}]} | dict(more)
    )


@contextmanager
def providing() -> Iterator[Provider]:
    """The provider, on a free loopback port."""
    provider, started, loop = Provider(), threading.Event(), asyncio.new_event_loop()

    async def start() -> None:
        app = web.Application()
        app.add_routes([web.post("/v1/chat/completions", provider.handle)])
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
        provider.address = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        started.set()

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(start())
        loop.run_forever()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert started.wait(10)
    try:
        yield provider
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
