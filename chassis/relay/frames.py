"""What both sides share: frames that wait are joined into one message, metadata in frames, what is counted."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

from aisp.relay.v1 import relay_service_pb2 as pb
from prometheus_client import Counter

METHOD = "/aisp.relay.v1.RelayService/Relay"
SERVICE = "aisp.relay.v1.RelayService"
MAX_JOINED_BYTES = 256 * 1024
MAX_JOINED_FRAMES = 1024
"""A message is closed when it has as much; a larger frame travels alone."""

MESSAGES = Counter("aisp_relay_messages_total", "Messages between processes", ["direction"])
FRAMES = Counter("aisp_relay_frames_total", "Frames that they carried", ["direction"])
SENT = MESSAGES.labels("sent"), FRAMES.labels("sent")
RECEIVED = MESSAGES.labels("received"), FRAMES.labels("received")

Metadata = Sequence[tuple[str, str | bytes]]


class Outbox:
    """Frames on their way out. While one message is being written the next ones gather; nothing waits to be joined."""

    def __init__(self, write: Callable[[pb.Frames], Awaitable[None]]) -> None:
        self._write = write
        self._frames: deque[pb.Frame] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._closed = False

    def put(self, frame: pb.Frame) -> None:
        """Sends a frame after those that wait."""
        self._frames.append(frame)
        self._wake()

    def close(self) -> None:
        """Lets `run` end once everything is written."""
        self._closed = True
        self._wake()

    async def run(self) -> None:
        """Writes until closed or cancelled; raises what the stream raises."""
        loop = asyncio.get_running_loop()
        while True:
            if self._frames:
                await self._write(self._take())
            elif self._closed:
                return
            else:
                self._waiter = loop.create_future()
                await self._waiter
                self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _take(self) -> pb.Frames:
        frames: list[pb.Frame] = []
        size = 0
        while self._frames and len(frames) < MAX_JOINED_FRAMES:
            size += len(self._frames[0].payload)
            if frames and size > MAX_JOINED_BYTES:
                break
            frames.append(self._frames.popleft())
        count(SENT, len(frames))
        return pb.Frames(frames=frames)


def count(direction: tuple[Counter, Counter], frames: int) -> None:
    """Counts a message."""
    direction[0].inc()
    direction[1].inc(frames)


def to_entries(metadata: Iterable[tuple[str, str | bytes]]) -> Iterator[pb.Metadata]:
    """Metadata as it travels."""
    for key, value in metadata:
        yield pb.Metadata(key=key, value=value if isinstance(value, bytes) else value.encode())


def from_entries(entries: Iterable[pb.Metadata]) -> tuple[tuple[str, str | bytes], ...]:
    """Metadata as gRPC gives it: text, or bytes under a key that ends with -bin."""
    return tuple(
        (entry.key, entry.value if entry.key.endswith("-bin") else entry.value.decode(errors="replace"))
        for entry in entries
    )
