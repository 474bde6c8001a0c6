"""The meter on Valkey or Redis 7+: its function library, called through redis-py. The streams are in `stream`."""

import asyncio
import binascii
import os
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from typing import Any, TypeVar

import orjson
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from usage_service.adapters import library
from usage_service.adapters.lines import encode_lines
from usage_service.adapters.refusals import limited, parse_limits
from usage_service.domain.errors import LeaseClosed, MeterUnavailable, NeedLimits, UnpricedModel
from usage_service.domain.ledger import Amounts, EventStatus, Line
from usage_service.domain.limits import Books, LimitState, Opening, Standing, Subject, Work

log = structlog.get_logger()

PARTITIONS = 256
LEASE_MS = 60_000
PREFIX = f"aisp_v{library.VERSION}_"
KINDS = {"tenant": "t", "key": "k", "user": "u"}
FLAGS = KINDS | {"unpriced": "p"}
OPEN_PAUSE_SECONDS = 0.2
OPEN_ATTEMPTS = 25
CALLS_AT_ONCE = 16
DIGEST = "#"
"""Stands in a list of prices for the list itself: no price has such a name."""
SCANNED = 1000
"""Keys that the store looks at before it lets others in."""
T = TypeVar("T")


def number_of(tenant_id: str) -> int:
    """The number of the tenant's partition."""
    return binascii.crc32(tenant_id.encode()) % PARTITIONS


def partition(number: int) -> str:
    """The prefix of a partition's keys; its braces put all keys of a call into one cluster slot."""
    return f"m:{{p{number}}}"


def partition_of(tenant_id: str) -> str:
    """The prefix of the keys of the tenant's partition."""
    return partition(number_of(tenant_id))


def new_lease_id(clock: Callable[[], float] = time.time) -> str:
    """A UUIDv7: its first 48 bits are the time, out of which the ledger derives the day."""
    milliseconds = int(clock() * 1000)
    number = (milliseconds << 80) | int.from_bytes(os.urandom(10), "big")
    number = number & ~(0xF << 76) | (0x7 << 76)
    return str(uuid.UUID(int=number & ~(0x3 << 62) | (0x2 << 62)))


def tenants_lease_id(tenant_id: str, clock: Callable[[], float] = time.time) -> str:
    """One whose last 32 bits say whose it is: nobody else ends it where the store knows nothing of it any more."""
    name = new_lease_id(clock)[:-8]
    return name + _owner(tenant_id, name)


def _owner(tenant_id: str, name: str) -> str:
    return sha256(f"{tenant_id}/{name}".encode()).hexdigest()[:8]


