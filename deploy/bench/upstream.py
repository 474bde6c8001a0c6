"""The provider that all measured gateways call: fixed answers, as cheap as Python makes them. Run as a process.

`python -m deploy.bench.upstream PORT`. POST anything: a whole answer, or with `"stream":true` a stream of 100 chunks;
the model's name ends with the pause between chunks in milliseconds (`bench-0`, `bench-10`).
"""

import asyncio
import re
import sys
from typing import Any, cast

import httptools
import orjson
import uvloop

CHUNKS = 100
TEXT = "The quick brown fox jumps over the lazy dog and runs on through the wood"
WORDS = TEXT.split()
USAGE = {"prompt_tokens": 60, "completion_tokens": CHUNKS, "total_tokens": 60 + CHUNKS}
_PAUSE = re.compile(rb'"model"\s*:\s*"[^"]*-(\d+)"')
_STREAM = re.compile(rb'"stream"\s*:\s*true')


def _plain() -> bytes:
    document = {
        "id": "chatcmpl-bench",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "bench",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": f"{TEXT}. " * 3, "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": USAGE,
    }
    body = orjson.dumps(document)
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def _chunks() -> list[bytes]:
    base = {
        "id": "chatcmpl-bench",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": "bench",
        "system_fingerprint": None,
    }
    documents: list[dict[str, Any]] = [
        base | {"choices": [{"index": 0, "delta": {"content": f" {WORDS[i % len(WORDS)]}"}, "finish_reason": None}]}
        for i in range(CHUNKS)
    ]
    documents.append(base | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    documents.append(base | {"choices": [], "usage": USAGE})
    events = [b"data: " + orjson.dumps(document) + b"\n\n" for document in documents]
    events.append(b"data: [DONE]\n\n")
    return [b"%x\r\n%b\r\n" % (len(event), event) for event in events]


PLAIN = _plain()
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENTS = _chunks()
LAST = b"0\r\n\r\n"


class Provider(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._parts: list[bytes] = []
        self._streams: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, part: bytes) -> None:
        self._parts.append(part)

    def on_message_complete(self) -> None:
        body = b"".join(self._parts)
        self._parts.clear()
        if not _STREAM.search(body):
            self._write(PLAIN)
            return
        pause = _PAUSE.search(body)
        task = asyncio.create_task(self._stream(int(pause[1]) / 1000 if pause else 0))
        self._streams.add(task)
        task.add_done_callback(self._streams.discard)

    async def _stream(self, pause: float) -> None:
        self._write(HEAD)
        for event in EVENTS:
            # Each chunk is a write of its own, as a model's is; without a pause they follow in turns of the loop.
            self._write(event)
            await asyncio.sleep(pause)
        self._write(LAST)

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)


async def serve(port: int) -> None:
    """Serves until killed."""
    server = await asyncio.get_running_loop().create_server(Provider, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
