"""Frames between the service and a worker process: a length, a kind (J: JSON, B: bytes), a payload."""

import json
import sys
from typing import Any, BinaryIO

HEADER_BYTES = 5
MAX_FRAME_BYTES = 64 * 1024 * 1024


def encode(kind: bytes, payload: bytes) -> bytes:
    """A frame."""
    return len(payload).to_bytes(4, "big") + kind + payload


def read(stream: BinaryIO) -> tuple[bytes, bytes] | None:
    """The next frame, or None at the end."""
    header = stream.read(HEADER_BYTES)
    if len(header) < HEADER_BYTES:
        return None
    return header[4:], stream.read(int.from_bytes(header[:4], "big"))


class WorkerPipe:
    """A worker's side: takes requests, tells answers."""

    def __init__(self) -> None:
        # Libraries print; what they print must not get between the frames.
        self._out = sys.stdout.buffer
        sys.stdout = sys.stderr

    def request(self) -> dict[str, Any] | None:
        """The next request, or None when the service is gone."""
        frame = read(sys.stdin.buffer)
        return json.loads(frame[1]) if frame else None

    def tell(self, **fields: Any) -> None:
        """An answer."""
        self._send(b"J", json.dumps(fields).encode())

    def send(self, data: bytes) -> None:
        """A part of an answer."""
        self._send(b"B", data)

    def _send(self, kind: bytes, payload: bytes) -> None:
        self._out.write(encode(kind, payload))
        self._out.flush()
