"""Answers that are written past ASGI's messages are what a client of HTTP/1.1 reads."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.writer import Writer

HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"2")]


class Written:
    """A connection and its request, and what was written."""

    def __init__(self, method: str = "POST", *, keep_alive: bool = True) -> None:
        self.bytes = b""
        self.closed = False
        self.completed = 0
        self.writable: asyncio.Future[None] | None = None
        self.cycle: Any = SimpleNamespace(
            transport=self,
            scope={"method": method},
            keep_alive=keep_alive,
            disconnected=False,
            response_started=False,
            response_complete=False,
            waiting_for_100_continue=True,
            message_event=asyncio.Event(),
            on_response=self._done,
        )

    def write(self, data: bytes) -> None:
        self.bytes += data

    def close(self) -> None:
        self.closed = True

    def _done(self) -> None:
        self.completed += 1

    @property
    def writer(self) -> Writer:
        return Writer(self, self.cycle)


async def test_an_answer_is_one_write_and_complete() -> None:
    written = Written()
    written.writer.answer(200, HEADERS, b"{}")
    assert written.bytes == b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
    assert (written.completed, written.closed, written.cycle.response_complete) == (1, False, True)
    assert not written.cycle.waiting_for_100_continue


async def test_who_keeps_no_connection_is_told_and_closed() -> None:
    written = Written(keep_alive=False)
    written.writer.answer(404, HEADERS, b"{}")
    assert b"\r\nconnection: close\r\n\r\n{}" in written.bytes
    assert written.closed


async def test_a_head_is_answered_without_the_body() -> None:
    written = Written("HEAD")
    written.writer.answer(200, HEADERS, b"{}")
    assert written.bytes.endswith(b"content-length: 2\r\n\r\n")


@pytest.mark.parametrize("value", [b"a\r\nset-cookie: b", b"a\nb", b"a\rb"])
async def test_a_header_cannot_become_two(value: bytes) -> None:
    written = Written()
    with pytest.raises(ValueError, match="more than one line"):
        written.writer.answer(200, [*HEADERS, (b"x-model", value)], b"{}")
    assert written.bytes == b""


async def test_parts_are_chunks_and_hold_back_where_nobody_reads() -> None:
    written = Written()
    assert written.writer.part(b"data: 1\n\n") is None
    written.writable = asyncio.get_running_loop().create_future()
    assert written.writer.part(b"0123456789abcdef") is written.writer.hold is written.writable
    assert written.bytes == b"9\r\ndata: 1\n\n\r\n10\r\n0123456789abcdef\r\n"


async def test_nothing_is_written_to_who_is_gone() -> None:
    written = Written()
    written.cycle.disconnected = True
    written.writer.answer(200, HEADERS, b"{}")
    assert written.writer.part(b"x") is None
    assert written.bytes == b""
