"""Meter and EventStream on Valkey or Redis 7+: the function library, and consumer groups over the event streams."""

import asyncio
import binascii
import os
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import orjson
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from chassis.errors import Violation
from usage_service.adapters.lines import decode_event, encode_lines
from usage_service.domain import (
    Books,
    EventStatus,
    LeaseClosed,
    LimitState,
    Line,
    MeterEvent,
    MeterUnavailable,
    NeedLimits,
    RateLimited,
    Work,
)
from usage_service.policy import bytes_of, tokens_of

log = structlog.get_logger()

PARTITIONS = 256
LIBRARY = Path(__file__).with_name("meter.lua")
GROUP = "ledger"
# One name for all workers: whoever starts takes up what a dead one had read. The ledger books each event once anyway.
CONSUMER = "worker"
LEASE_MS = 60_000
SWEEP_BATCH = 100
T = TypeVar("T")


def partition_of(tenant_id: str) -> str:
    """The key prefix of the tenant's partition; its braces put all keys of a call into one cluster slot."""
    return f"m:{{p{binascii.crc32(tenant_id.encode()) % PARTITIONS}}}"


def new_lease_id(clock: Callable[[], float] = time.time) -> str:
    """A UUIDv7: its first 48 bits are the time, out of which the ledger derives the day."""
    milliseconds = int(clock() * 1000)
    number = (milliseconds << 80) | int.from_bytes(os.urandom(10), "big")
    number = number & ~(0xF << 76) | (0x7 << 76)
    return str(uuid.UUID(int=number & ~(0x3 << 62) | (0x2 << 62)))


class ValkeyMeter:
    """Calls the functions through redis-py; puts the library back when it is gone."""

    def __init__(self, client: Redis) -> None:
        """`client` answers bytes."""
        self._client = client

    async def load(self) -> None:
        """Puts the library in place, replacing an older text of the same version."""
        await self._guard(self._client.function_load(LIBRARY.read_text(), replace=True))

    async def set_tenant_limits(self, tenant_id: str, version: int, limits: Mapping[str, int]) -> None:
        await self._set_limits(tenant_id, "t", tenant_id, version, limits)

    async def set_key_limits(self, tenant_id: str, key_id: str, version: int, limits: Mapping[str, int]) -> None:
        await self._set_limits(tenant_id, "k", key_id, version, limits)

    async def reserve(self, work: Work, version: int) -> str:
        lease_id = new_lease_id()
        descriptor = {"r": work.request_id, "u": work.user_id, "k": work.key_id, "s": work.service}
        answer = await self._call(
            "reserve", work.tenant_id, work.tenant_id, version, "", 0, lease_id, "job", int(work.counts_request),
            work.tokens, 0, 1, work.storage_bytes, work.lease_seconds * 1000, orjson.dumps(descriptor), b"[]",
        )  # fmt: skip
        match answer[0]:
            case b"OK":
                return lease_id
            case b"NEED_LIMITS":
                raise NeedLimits
        binding = parse_limits(answer[2 : 2 + 5 * int(answer[1])])
        raise RateLimited(
            f"The limit {binding[0].name} is exhausted.",
            metadata={"limit": binding[0].name, "scope": binding[0].scope},
            violations=[Violation(state.name, f"{state.used} of {state.limit} used") for state in binding],
            retry_after=max(1.0, max(state.reset_ms for state in binding) / 1000),
        )

    async def checkpoint(self, tenant_id: str, lease_id: str, lines: Sequence[Line]) -> None:
        text = encode_lines(lines) if lines else ""
        answer = await self._call("checkpoint", tenant_id, lease_id, tenant_id, LEASE_MS, tokens_of(lines), text)
        if answer[0] != b"OK":
            raise LeaseClosed

    async def settle(self, tenant_id: str, lease_id: str, status: EventStatus, lines: Sequence[Line]) -> None:
        answer = await self._call(
            "settle", tenant_id, lease_id, tenant_id, status.value, tokens_of(lines), bytes_of(lines),
            encode_lines(lines),
        )  # fmt: skip
        if answer[0] != b"OK":
            raise LeaseClosed

    async def limits(self, tenant_id: str, key_id: str) -> list[LimitState]:
        return parse_limits(await self._call("limits_state", tenant_id, tenant_id, key_id))

    async def books(self) -> Books:
        async with self._client.pipeline(transaction=False) as pipeline:
            for number in range(PARTITIONS):
                pipeline.fcall("aisp_v1_books", 1, f"m:{{p{number}}}")
            rows = await self._guard(pipeline.execute())
        return Books(*(sum(row[column] for row in rows) for column in range(4)))

    async def check(self) -> None:
        """Returns if the store answers and has the library."""
        found = await self._guard(self._client.function_list("aisp_meter_v1"))
        if not found:
            await self.load()

    async def _set_limits(self, tenant_id: str, kind: str, name: str, version: int, limits: Mapping[str, int]) -> None:
        pairs = [item for pair in limits.items() for item in pair]
        await self._call("limits_set", tenant_id, kind, name, version, *pairs)

    async def _call(self, function: str, tenant_id: str, *arguments: Any) -> list[Any]:
        async def call() -> list[Any]:
            found: list[Any] = await self._client.fcall(f"aisp_v1_{function}", 1, partition_of(tenant_id), *arguments)
            return found

        try:
            return await self._guard(call())
        except ResponseError as error:
            if "Function not found" not in str(error):
                raise
            await self.load()
            return await self._guard(call())

    @staticmethod
    async def _guard(call: Awaitable[T]) -> T:
        try:
            return await call
        except ResponseError:
            raise
        except (RedisError, OSError, TimeoutError) as error:
            raise MeterUnavailable(retry_after=2) from error


