"""The meter as the gateway uses it: reserve before the work, renew while it runs, settle when it ends.

The functions live in the store (protos/aisp/usage/v1/METER.md). No limit is known here: the store has them, compiled,
and says NEED_LIMITS when it has not; then the usage service is asked to compile them.
"""

import asyncio
import binascii
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any

import orjson
import structlog

from chassis.errors import PlatformError
from gateway.limits.leases import Admission, Lease, Line, Preview, admitted, as_json, new_lease_id, tokens_of
from gateway.limits.quotas import after, parse
from gateway.limits.refusals import UnpricedModel, limited
from gateway.limits.resp import Heard, ReplyError, RespClient, StoreUnavailable
from gateway.limits.settlements import Settlement, Settlements

log = structlog.get_logger()

PARTITIONS = 256
PREFIX = "aisp_v3_"
LEASE_SECONDS = 60.0
FRESH_SECONDS = 1.0
"""So long what was told at admission is the state of the limits: others go on using them."""
RENEW_BATCH = 100
ENSURE_ATTEMPTS = 3
FUNCTION_GONE = "Function not found"
AWAY = ("LOADING", "OOM", "MISCONF", "READONLY", "NOREPLICAS", "MASTERDOWN", "BUSY")
"""A store that answers so cannot admit now; it may soon."""

Ensure = Callable[[Admission], Awaitable[None]]
"""Has the usage service compile the limits of the tenant, the key and the user into the store."""
Meanwhile = Callable[[str], None]
"""Takes the id of a lease that is asked for."""


