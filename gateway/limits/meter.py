"""The meter as the gateway uses it: reserve before the work, renew while it runs, settle when it ends.

The functions live in the store (protos/aisp/usage/v1/METER.md). No limit is known here: the store has them, compiled,
and says NEED_LIMITS when it has not; then the usage service is asked to compile them.
"""

import asyncio
import binascii
import os
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import structlog

from chassis.errors import Internal, PlatformError, ResourceExhausted, Violation
from gateway.limits.quotas import Quota, parse
from gateway.limits.resp import ReplyError, RespClient, StoreUnavailable

log = structlog.get_logger()

PARTITIONS = 256
LEASE_MS = 60_000
RENEW_SECONDS = 20.0
MAX_UNSETTLED = 100_000
SETTLE_PAUSE_SECONDS = 0.5
FUNCTION_GONE = "Function not found"


class RateLimited(ResourceExhausted):
    """A limit binds. `quotas`: the state of all of them, for the headers."""

    reason = "RATE_LIMITED"
    quotas: tuple[Quota, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """An amount of one unit: input_tokens, cached_input_tokens, output_tokens, characters, audio_milliseconds,
    stored_bytes.
    """

    service: str
    model: str
    provider: str
    unit: str
    amount: int
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Admission:
    """What asks to be admitted. `kind`: ai, management (no lease) or effect (a management call with metered effect)."""

    tenant_id: str
    plan: str
    tenant_version: int
    request_id: str
    kind: str = "ai"
    user_id: str = ""
    key_id: str = ""
    key_version: int = 0
    key_limits: Mapping[str, int] = field(default_factory=dict)
    service: str = ""
    model: str = ""
    tokens: int = 0
    """Estimated input."""
    output_tokens: int = 0
    output_bounded: bool = False
    """Whether the client bounded the output; else the store bounds what is reserved for it."""
    storage_bytes: int = 0


@dataclass(slots=True)
class Lease:
    """An admission. `id` is empty for a management call."""

    id: str
    tenant_id: str
    quotas: tuple[Quota, ...]
    lines: Sequence[Line] = ()
    """What was used so far, for checkpoints."""


Ensure = Callable[[Admission], Awaitable[None]]
"""Has the usage service compile the limits of the tenant (and the key) into the store."""

TOKENS = frozenset({"input_tokens", "cached_input_tokens", "output_tokens"})


class Meter:
    """The meter's client. Run `run()` beside it: it renews leases and repeats settlements that did not arrive."""

    def __init__(self, client: RespClient, ensure: Ensure, clock: Callable[[], float] = time.time) -> None:
        self._client = client
        self._ensure = ensure
        self._clock = clock
        self._ensuring: dict[tuple[str, int, str, int], asyncio.Task[None]] = {}
        self._open: dict[str, Lease] = {}
        self._unsettled: asyncio.Queue[tuple[str, tuple[str | int, ...]]] = asyncio.Queue(MAX_UNSETTLED)
        self._settling: set[asyncio.Task[None]] = set()

    async def reserve(self, admission: Admission) -> Lease:
        """Admits, all limits or none. RateLimited, StoreUnavailable."""
        lease_id = "" if admission.kind == "management" else new_lease_id(self._clock)
        for _ in range(3):
            answer = await self._reserve(admission, lease_id)
            if answer is None:
                await self._ensure_once(admission)
                continue
            if answer[0] == b"LIMITED":
                raise _limited(answer)
            lease = Lease(lease_id, admission.tenant_id, parse(answer[1:]))
            if lease_id:
                self._open[lease_id] = lease
            return lease
        log.error("the meter goes on asking for limits", tenant_id=admission.tenant_id)
        raise Internal

    async def settle(self, lease: Lease, lines: Sequence[Line], status: str = "settled") -> None:
        """Ends the lease. Never fails: what the store does not take now is repeated until it does."""
        if not lease.id or self._open.pop(lease.id, None) is None:
            return
        rows = [[row.service, row.model, row.provider, row.unit, row.amount, row.attempt] for row in lines]
        tokens = sum(row.amount for row in lines if row.unit in TOKENS)
        stored = sum(row.amount for row in lines if row.unit == "stored_bytes")
        command = (lease.id, lease.tenant_id, status, tokens, stored, orjson.dumps(rows).decode())
        # A caller that is cancelled now must not leave its lease open.
        task = asyncio.create_task(self._settle(lease.tenant_id, command))
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)
        await asyncio.shield(task)

    async def ping(self) -> None:
        """Returns if the store answers. StoreUnavailable."""
        await self._client.call("PING")

    async def run(self) -> None:
        """Renews open leases and repeats settlements, until cancelled."""
        await asyncio.gather(self._renew_for_ever(), self._repeat_for_ever())

    async def drain(self, seconds: float) -> None:
        """Waits for settlements under way."""
        if self._settling:
            await asyncio.wait(self._settling, timeout=seconds)

    async def _reserve(self, admission: Admission, lease_id: str) -> list[Any] | None:
        """The answer, or None where limits are needed first."""
        key = admission.key_id if admission.key_version else ""
        descriptor = {"r": admission.request_id, "u": admission.user_id, "s": admission.service}
        if admission.key_id:
            descriptor["k"] = admission.key_id
        if admission.model:
            descriptor["m"] = admission.model
        fallback = [[admission.service, admission.model, "", "input_tokens", admission.tokens, 1]]
        try:
            answer: list[Any] = await self._call(
                "reserve", admission.tenant_id, admission.tenant_id, admission.tenant_version, key,
                admission.key_version, lease_id, admission.kind, 0 if admission.kind == "effect" else 1,
                admission.tokens, admission.output_tokens, int(admission.output_bounded), admission.storage_bytes,
                LEASE_MS, orjson.dumps(descriptor), orjson.dumps(fallback if admission.tokens else []),
            )  # fmt: skip
        except ReplyError as error:
            if FUNCTION_GONE in str(error):
                # A restart without persistence: the usage service puts library and limits back.
                return None
            raise
        return None if answer[0] == b"NEED_LIMITS" else answer

    async def _ensure_once(self, admission: Admission) -> None:
        """A thousand first calls of a tenant have its limits compiled once."""
        wanted = (admission.tenant_id, admission.tenant_version, admission.key_id, admission.key_version)
        task = self._ensuring.get(wanted)
        if task is None:
            task = asyncio.create_task(self._run_ensure(admission))
            self._ensuring[wanted] = task
            task.add_done_callback(lambda _: self._ensuring.pop(wanted, None))
        await asyncio.shield(task)

    async def _run_ensure(self, admission: Admission) -> None:
        await self._ensure(admission)

    async def _settle(self, tenant_id: str, command: tuple[str | int, ...]) -> None:
        try:
            await self._call("settle", tenant_id, *command)
        except (StoreUnavailable, ReplyError) as error:
            log.warning("a settlement waits for the meter", lease_id=command[0], error=repr(error))
            try:
                self._unsettled.put_nowait((tenant_id, command))
            except asyncio.QueueFull:
                log.exception("a settlement is lost: too many wait", lease_id=command[0])

    async def _repeat_for_ever(self) -> None:
        while True:
            tenant_id, command = await self._unsettled.get()
            while True:
                try:
                    await self._call("settle", tenant_id, *command)
                    break
                except (StoreUnavailable, ReplyError):
                    await asyncio.sleep(SETTLE_PAUSE_SECONDS)

    async def _renew_for_ever(self) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            for lease in list(self._open.values()):
                tokens = sum(row.amount for row in lease.lines if row.unit in TOKENS)
                rows = [[r.service, r.model, r.provider, r.unit, r.amount, r.attempt] for r in lease.lines]
                text = orjson.dumps(rows).decode() if rows else ""
                try:
                    await self._call("checkpoint", lease.tenant_id, lease.id, lease.tenant_id, LEASE_MS, tokens, text)
                except (PlatformError, ReplyError) as error:
                    log.warning("a lease was not renewed", lease_id=lease.id, error=repr(error))

    async def _call(self, function: str, tenant_id: str, *arguments: str | bytes | int) -> Any:
        partition = f"m:{{p{binascii.crc32(tenant_id.encode()) % PARTITIONS}}}"
        return await self._client.call("FCALL", f"aisp_v1_{function}", 1, partition, *arguments)


def new_lease_id(clock: Callable[[], float] = time.time) -> str:
    """A UUIDv7: its first 48 bits are the time, out of which the ledger derives the day."""
    number = (int(clock() * 1000) << 80) | int.from_bytes(os.urandom(10), "big")
    number = number & ~(0xF << 76) | (0x7 << 76)
    return str(uuid.UUID(int=number & ~(0x3 << 62) | (0x2 << 62)))


def _limited(answer: Sequence[Any]) -> RateLimited:
    end = 2 + 5 * int(answer[1])
    binding = parse(answer[2:end])
    longest = max(binding, key=lambda quota: quota.reset_seconds)
    error = RateLimited(
        f"The limit {longest.name} of this {longest.scope} is exhausted: {longest.used} of {longest.limit} used.",
        metadata={"limit": longest.name, "scope": longest.scope, "remaining": str(longest.remaining)},
        violations=[Violation(quota.name, f"{quota.used} of {quota.limit} used") for quota in binding],
        retry_after=max(1.0, longest.reset_seconds),
    )
    error.quotas = parse(answer[end:])
    return error
