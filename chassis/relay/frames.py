"""The frames: their bytes, what is in them, what is counted. No I/O.

    size of the body, 4 bytes · call, 4 bytes · kind, 1 byte · body

Numbers are big-endian. A call is numbered by the client, from 1, never twice on a link; 0 is the link itself. Bodies:

    HELLO   "aisp", version (1), the signed context of METHOD; the server answers with the first two
    OPEN    milliseconds (4, 0: no bound), credit (4), length of the method (2), entries (2), method, entries, request
    DATA    a response
    END     code (1), entries (2), entries, the response of a unary call
    CREDIT  bytes of DATA (4) that may be sent on top: a message is sent while any credit is left, whatever its size
    CANCEL, nobody waits any more; REFUSE, the call was not begun; DRAIN, no more are begun; PING, PONG: all empty
    AHEAD   as OPEN, of a call that is not admitted yet: it is made ready, and nobody else is asked before GO (empty)

An entry of metadata is the length of its name (2), of its value (4), the name, the value.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from prometheus_client import REGISTRY
from prometheus_client.core import CounterMetricFamily

METHOD = "/aisp.relay.v1.RelayService/Locate"
VERSION = 2
MAGIC = b"aisp" + bytes([VERSION])
HEAD_BYTES = 9
MAX_BODY_BYTES = 32 * 1024 * 1024
"""What gRPC takes too."""
MAX_HELLO_BYTES = 4096

HELLO, OPEN, DATA, END, CANCEL, CREDIT, REFUSE, DRAIN, PING, PONG, AHEAD, GO = range(1, 13)

_HEAD = struct.Struct("!IIB")
_OPEN = struct.Struct("!IIHH")
_END = struct.Struct("!BH")
_ENTRY = struct.Struct("!HI")
_CREDIT = struct.Struct("!I")

read_head = _HEAD.unpack_from

Metadata = Sequence[tuple[str, str | bytes]]


class BadFrame(Exception):  # named by what it is
    """Bytes that are no frame, or one that is too large."""


class Opened(NamedTuple):
    """What a call begins with. `timeout_ms` 0: no bound."""

    timeout_ms: int
    credit: int
    method: str
    metadata: Metadata
    payload: bytes


class Ended(NamedTuple):
    """How a call ended. `code`: canonical, 0 for success."""

    code: int
    metadata: Metadata
    payload: bytes


def bare(kind: int, call: int = 0, body: bytes = b"") -> bytes:
    """A frame whose body is nothing, or as given."""
    return _HEAD.pack(len(body), call, kind) + body


def opening(call: int, opened: Opened, kind: int = OPEN) -> bytes:
    """An OPEN frame, or one that is like it."""
    name = opened.method.encode()
    head = _OPEN.pack(opened.timeout_ms, opened.credit, len(name), len(opened.metadata))
    return bare(kind, call, b"".join((head, name, *_entries(opened.metadata), opened.payload)))


def ending(call: int, ended: Ended) -> bytes:
    """An END frame."""
    head = _END.pack(ended.code, len(ended.metadata))
    return bare(END, call, b"".join((head, *_entries(ended.metadata), ended.payload)))


def credit(call: int, size: int) -> bytes:
    """A CREDIT frame."""
    return bare(CREDIT, call, _CREDIT.pack(size))


def read_open(body: bytes) -> Opened:
    """BadFrame if it is none."""
    try:
        timeout_ms, granted, length, count = _OPEN.unpack_from(body)
        start = _OPEN.size + length
        method = body[_OPEN.size : start].decode()
        metadata, start = _read_entries(body, start, count)
    except (struct.error, UnicodeDecodeError) as error:
        raise BadFrame("an opening frame") from error
    return Opened(timeout_ms, granted, method, metadata, body[start:])


def read_end(body: bytes) -> Ended:
    """BadFrame if it is none."""
    try:
        code, count = _END.unpack_from(body)
        metadata, start = _read_entries(body, _END.size, count)
    except (struct.error, UnicodeDecodeError) as error:
        raise BadFrame("an ending frame") from error
    return Ended(code, metadata, body[start:])


def read_credit(body: bytes) -> int:
    """BadFrame if it is none."""
    if len(body) != _CREDIT.size:
        raise BadFrame("a credit frame")
    return int(_CREDIT.unpack(body)[0])


def _entries(metadata: Metadata) -> Iterator[bytes]:
    for key, value in metadata:
        name, data = key.encode(), value if isinstance(value, bytes) else value.encode()
        yield _ENTRY.pack(len(name), len(data)) + name + data


def _read_entries(body: bytes, start: int, count: int) -> tuple[Metadata, int]:
    """Metadata as gRPC gives it: text, or bytes under a key that ends with -bin; and where it ends."""
    entries: list[tuple[str, str | bytes]] = []
    for _ in range(count):
        name_bytes, value_bytes = _ENTRY.unpack_from(body, start)
        middle = start + _ENTRY.size + name_bytes
        key, value = body[start + _ENTRY.size : middle].decode(), body[middle : middle + value_bytes]
        start = middle + value_bytes
        entries.append((key, value if key.endswith("-bin") else value.decode(errors="replace")))
    if start > len(body):
        raise struct.error("it ends too soon")
    return tuple(entries), start


class Traffic:
    """Counts messages and the frames that they carried. Plain numbers: a metric's own cost more than a frame."""

    def __init__(self) -> None:
        self.sent_messages = self.sent_frames = self.received_messages = self.received_frames = 0

    def collect(self) -> Iterable[CounterMetricFamily]:
        """What the registry asks for."""
        messages = CounterMetricFamily(
            "aisp_relay_messages", "Writes and reads between processes", labels=["direction"]
        )
        frames = CounterMetricFamily("aisp_relay_frames", "Frames that they carried", labels=["direction"])
        for direction in ("sent", "received"):
            messages.add_metric([direction], getattr(self, f"{direction}_messages"))
            frames.add_metric([direction], getattr(self, f"{direction}_frames"))
        return [messages, frames]


TRAFFIC = Traffic()
REGISTRY.register(TRAFFIC)
