"""A provider that speaks OpenAI's wire format and does what the test says."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import orjson
from aiohttp import web

Behaviour = Callable[[web.Request, dict[str, Any]], Awaitable[web.StreamResponse]]


class OpenAIProvider:
    """Set `behaviour`, or one for a model's name in `behaviours`; read what was received."""

    def __init__(self) -> None:
        self.behaviour: Behaviour = answers("Hello!")
        self.behaviours: dict[str, Behaviour] = {}
        self.received: list[dict[str, Any]] = []
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.cancelled = asyncio.Event()
        self.address = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        document = orjson.loads(body)
        self.received.append(document)
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        self.paths.append(request.raw_path)
        try:
            return await self.behaviours.get(document.get("model", ""), self.behaviour)(request, document)
        except (asyncio.CancelledError, ConnectionResetError):
            self.cancelled.set()
            raise


@asynccontextmanager
async def running() -> AsyncIterator[OpenAIProvider]:
    """The provider on a free loopback port."""
    provider = OpenAIProvider()
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.add_routes([web.post("/v1/{path:.*}", provider.handle)])
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        provider.address = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        yield provider
    finally:
        await runner.cleanup()


@contextmanager
def in_thread() -> Iterator[OpenAIProvider]:
    """The provider on a loop of its own, for tests that have none."""
    started: list[OpenAIProvider] = []
    ready, loop = threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()

    async def run() -> None:
        async with running() as provider:
            started.append(provider)
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield started[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


def completion(text: str) -> dict[str, Any]:
    """A whole answer."""
    message = {"role": "assistant", "content": text}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "upstream-name",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12},
    }


def chunks(*words: str) -> list[dict[str, Any]]:
    """A stream: a chunk a word, the finish, the usage."""
    base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "upstream-name"}
    told = [base | {"choices": [{"index": 0, "delta": {"content": word}, "finish_reason": None}]} for word in words]
    told.append(base | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    usage = {"prompt_tokens": 9, "completion_tokens": len(words), "total_tokens": 9 + len(words)}
    return [*told, base | {"choices": [], "usage": usage}]


def answers(text: str) -> Behaviour:
    """Answers a plain call."""

    async def behave(_request: web.Request, _document: dict[str, Any]) -> web.StreamResponse:
        return web.json_response(completion(text))

    return behave


def fails(status: int, body: bytes, headers: dict[str, str] | None = None) -> Behaviour:
    """Answers with an error."""

    async def behave(_request: web.Request, _document: dict[str, Any]) -> web.StreamResponse:
        return web.Response(status=status, body=body, headers=headers or {})

    return behave


def sends(*pieces: bytes, hang: bool = False, reset: bool = False) -> Behaviour:
    """Sends a stream in these pieces; then ends, hangs, or resets the connection."""

    async def behave(request: web.Request, _document: dict[str, Any]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for piece in pieces:
            await response.write(piece)
            await asyncio.sleep(0.001)
        if hang:
            await asyncio.sleep(3600)
        if reset and request.transport is not None:
            request.transport.abort()
        return response

    return behave


def events(documents: list[dict[str, Any]], *, done: bool = True) -> bytes:
    """Documents as server-sent events."""
    told = b"".join(b"data: " + orjson.dumps(document) + b"\n\n" for document in documents)
    return told + (b"data: [DONE]\n\n" if done else b"")