class ValkeyMeter:
    """Calls the functions; puts the library back when it is gone."""

    def __init__(self, client: Redis) -> None:
        """`client` answers bytes."""
        self._client = client

    async def load(self) -> None:
        """Puts the library in place, unless this very text or a newer one is there."""
        found = _flat(await self._guard(self._client.function_list(library.NAME, withcode=True)))
        text = library.source()
        there = next((leaf.decode() for leaf in found if isinstance(leaf, bytes) and leaf.startswith(b"#!lua")), "")
        if there == text or library.revision_of(there) > library.REVISION:
            return
        await self._guard(self._client.function_load(text, replace=True))

    async def opening(self, tenant_id: str) -> Opening:
        epoch, number = await self._call("opening", tenant_id, tenant_id)
        return Opening(epoch.decode(), int(number))

    async def open(self, positions: Mapping[int, str]) -> None:
        await self._in_turn(positions, lambda number: self._fcall("open", partition(number), positions[number]))

    async def compile(self, tenant_id: str, opening: Opening, subject: Subject, standing: Standing) -> bool:
        answer = await self._call(
            "compile", tenant_id, tenant_id, KINDS[subject.kind], subject.id, opening.epoch, opening.number,
            subject.version, "".join(FLAGS[flag] for flag in subject.flags), subject.prices,
            _written("=", subject.limits.items()),
            f"{_written('=', subject.budgets.items())} {_written('~', subject.marks)}".strip(),
            standing.position, subject.plan, subject.plan_version, *_used(standing),
        )  # fmt: skip
        return bool(answer[0] == b"OK")

    async def invalidate(self, tenant_id: str) -> None:
        await self._call("invalidate", tenant_id, tenant_id)

    async def set_plan(self, name: str, version: int) -> None:
        await self._in_turn(range(PARTITIONS), lambda number: self._fcall("set_plan", partition(number), name, version))

    async def set_prices(self, numbers: Iterable[int], name: str, prices: Mapping[str, object]) -> None:
        # One text, made once: as arguments a list of a thousand costs milliseconds for each of 256 partitions. One that
        # has this very list, as after a restart, is left in peace: the server's log would grow by all of it.
        written = "".join(f"{price}\t{rate}\n" for price, rate in prices.items()).encode()
        digest = str(int.from_bytes(sha256(written).digest()[:6], "big"))
        text = f"{DIGEST}\t{digest}\n".encode() + written
        wanted = list(numbers)
        async with self._client.pipeline(transaction=False) as pipeline:
            for number in wanted:
                pipeline.hget(f"{partition(number)}:rates:{name}", DIGEST)
            there = await self._guard(pipeline.execute())
        older = [number for number, found in zip(wanted, there, strict=True) if (found or b"").decode() != digest]
        await self._in_turn(older, lambda number: self._fcall("set_prices", partition(number), name, text))

    async def reserve(self, work: Work, version: int) -> str:
        lease_id = tenants_lease_id(work.tenant_id)
        answer = await self._call(
            "reserve", work.tenant_id, work.tenant_id, version, work.key_id, 0, work.user_id, lease_id, "job",
            int(work.counts_request), work.model, work.tokens, 0, 1, work.characters, work.audio_milliseconds,
            work.storage_bytes, work.lease_seconds * 1000, _descriptor(work.request_id, work.service, work.model),
            b"[]",
        )  # fmt: skip
        match answer[0]:
            case b"OK":
                return lease_id
            case b"NEED_LIMITS":
                raise NeedLimits
            case b"UNPRICED":
                raise UnpricedModel
        raise limited(work, parse_limits(answer[2 : 2 + 5 * int(answer[1])]))

    async def checkpoint(self, tenant_id: str, lease_id: str, lines: Sequence[Line]) -> None:
        text = encode_lines(lines) if lines else ""
        answer = await self._opened("checkpoint", tenant_id, lease_id, tenant_id, LEASE_MS, text)
        if answer[0] not in (b"OK", b"EXHAUSTED"):
            raise LeaseClosed

    async def settle(self, work: Work, lease_id: str, status: EventStatus, lines: Sequence[Line]) -> None:
        text = encode_lines(lines)
        answer = await self._opened("settle", work.tenant_id, lease_id, work.tenant_id, status.value, text)
        if answer[0] == b"UNKNOWN":
            if lease_id[-8:] != _owner(work.tenant_id, lease_id[:-8]):
                log.error("somebody ends a lease that is not of the caller's tenant", lease_id=lease_id)
                raise LeaseClosed
            log.error("the meter has lost a lease: its settlement is booked all the same", lease_id=lease_id)
            answer = await self._opened(
                "record", work.tenant_id, lease_id, work.tenant_id, status.value, text, work.key_id, work.user_id,
                "job", int(work.counts_request), _descriptor(work.request_id, work.service, work.model),
            )  # fmt: skip
        if answer[0] != b"OK":
            raise LeaseClosed

    async def limits(self, tenant_id: str, key_id: str, user_id: str) -> list[LimitState]:
        answer = await self._call("limits_state", tenant_id, tenant_id, key_id, user_id)
        if answer[0] == b"NEED_LIMITS":
            raise NeedLimits
        return parse_limits(answer[1:])

    async def books(self) -> Books:
        async with self._client.pipeline(transaction=False) as pipeline:
            for number in range(PARTITIONS):
                pipeline.fcall(PREFIX + "books", 1, partition(number))
            rows = await self._guard(pipeline.execute())
        return Books(*(sum(row[column] for row in rows) for column in range(5)))

    async def forget(self, tenant_id: str) -> int:
        # The braces stand for themselves; ids have no letter that a pattern reads otherwise.
        mine = f"{partition_of(tenant_id)}:*:{tenant_id}*"
        names = await self._guard(_all(self._client.scan_iter(match=mine, count=SCANNED)))
        return sum([int(await self._guard(self._client.unlink(name))) for name in names])

    async def check(self) -> None:
        """Returns if the store answers and has the library."""
        if not await self._guard(self._client.function_list(library.NAME)):
            await self.load()

    @staticmethod
    async def _in_turn(numbers: Iterable[int], call: Callable[[int], Awaitable[Any]]) -> None:
        """Some at once: the answers' ways would add up to seconds, in which nobody is admitted."""
        wanted = list(numbers)
        for first in range(0, len(wanted), CALLS_AT_ONCE):
            await asyncio.gather(*(call(number) for number in wanted[first : first + CALLS_AT_ONCE]))

    async def _opened(self, function: str, tenant_id: str, *arguments: Any) -> list[Any]:
        """The answer of an open partition: one that started anew is opened by the worker within a moment."""
        for _ in range(OPEN_ATTEMPTS):
            answer = await self._call(function, tenant_id, *arguments)
            if answer[0] != b"NOT_OPEN":
                return answer
            await asyncio.sleep(OPEN_PAUSE_SECONDS)
        raise MeterUnavailable(retry_after=2)

    async def _call(self, function: str, tenant_id: str, *arguments: Any) -> list[Any]:
        found: list[Any] = await self._fcall(function, partition_of(tenant_id), *arguments)
        return found

    async def _fcall(self, function: str, prefix: str, *arguments: Any) -> Any:
        try:
            return await self._guard(self._client.fcall(PREFIX + function, 1, prefix, *arguments))
        except ResponseError as error:
            if "Function not found" not in str(error):
                raise
            await self.load()
            return await self._guard(self._client.fcall(PREFIX + function, 1, prefix, *arguments))

    @staticmethod
    async def _guard(call: Awaitable[T]) -> T:
        try:
            return await call
        except ResponseError:
            raise
        except (RedisError, OSError, TimeoutError) as error:
            raise MeterUnavailable(retry_after=2) from error


