"""The server with its bounds, on a real port, against clients that behave badly."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from prometheus_client import REGISTRY

from chassis.ops import Readiness
from chassis.settings import ConfigurationError
from gateway.connection import Connections
from gateway.server import Server, listen
from gateway.settings import EdgeSection, GatewaySection
from tests.promptness import PATIENCE

GET = b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n"
STRICT = {"header_seconds": 1.0, "body_idle_seconds": 1.0, "send_idle_seconds": 1.0, "keep_alive_seconds": 1}


class App:
    """Answers `ok`; /slow after a while, /stream in two parts, /flood with more than a socket holds."""

    def __init__(self) -> None:
        self.cut = 0
        self.begun = 0
        self.ended = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            assert (await receive())["type"] == "lifespan.startup"
            await send({"type": "lifespan.startup.complete"})
            assert (await receive())["type"] == "lifespan.shutdown"
            self.ended.set()
            await send({"type": "lifespan.shutdown.complete"})
            return
        self.begun += 1
        try:
            await self._answer(scope["path"], receive, send)
        except asyncio.CancelledError:
            self.cut += 1
            assert not self.ended.is_set()
            await send({"type": "http.response.body", "body": b"cut off"})

    async def _answer(self, path: str, receive: Any, send: Any) -> None:
        if path == "/body":
            while (message := await receive()).get("more_body"):
                pass
            if message["type"] == "http.disconnect":
                return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if path == "/stream":
            await send({"type": "http.response.body", "body": b"first", "more_body": True})
            await asyncio.sleep(30)
        if path == "/slow":
            await asyncio.sleep(2.5)
        while path == "/flood":
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
            await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": b"ok"})


@asynccontextmanager
async def serving(drain_seconds: float = 2.0, **bounds: Any) -> AsyncIterator[tuple[int, App, Server]]:
    """A server of these bounds; its port."""
    listener = listen("127.0.0.1", 0)
    app, section = App(), GatewaySection(drain_seconds=drain_seconds)
    server = Server(app, section, EdgeSection(**bounds), Readiness())
    task = asyncio.ensure_future(server._serve([listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield listener.getsockname()[1], app, server
    finally:
        server.should_exit = True
        await task
        assert app.ended.is_set()


async def exchange(port: int, *parts: bytes, pause: float = 0.0) -> bytes:
    """All that the server says to these bytes, until it closes; it is listened to from the start."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    received = bytearray()

    async def listen_on() -> None:
        with contextlib.suppress(ConnectionError):
            while part := await reader.read(65536):
                received.extend(part)

    listening = asyncio.ensure_future(listen_on())
    try:
        for part in parts:
            writer.write(part)
            with contextlib.suppress(ConnectionError):
                await writer.drain()
            await asyncio.sleep(pause)
        await asyncio.wait_for(listening, PATIENCE)
        return bytes(received)
    finally:
        writer.close()


