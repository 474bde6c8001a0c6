"""One stream for several readers: each reads all of it, at its own pace, while the source runs once.

What waits for the slowest reader is bounded: the source is not asked for more until it has read on. The source is left
when the last reader is.
"""

import asyncio
from collections.abc import AsyncGenerator
from typing import Generic, TypeVar

T = TypeVar("T")

AHEAD_BYTES = 256 * 1024


class Broadcast(Generic[T]):
    """`most`: bytes that are kept so that a reader can still join; beyond it, only those that are there read on."""

    def __init__(self, source: AsyncGenerator[T, None], most: int) -> None:
        self._source = source
        self._most = most
        self._items: list[T] = []
        self._first = 0
        """The number of the first item that is still kept."""
        self._readers: dict[object, int] = {}
        self._bytes = 0
        self._error: BaseException | None = None
        self._ended = False
        self._changed = asyncio.Condition()
        self._pump = asyncio.create_task(self._run())

    @property
    def whole(self) -> list[T] | None:
        """All items, once the source has ended well; None before, or if they are too many."""
        return self._items if self._ended and self._error is None and self._first == 0 else None

    @property
    def open(self) -> bool:
        """Whether a new reader gets all of it."""
        return self._first == 0 and self._bytes <= self._most and self._error is None

    async def read(self) -> AsyncGenerator[T, None]:
        """All items, from the first. The source's error."""
        reader = object()
        self._readers[reader] = 0
        try:
            while True:
                async with self._changed:
                    await self._changed.wait_for(lambda: self._there(reader) or self._ended)
                    if not self._there(reader):
                        break
                    item = self._items[self._readers[reader] - self._first]
                    self._readers[reader] += 1
                    self._trim()
                    self._changed.notify_all()
                yield item
            if self._error is not None:
                raise self._error
        finally:
            del self._readers[reader]
            if not self._readers and not self._pump.done():
                self._pump.cancel()
                await asyncio.gather(self._pump, return_exceptions=True)

    def _there(self, reader: object) -> bool:
        return self._readers[reader] < self._first + len(self._items)

    def _trim(self) -> None:
        if self._bytes <= self._most:
            return
        read = min(self._readers.values(), default=self._first) - self._first
        del self._items[:read]
        self._first += read

    def _ahead(self) -> int:
        """Bytes that the slowest reader has not read."""
        slowest = min(self._readers.values(), default=0) - self._first
        return sum(len(item) for item in self._items[max(0, slowest) :] if isinstance(item, bytes))

    async def _run(self) -> None:
        try:
            async for item in self._source:
                async with self._changed:
                    self._items.append(item)
                    self._bytes += len(item) if isinstance(item, bytes) else 0
                    self._changed.notify_all()
                    await self._changed.wait_for(lambda: self._ahead() < AHEAD_BYTES)
        except BaseException as error:
            # Whatever it is, it is every reader's.
            self._error = error
            if not isinstance(error, Exception):
                raise
        finally:
            await self._source.aclose()
            async with self._changed:
                self._ended = True
                self._changed.notify_all()