class ValkeyEvents:
    """Reads the streams of all partitions as one consumer of the group."""

    def __init__(self, client: Redis, kept_seconds: int) -> None:
        self._client = client
        self._kept_ms = kept_seconds * 1000
        self._streams = [f"m:{{p{number}}}:events" for number in range(PARTITIONS)]
        self._pending = True

    async def prepare(self) -> None:
        """Makes the groups; from the beginning, so that nothing appended before is missed."""
        async with self._client.pipeline(transaction=False) as pipeline:
            for stream in self._streams:
                pipeline.xgroup_create(stream, GROUP, id="0", mkstream=True)
            for answer in await pipeline.execute(raise_on_error=False):
                if isinstance(answer, Exception) and "BUSYGROUP" not in str(answer):
                    raise answer
        self._pending = True

    async def read(self, count: int, wait_seconds: float) -> list[tuple[str, str, MeterEvent]]:
        if self._pending:
            found = await self._read("0", count, None)
            if found:
                return found
            self._pending = False
        return await self._read(">", count, int(wait_seconds * 1000))

    async def _read(self, start: str, count: int, block: int | None) -> list[tuple[str, str, MeterEvent]]:
        streams: Any = dict.fromkeys(self._streams, start)
        answer: Any = await self._client.xreadgroup(GROUP, CONSUMER, streams, count=count, block=block)
        rows = answer.items() if isinstance(answer, dict) else answer or []
        return [
            (stream.decode(), entry.decode(), decode_event(fields))
            for stream, entries in rows
            for entry, fields in entries
            if fields
        ]

    def again(self) -> None:
        """After a failure: what was read and not acknowledged comes first."""
        self._pending = True

    async def acknowledge(self, entries: Sequence[tuple[str, str]]) -> None:
        by_stream: dict[str, list[str]] = {}
        for stream, entry in entries:
            by_stream.setdefault(stream, []).append(entry)
        async with self._client.pipeline(transaction=False) as pipeline:
            for stream, found in by_stream.items():
                pipeline.xack(stream, GROUP, *found)
            await pipeline.execute()

    async def sweep(self) -> int:
        async with self._client.pipeline(transaction=False) as pipeline:
            for number in range(PARTITIONS):
                pipeline.fcall("aisp_v1_sweep", 1, f"m:{{p{number}}}", SWEEP_BATCH)
            return sum(await pipeline.execute())

    async def trim(self) -> None:
        oldest = int(time.time() * 1000) - self._kept_ms
        async with self._client.pipeline(transaction=False) as pipeline:
            for stream in self._streams:
                pipeline.xtrim(stream, minid=f"{oldest}-0", approximate=True)
            await pipeline.execute()


def parse_limits(flat: Sequence[Any]) -> list[LimitState]:
    """Rows of five: scope, name, limit, used, milliseconds."""
    return [
        LimitState(flat[i].decode(), flat[i + 1].decode(), *(int(item) for item in flat[i + 2 : i + 5]))
        for i in range(0, len(flat), 5)
    ]


async def close(client: Redis) -> None:
    """Closes a client without waiting for a store that is gone."""
    with suppress(RedisError, OSError, TimeoutError):
        await asyncio.wait_for(client.aclose(), 1)