async def send_all(writer: asyncio.StreamWriter, size: int) -> None:
    for _ in range(size // 65536):
        writer.write(b"x" * 65536)
        await writer.drain()


def status(answer: bytes) -> int:
    return int(answer.split(b" ")[1])


def code(answer: bytes) -> str:
    return str(json.loads(answer.partition(b"\r\n\r\n")[2])["code"])


def refused(reason: str) -> float:
    return REGISTRY.get_sample_value("aisp_gateway_refused_connections_total", {"reason": reason}) or 0.0


async def test_an_idle_connection_is_closed_without_a_word() -> None:
    async with serving(**STRICT) as (port, _app, _server):
        before = refused("IDLE")
        assert await exchange(port) == b""
        assert refused("IDLE") == before + 1


async def test_half_a_header_is_answered_in_time() -> None:
    async with serving(**STRICT) as (port, _app, _server):
        answer = await exchange(port, b"GET / HTTP/1.1\r\nHost: a\r\nX-Wait: ")
        assert (status(answer), code(answer)) == (408, "REQUEST_TOO_SLOW")


async def test_a_header_by_drops_is_not_a_way_round() -> None:
    async with serving(**STRICT) as (port, _app, _server):
        answer = await exchange(port, b"GET / HTTP/1.1\r\n", *[b"X: y\r\n"] * 12, pause=0.2)
        assert (status(answer), code(answer)) == (408, "REQUEST_TOO_SLOW")


async def test_empty_lines_do_not_keep_a_connection() -> None:
    async with serving(**STRICT) as (port, _app, _server):
        answer = await exchange(port, GET % b"", *[b"\r\n"] * 12, pause=0.25)
        assert status(answer) == 200
        assert b" 408 " in answer


async def test_a_slow_body_ends() -> None:
    async with serving(**STRICT) as (port, _app, _server):
        head = b"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n"
        assert status(await exchange(port, head + b"x")) == 408
        assert status(await exchange(port, head, *[b"x"] * 12, pause=0.3)) == 408


async def test_a_body_that_flows_may_take_its_time() -> None:
    async with serving(**STRICT | {"min_body_bytes_per_second": 100}) as (port, _app, _server):
        head = b"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\nConnection: close\r\n\r\n"
        assert status(await exchange(port, head, *[b"x" * 100] * 10, pause=0.25)) == 200


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param((b"GET / HTTP/1.1\r\nHost: a\r\nX: ", *[b"y" * 10_000] * 20), id="a header without end"),
        pytest.param((b"GET /" + b"a" * 100_000,), id="a path without end"),
        pytest.param((b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",), id="a large header"),
        pytest.param((b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 300_000 + b"\r\n",), id="300,000 headers"),
        pytest.param((b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 101 + b"\r\n",), id="101 headers"),
        pytest.param((b"x" * 200_000,), id="no HTTP at all"),
    ],
)
async def test_a_head_is_bounded(parts: tuple[bytes, ...]) -> None:
    async with serving() as (port, _app, _server):
        answer = await exchange(port, *parts)
        # What is refused in the midst of its bytes may be reset before the client reads why.
        assert answer == b"" or status(answer) in (400, 431)
        assert status(await exchange(port, GET % b"" + b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")) == 200


@pytest.mark.parametrize(
    "head",
    [
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n folded: b\r\nX y: 1\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: a\r\n\r\n",
    ],
)
async def test_framing_that_two_readers_might_read_differently(head: bytes) -> None:
    async with serving(**STRICT) as (port, _app, _server):
        answer = await exchange(port, head)
        assert (status(answer), code(answer)) == (400, "BAD_HTTP")


async def test_a_client_that_does_not_read_is_let_go() -> None:
    async with serving(**STRICT) as (port, _app, server):
        before = refused("SLOW_READER")
        _reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(GET % b"flood")
        async with asyncio.timeout(PATIENCE):
            while refused("SLOW_READER") == before:
                await asyncio.sleep(0.1)
        for task in server.server_state.tasks:
            task.cancel()
        writer.close()


async def test_what_comes_after_the_answer_is_bounded() -> None:
    async with serving(max_discarded_bytes=1_000_000) as (port, _app, _server):
        head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n"
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head)
        assert b"200 OK" in await reader.readuntil(b"\r\n")
        with pytest.raises(ConnectionError):
            await send_all(writer, 50_000_000)
        writer.close()


async def test_an_answer_under_way_outlives_a_next_request_that_does_not_come() -> None:
    async with serving(**STRICT) as (port, _app, _server):
        answer = await exchange(port, GET % b"slow", b"GET / HT")
        assert status(answer) == 200
        assert b"ok" in answer


async def test_too_many_connections_of_one_address() -> None:
    async with serving(max_connections_per_address=2) as (port, _app, _server):
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        answer = await exchange(port)
        assert (status(answer), code(answer)) == (503, "TOO_MANY_CONNECTIONS")
        assert b"retry-after: " in answer
        held[0][1].close()
        async with asyncio.timeout(PATIENCE):
            while status(await exchange(port, b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")) != 200:
                await asyncio.sleep(0.02)
        held[1][1].close()


async def test_a_trusted_proxy_has_only_the_bound_of_all() -> None:
    async with serving(max_connections=3, max_connections_per_address=1, trusted_proxies=("127.0.0.0/8",)) as found:
        port = found[0]
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        await asyncio.sleep(0.05)
        assert status(await exchange(port)) == 503
        for _reader, writer in held:
            writer.close()


async def test_the_drain_ends_what_runs_and_only_then_the_application() -> None:
    async with serving(drain_seconds=0.5) as (port, app, server):
        idle = await asyncio.open_connection("127.0.0.1", port)
        stream = asyncio.ensure_future(exchange(port, GET % b"stream"))
        short = asyncio.ensure_future(exchange(port, b"GET / HTTP/1.0\r\nHost: a\r\n\r\n"))
        async with asyncio.timeout(PATIENCE):
            while app.begun < 2:
                await asyncio.sleep(0.01)
        server.should_exit = True
        assert b"cut off" in await stream
        assert status(await short) == 200
        assert await idle[0].read() == b""
        assert app.cut == 1
        with pytest.raises(ConnectionError):
            await asyncio.open_connection("127.0.0.1", port)


async def test_a_taken_port_is_told_in_one_line() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(ConfigurationError, match=r"cannot listen on 127\.0\.0\.1"):
            listen("127.0.0.1", other.getsockname()[1])


async def test_connections_are_counted_back_to_nothing() -> None:
    async with serving() as (port, _app, server):
        for _ in range(20):
            await exchange(port, b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")
        connections: Connections = server._connections
        assert not connections._open
        assert not connections._of_address
