"""Streams to clients: comments where nothing is sent, and an end to the work when the client leaves."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from gateway.sse import COMMENT, GONE, Heartbeats, until_disconnect, written

pytestmark = pytest.mark.usefixtures("leaping")


class Client:
    """A connection that tells of its end as our own server does, or only to who receives."""

    def __init__(self, *, watched: bool) -> None:
        self.left = asyncio.Event()
        self._told: Callable[[], None] | None = None
        gone = {"watch": self._watch, "loop": asyncio.get_running_loop()}
        self.scope: dict[str, Any] = {"extensions": {GONE: gone}} if watched else {}

    def _watch(self, call: Callable[[], None] | None) -> None:
        self._told = call

    async def receive(self) -> dict[str, Any]:
        await self.left.wait()
        return {"type": "http.disconnect"}

    def leave(self) -> None:
        self.left.set()
        if self._told is not None:
            self._told()


@pytest.mark.parametrize("watched", [True, False])
async def test_the_work_ends_when_the_client_leaves(watched: bool) -> None:
    client, ended = Client(watched=watched), asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    task = asyncio.create_task(until_disconnect(client.scope, client.receive, work()))
    await asyncio.sleep(0.01)
    client.leave()
    await asyncio.wait_for(task, 1)
    assert ended.is_set()


@pytest.mark.parametrize("watched", [True, False])
async def test_work_and_its_errors_pass_through(watched: bool) -> None:
    client = Client(watched=watched)

    async def fail() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError, match="x"):
        await until_disconnect(client.scope, client.receive, fail())
    client.leave()
    await asyncio.sleep(0.01)


async def test_who_cancels_from_without_is_heard() -> None:
    """The drain cancels a request: that is no client who left."""
    client = Client(watched=True)
    task = asyncio.create_task(until_disconnect(client.scope, client.receive, asyncio.sleep(60)))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_comment_where_nothing_is_written() -> None:
    written: list[bytes] = []
    with Heartbeats(written.append, 0.2) as stream:
        for _ in range(10):
            await asyncio.sleep(0.03)
            stream.write(b"event")
        assert COMMENT not in written
        await asyncio.sleep(0.75)
        assert written.count(COMMENT) == 3
    count = len(written)
    await asyncio.sleep(0.3)
    assert len(written) == count


async def test_no_comment_to_who_does_not_read() -> None:
    written: list[bytes] = []
    hold: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def write(data: bytes) -> asyncio.Future[None]:
        written.append(data)
        return hold

    with Heartbeats(write, 0.01) as stream:
        stream.write(b"event")
        await asyncio.sleep(0.1)
        assert written == [b"event"]
        hold.set_result(None)
        await asyncio.sleep(0.05)
        assert COMMENT in written


async def test_parts_go_behind_the_writer_on_a_server_that_has_to_be_awaited() -> None:
    sent: list[bytes] = []
    reads = asyncio.Event()

    async def send(message: dict[str, Any]) -> None:
        await reads.wait()
        sent.append(message["body"])

    async with written({}, send) as write:
        holds = [write(b"%d" % number) for number in range(30)]
        assert holds[0] is None
        assert holds[-1] is not None
        await asyncio.sleep(0.01)
        assert not holds[-1].done()
        reads.set()
        await asyncio.wait_for(holds[-1], 1)
    assert sent == [b"%d" % number for number in range(30)]
