"""Writes one request's answer past ASGI's messages, each of which costs a coroutine, checks and a write of its own.

Only our own server has it; what is written is what uvicorn would write.
"""

from collections.abc import Sequence
from typing import Protocol

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from chassis.flow import Hold
from gateway.errors import Header


class Connection(Protocol):
    """What it needs of the connection."""

    @property
    def writable(self) -> Hold:
        """What to wait for where the client does not read."""


class Writer:
    """For one request: a next one on the connection may begin while this one is answered."""

    __slots__ = ("_connection", "_cycle", "_write")

    def __init__(self, connection: Connection, cycle: RequestResponseCycle) -> None:
        self._connection = connection
        self._cycle = cycle
        self._write = cycle.transport.write

    @property
    def hold(self) -> Hold:
        """What to wait for before anything is written."""
        return None if self._cycle.disconnected else self._connection.writable

    def part(self, data: bytes) -> Hold:
        """Of an answer that was begun with neither a length nor an end: what to wait for before the next."""
        if self._cycle.disconnected:
            return None
        self._write(b"%x\r\n%b\r\n" % (len(data), data))
        return self._connection.writable

    def answer(self, status: int, headers: Sequence[Header], body: bytes) -> None:
        """All of an answer, in one write. `headers` tell its length."""
        cycle = self._cycle
        if cycle.disconnected:
            return
        cycle.response_started = cycle.response_complete = True
        cycle.waiting_for_100_continue = False
        lines = [name + b": " + value for name, value in headers]
        if not cycle.keep_alive:
            lines.append(b"connection: close")
        head = b"\r\n".join(lines)
        if not head.count(b"\n") == head.count(b"\r") == len(lines) - 1:
            raise ValueError("a header of more than one line")
        told = b"" if cycle.scope["method"] == "HEAD" else body
        self._write(b"%b%b\r\n\r\n%b" % (STATUS_LINE[status], head, told))
        cycle.message_event.set()
        if not cycle.keep_alive:
            cycle.transport.close()
        cycle.on_response()
