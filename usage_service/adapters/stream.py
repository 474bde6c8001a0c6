"""EventStream on Valkey or Redis 7+: the partitions' streams, read from where the ledger says that it is.

No consumer group: the position is kept in the ledger's own database, in the transaction that books the events
(docs/decisions/0006), so a restored ledger goes on where it was.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from usage_service.adapters.lines import decode_event
from usage_service.adapters.valkey import PARTITIONS, PREFIX, partition
from usage_service.domain.ledger import START, Entry

log = structlog.get_logger()

SWEEP_BATCH = 100
CHECK_SECONDS = 5.0
"""So often every partition is asked whether it is open; one of them is asked all the time: a server that started anew
shows in each.
"""
STREAMS = tuple(f"{partition(number)}:events" for number in range(PARTITIONS))


class ValkeyEvents:
    """The streams of all partitions."""

    def __init__(self, client: Redis, kept_seconds: int) -> None:
        self._client = client
        self._kept_ms = kept_seconds * 1000
        self._epoch = b""
        self._checked = -CHECK_SECONDS

    async def read(self, positions: Mapping[int, str], count: int, wait_seconds: float) -> list[Entry]:
        streams: Any = {stream: positions.get(number, START) for number, stream in enumerate(STREAMS)}
        answer: Any = await self._client.xread(streams, count=count, block=max(1, int(wait_seconds * 1000)))
        rows = answer.items() if isinstance(answer, dict) else answer or []
        return [
            entry for stream, entries in rows for name, fields in _entries(entries)
            if (entry := _entry(stream, name, fields))
        ]  # fmt: skip

    async def suspect(self) -> bool:
        if time.monotonic() - self._checked >= CHECK_SECONDS:
            return True
        try:
            epoch, _ = await self._client.fcall(PREFIX + "progress", 1, partition(0))
        except ResponseError:  # the library is gone
            return True
        return bool(epoch != self._epoch)

    async def closed(self) -> list[int]:
        async with self._client.pipeline(transaction=False) as pipeline:
            for number in range(PARTITIONS):
                pipeline.fcall(PREFIX + "progress", 1, partition(number))
            answers = await pipeline.execute()
        found = [number for number, answer in enumerate(answers) if not answer[0]]
        if not found:
            self._epoch, self._checked = answers[0][0], time.monotonic()
        return found

    async def committed(self, positions: Mapping[int, str]) -> None:
        async with self._client.pipeline(transaction=False) as pipeline:
            for number, position in positions.items():
                pipeline.set(f"{partition(number)}:committed", position)
            await pipeline.execute()

    async def sweep(self) -> int:
        async with self._client.pipeline(transaction=False) as pipeline:
            for number in range(PARTITIONS):
                pipeline.fcall(PREFIX + "sweep", 1, partition(number), SWEEP_BATCH)
            return sum(await pipeline.execute())

    async def trim(self, positions: Mapping[int, str]) -> None:
        oldest = (int(time.time() * 1000) - self._kept_ms, 0)
        async with self._client.pipeline(transaction=False) as pipeline:
            for number, position in positions.items():
                first = min(oldest, ordinal(position))
                pipeline.xtrim(STREAMS[number], minid=f"{first[0]}-{first[1]}", approximate=False)
            await pipeline.execute()


def ordinal(position: str) -> tuple[int, int]:
    """An entry's id as what orders it."""
    milliseconds, _, sequence = position.partition("-")
    return int(milliseconds), int(sequence)


def _entries(entries: Sequence[Any]) -> Sequence[Any]:
    # With RESP3 the entries of a stream come in one more list.
    nested = entries and isinstance(entries[0], list) and entries[0] and isinstance(entries[0][0], list | tuple)
    return list(entries[0]) if nested else entries


def _entry(stream: bytes, name: bytes, fields: dict[bytes, bytes]) -> Entry:
    number = int(stream.decode().partition("{p")[2].partition("}")[0])
    told = {key.decode(): value.decode() for key, value in fields.items()}
    try:
        event = None if told.get("kind") == "mark" else decode_event(told)
    except (KeyError, ValueError, IndexError, TypeError) as error:
        log.exception("an entry that is no event is kept apart", stream=stream, entry=name, error=repr(error))
        return Entry(number, name.decode(), None, told)
    return Entry(number, name.decode(), event, None)