class Meter:
    """The meter's client. Run `run()` beside it: it renews leases and repeats settlements that did not arrive."""

    def __init__(
        self,
        client: RespClient,
        ensure: Ensure,
        clock: Callable[[], float] = time.time,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        self._client = client
        self._ensure = ensure
        self._clock = clock
        self._lease_ms = int(lease_seconds * 1000)
        self._ensuring: dict[tuple[str, int, str, int, str], asyncio.Task[None]] = {}
        self._open: dict[str, Lease] = {}
        self._asking = 0
        self._calm = False
        """Whether the last call came when nothing else was under way, and was admitted."""
        self.settlements = Settlements(self._call, self._tell, partition_of)

    async def reserve(self, admission: Admission, meanwhile: Meanwhile | None = None) -> Lease:
        """Admits, all limits or none. RateLimited, StoreUnavailable.

        `meanwhile` is called with the lease that there will be, while the store works: where nothing else is under way
        (else there is other work for that time), nor was for the call before, and that one was admitted.
        """
        lease_id = "" if admission.kind == "management" else new_lease_id(self._clock)
        for _ in range(ENSURE_ATTEMPTS):
            quiet = not (self._open or self._asking)
            alone = quiet and self._calm
            self._asking += 1
            try:
                reply = self._ask("reserve", admission, lease_id, at_once=alone)
                if meanwhile is not None and alone:
                    meanwhile(lease_id)
                answer = await _answer(reply)
            finally:
                self._asking -= 1
            self._calm = quiet and answer is not None and answer[0] == b"OK"
            if answer is None:
                await self._ensure_once(admission)
                continue
            if answer[0] == b"LIMITED":
                raise limited(answer, admission.tokens + admission.output_tokens * admission.output_bounded)
            if answer[0] == b"UNPRICED":
                raise UnpricedModel
            if answer[0] == b"DUPLICATE":
                lease_id = new_lease_id(self._clock)
                continue
            lease = admitted(lease_id, admission, answer)
            if lease_id:
                self._open[lease_id] = lease
            return lease
        log.error("the meter goes on asking for limits", tenant_id=admission.tenant_id)
        raise StoreUnavailable(retry_after=1)

    async def preview(self, admission: Admission) -> Preview:
        """What `reserve` would say, and the estimated cost; admits and counts nothing. UnpricedModel."""
        for _ in range(ENSURE_ATTEMPTS):
            answer = await _answer(self._ask("preview", admission, ""))
            if answer is None:
                await self._ensure_once(admission)
                continue
            if answer[0] == b"UNPRICED":
                raise UnpricedModel
            end = 3 + 5 * int(answer[2])
            return Preview(int(answer[1]), parse(answer[3:end]), parse(answer[end:]))
        raise StoreUnavailable(retry_after=1)

    async def settle(self, lease: Lease, lines: Sequence[Line], status: str = "settled", *, told: bool = False) -> None:
        """Ends the lease. Never fails: what the store does not take now is repeated until it does.

        Where the lease leaves room for another like it, the system has its end when this returns, and the store soon
        after, before whatever is asked from then on. Else the store has it, if it takes it now.
        `told`: the lease's rows then say what is left after it; of one that was long under way the store does.
        """
        if not lease.id or self._open.pop(lease.id, None) is None:
            return
        asked = lease.admission
        settlement = Settlement(
            lease.id,
            asked.tenant_id,
            status,
            as_json(lines),
            asked.key_id,
            asked.user_id,
            asked.kind,
            _descriptor(asked),
        )
        fresh = not told or time.monotonic() - lease.since < FRESH_SECONDS
        if lease.reserved >= 0 and fresh and status != "replayed" and await self._sent(settlement):
            if told:
                lease.rows = after(lease.rows, tokens_of(lines) - lease.reserved)
            return
        try:
            rows = await self.settlements.add(settlement, told=told)
        except asyncio.CancelledError:
            # A caller that is cancelled now must not leave its lease open; what has arrived already is booked once.
            self.settlements.later(settlement)
            raise
        if rows:
            lease.rows = rows

    async def _sent(self, settlement: Settlement) -> bool:
        """Sends it, where there is a connection: the system has it then, and delivers it if this process is killed."""
        try:
            self.settlements.send(settlement)
        except StoreUnavailable:
            return False
        if not self._client.written:
            # What is sent in this turn goes out before this goes on in the next.
            await asyncio.sleep(0)
        if not self._client.written:
            # The system has no room for it. Replies come in order.
            with suppress(StoreUnavailable):
                await self.ping()
        return True

    async def checkpoint(self, lease: Lease) -> None:
        """Renews the lease, and tells the store what was used so far: see `lease.exhausted`. StoreUnavailable."""
        text = as_json(lease.lines) if lease.lines else ""
        tenant_id = lease.admission.tenant_id
        answer = await self._call("checkpoint", tenant_id, lease.id, tenant_id, self._lease_ms, text)
        if answer[0] == b"EXHAUSTED":
            lease.exhausted = parse(answer[1:])
        elif answer[0] != b"OK":
            log.warning("a lease was not renewed", lease_id=lease.id, answer=answer[0].decode())

    async def ping(self) -> None:
        """Returns if the store answers. StoreUnavailable."""
        await self._client.call("PING")

    async def run(self) -> None:
        """Renews open leases and repeats settlements, until cancelled."""
        await asyncio.gather(self._renew_for_ever(), self.settlements.run())

    async def drain(self, seconds: float) -> None:
        """Waits for the store to take what it has not, or has not said that it took."""
        deadline = time.monotonic() + seconds
        while self.settlements.waiting and time.monotonic() < deadline:
            await self.settlements.flush()
            await asyncio.sleep(0.05)

    def _ask(self, function: str, admission: Admission, lease_id: str, *, at_once: bool = False) -> Awaitable[Any]:
        """The reply of `reserve` or `preview`, which has been asked."""
        model = admission.priced_as or admission.model
        fallback = [[admission.service, model, "", "input_tokens", admission.tokens, 1]]
        return self._send(
            function, admission.tenant_id, admission.tenant_id, admission.tenant_version, admission.key_id,
            admission.key_version, admission.user_id, lease_id, admission.kind, int(admission.kind != "effect"),
            model, admission.tokens, admission.output_tokens, int(admission.output_bounded),
            admission.characters, admission.audio_milliseconds, admission.storage_bytes, self._lease_ms,
            _descriptor(admission), orjson.dumps(fallback if admission.tokens else []), 1, at_once=at_once,
        )  # fmt: skip

    async def _ensure_once(self, asked: Admission) -> None:
        """A thousand first calls of a tenant have its limits compiled once."""
        wanted = (asked.tenant_id, asked.tenant_version, asked.key_id, asked.key_version, asked.user_id)
        task = self._ensuring.get(wanted)
        if task is None:
            task = asyncio.create_task(self._run_ensure(asked))
            self._ensuring[wanted] = task
            task.add_done_callback(lambda _: self._ensuring.pop(wanted, None))
        await asyncio.shield(task)

    async def _run_ensure(self, admission: Admission) -> None:
        await self._ensure(admission)

    async def _renew_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._lease_ms / 3000)
            leases = list(self._open.values())
            for first in range(0, len(leases), RENEW_BATCH):
                await asyncio.gather(*(self._renew(lease) for lease in leases[first : first + RENEW_BATCH]))

    async def _renew(self, lease: Lease) -> None:
        try:
            await self.checkpoint(lease)
        except (PlatformError, ReplyError) as error:
            log.warning("a lease was not renewed", lease_id=lease.id, error=repr(error))

    def _send(self, function: str, tenant_id: str, *arguments: str | bytes | int, at_once: bool) -> Awaitable[Any]:
        key = _partition_key(tenant_id)
        return self._client.call("FCALL", PREFIX + function, 1, key, *arguments, at_once=at_once)

    def _tell(self, heard: Heard, function: str, tenant_id: str, *arguments: str | bytes | int) -> None:
        key = _partition_key(tenant_id)
        at_once = self._calm and not self._open
        self._client.tell(heard, "FCALL", PREFIX + function, 1, key, *arguments, at_once=at_once)

    async def _call(self, function: str, tenant_id: str, *arguments: str | bytes | int) -> Any:
        try:
            return await self._send(function, tenant_id, *arguments, at_once=self._calm and not self._open)
        except ReplyError as error:
            _check_away(error)
            raise


def _check_away(error: ReplyError) -> None:
    """StoreUnavailable for a store that may soon answer otherwise."""
    if str(error).startswith(AWAY):
        raise StoreUnavailable(retry_after=1) from error


async def _answer(reply: Awaitable[Any]) -> list[Any] | None:
    """What the store says of an admission, or None where limits are needed first."""
    try:
        answer: list[Any] = await reply
    except ReplyError as error:
        if FUNCTION_GONE in str(error):
            # A restart without persistence: the usage service puts library and limits back.
            return None
        _check_away(error)
        raise
    return None if answer[0] == b"NEED_LIMITS" else answer


@lru_cache(10_000)
def partition_of(tenant_id: str) -> int:
    """The number of the tenant's partition."""
    return binascii.crc32(tenant_id.encode()) % PARTITIONS


@lru_cache(10_000)
def _partition_key(tenant_id: str) -> str:
    return f"m:{{p{partition_of(tenant_id)}}}"


def _descriptor(admission: Admission) -> bytes:
    return orjson.dumps({"r": admission.request_id, "s": admission.service, "m": admission.model})