async def _all(found: AsyncIterator[Any]) -> list[Any]:
    return [one async for one in found]


def _written(sign: str, limits: Iterable[tuple[str, int]]) -> str:
    return " ".join(f"{name}{sign}{value}" for name, value in limits)


def _used(standing: Standing) -> list[str | int]:
    """Five items for each measure: its letter, then by period."""
    measures: tuple[tuple[str, Callable[[Amounts], int]], ...] = (
        ("r", lambda amounts: amounts.requests),
        ("k", lambda amounts: amounts.input_tokens + amounts.output_tokens),
        ("c", lambda amounts: amounts.characters),
        ("a", lambda amounts: amounts.audio_milliseconds),
        ("$", lambda amounts: amounts.cost_nano_usd),
        ("b", lambda amounts: amounts.stored_bytes),
    )
    periods = (standing.minute, standing.day, standing.month, standing.total)
    found: list[str | int] = []
    for letter, read in measures:
        found += [letter, *(read(amounts) for amounts in periods)]
    return found


def _descriptor(request_id: str, service: str, model: str) -> bytes:
    return orjson.dumps({"r": request_id, "s": service, "m": model})


def _flat(found: Any) -> list[Any]:
    """Every leaf of a nested answer: what FUNCTION LIST looks like depends on the protocol's version."""
    if isinstance(found, dict):
        return [leaf for value in found.values() for leaf in _flat(value)]
    if isinstance(found, list | tuple):
        return [leaf for value in found for leaf in _flat(value)]
    return [found]


async def close(client: Redis) -> None:
    """Closes a client without waiting for a store that is gone."""
    with suppress(RedisError, OSError, TimeoutError):
        await asyncio.wait_for(client.aclose(), 1)
