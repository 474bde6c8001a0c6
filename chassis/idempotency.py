"""Idempotency-Key: the service that executes a call stores its answer, and replays it for the same key.

Owns the stored answers and the interceptor. An answer is kept under tenant, key and method, with a fingerprint of the
request; streams are kept as their messages. Bounded in size and time; encrypted, since answers hold customers' words.
While the first call runs its twins get IDEMPOTENCY_IN_FLIGHT, another request under the key IDEMPOTENCY_MISMATCH.
A call that fails stores nothing: a refused request does not use up its key. A key is held for as long as its call runs:
one whose process died is free soon. What an answer is about (`about`) can be forgotten before its time (`forget`).
What a call asks of others has not its key: two such calls of one method would be twins, and the second would get the
first one's answer.
"""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

import grpc
import structlog
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from chassis import context
from chassis.context import Keyring, MissingKey, RequestContext
from chassis.erasure import Erased
from chassis.errors import IdempotencyInFlight, IdempotencyMismatch, Unavailable
from chassis.interceptors import OPEN_PREFIXES, parts

log = structlog.get_logger()

REPLAYED_KEY = "aisp-replayed"
"""Trailing metadata of a replayed answer, so that the gateway does not charge it again."""
REPLAYED_PART = b"\xc0\x3e\x01"
"""Field 1000 of a message, `bool replayed`, set: appended to the first part of a stream that is replayed, since
trailing metadata comes when its headers are long sent. A response without such a field keeps it as unknown.
"""

LOCK_SECONDS = 30
"""So long after its process died a key is still held by a call."""
KEEP_SECONDS = 24 * 3600
MAX_ANSWER_BYTES = 4 * 1024 * 1024
MAX_KEY_CHARACTERS = 255
PREFIX = "idem:"
SCANNED = 1000
"""Keys that the store looks at before it lets others in."""


class AnswersUnavailable(Unavailable):
    reason = "ANSWERS_UNAVAILABLE"
    message = "Stored answers cannot be read at the moment; try again soon, or without Idempotency-Key."


class AnswerStore(Protocol):
    """Where answers are kept: bytes under a name, for a time. Raises AnswersUnavailable."""

    async def claim(self, name: str, value: bytes, seconds: int) -> bytes | None:
        """Stores `value` if nothing is there, and answers None; else answers what is there."""

    async def put(self, name: str, value: bytes, seconds: int, about: Collection[str] = ()) -> None:
        """Replaces what is there; it can be found under each of `about`, too."""

    async def hold(self, name: str, seconds: int) -> None:
        """What is there stays for that time from now."""

    async def drop(self, name: str) -> None:
        """Forgets it."""


class MemoryAnswerStore:
    """The twin for tests: one process, no expiry."""

    def __init__(self) -> None:
        self._values: dict[str, bytes] = {}

    async def claim(self, name: str, value: bytes, seconds: int) -> bytes | None:
        del seconds
        return None if self._values.setdefault(name, value) is value else self._values[name]

    async def put(self, name: str, value: bytes, seconds: int, about: Collection[str] = ()) -> None:
        del seconds, about
        self._values[name] = value

    async def hold(self, name: str, seconds: int) -> None:
        pass

    async def drop(self, name: str) -> None:
        self._values.pop(name, None)


class ValkeyAnswerStore:
    """Answers in the cache store."""

    def __init__(self, client: Any) -> None:
        """`client`: a redis.asyncio.Redis that answers bytes."""
        self._client = client

    async def claim(self, name: str, value: bytes, seconds: int) -> bytes | None:
        with _told():
            found: bytes | None = await self._client.set(name, value, ex=seconds, nx=True, get=True)
        return found

    async def put(self, name: str, value: bytes, seconds: int, about: Collection[str] = ()) -> None:
        with _told():
            if not about:
                await self._client.set(name, value, ex=seconds)
                return
            async with self._client.pipeline(transaction=True) as pipeline:
                pipeline.set(name, value, ex=seconds)
                for tag in about:
                    pipeline.sadd(tag, name)
                    pipeline.expire(tag, seconds)
                await pipeline.execute()

    async def hold(self, name: str, seconds: int) -> None:
        with _told():
            await self._client.expire(name, seconds)

    async def forget(self, tenant_id: str, about: str) -> int:
        """Forgets a tenant's answers that are about this; how many there were."""
        tag = _tag(tenant_id, about)
        with _told():
            names = await self._client.smembers(tag)
            gone = int(await self._client.unlink(*names)) if names else 0
            await self._client.unlink(tag)
        return gone

    async def drop(self, name: str) -> None:
        with _told():
            await self._client.delete(name)

    async def erase(self, tenant_id: str, _deletion_id: str) -> Erased:
        """Forgets the answers that a tenant got."""
        gone = 0
        with _told():
            async for name in self._client.scan_iter(match=f"{PREFIX}{tenant_id}:*", count=SCANNED):
                gone += await self._client.unlink(name)
        return Erased({"stored_answers": gone})


@contextmanager
def _told() -> Iterator[None]:
    # The gateway knows of idempotency too, and has no redis.
    from redis.exceptions import RedisError

    try:
        yield
    except (RedisError, OSError) as error:
        raise AnswersUnavailable(retry_after=1) from error


_ABOUT: ContextVar[set[str] | None] = ContextVar("aisp_answer_about", default=None)


def about(names: Iterable[str]) -> None:
    """What the present call's answer tells of, if it will be stored."""
    told = _ABOUT.get()
    if told is not None:
        told.update(names)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A running call (no messages yet) or a stored answer."""

    fingerprint: str
    messages: tuple[bytes, ...] | None

    def encode(self) -> bytes:
        head = self.fingerprint.encode().ljust(64)[:64] + (b"-" if self.messages is None else b"+")
        return head + b"".join(len(item).to_bytes(4, "big") + item for item in self.messages or ())

    @classmethod
    def decode(cls, data: bytes) -> "_Entry":
        fingerprint, done, rest = data[:64].decode().strip(), data[64:65] == b"+", data[65:]
        messages = []
        while rest:
            size = int.from_bytes(rest[:4], "big")
            messages.append(rest[4 : 4 + size])
            rest = rest[4 + size :]
        return cls(fingerprint, tuple(messages) if done else None)


class IdempotencyInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[misc]  # grpc ships no types
    """Replays stored answers. Stands inside the common layers: it needs the verified context."""

    def __init__(self, store: AnswerStore, keyring: Keyring) -> None:
        key = keyring.key(keyring.name, keyring.name)
        if key is None:
            message = f"no wire key {keyring.name}>{keyring.name}: stored answers are encrypted under it"
            raise MissingKey(message)
        self._cipher = AESGCM(hashlib.sha256(b"aisp/idempotency/v1" + key).digest())
        self._store = store

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], details: grpc.HandlerCallDetails
    ) -> Any:
        handler = await continuation(details)
        if handler is None or details.method.startswith(OPEN_PREFIXES):
            return handler
        wrap = self._wrap_stream if handler.response_streaming else self._wrap_unary
        behaviour, make = parts(handler)
        return make(
            wrap(details.method, behaviour, handler.response_serializer),
            request_deserializer=handler.request_deserializer,
            # A replayed message is bytes already.
            response_serializer=lambda m: m if isinstance(m, bytes) else handler.response_serializer(m),
        )

    def _wrap_unary(self, method: str, behaviour: Callable[..., Awaitable[Any]], serialize: Any) -> Any:
        async def wrapped(request: Any, servicer_context: Any) -> Any:
            calling = context.current()
            if not calling.idempotency_key:
                return await behaviour(request, servicer_context)
            name = _name(calling, method)
            stored = await self._begin(name, calling.fingerprint)
            if stored is not None:
                servicer_context.set_trailing_metadata(((REPLAYED_KEY, "1"),))
                return stored[0]
            told = set[str]()
            _ABOUT.set(told)
            context.enter(calling.unkeyed())
            try:
                async with self._held(name):
                    response = await behaviour(request, servicer_context)
            except BaseException:
                await self._release(name)
                raise
            await self._finish(name, calling, [serialize(response)], told)
            return response

        return wrapped

    def _wrap_stream(self, method: str, behaviour: Callable[..., Awaitable[None]], serialize: Any) -> Any:
        async def wrapped(request: Any, servicer_context: Any) -> None:
            calling = context.current()
            if not calling.idempotency_key:
                await behaviour(request, servicer_context)
                return
            name = _name(calling, method)
            stored = await self._begin(name, calling.fingerprint)
            if stored is not None:
                servicer_context.set_trailing_metadata(((REPLAYED_KEY, "1"),))
                for message in (stored[0] + REPLAYED_PART, *stored[1:]) if stored else ():
                    await servicer_context.write(message)
                return
            kept = _Kept(servicer_context, serialize)
            told = set[str]()
            _ABOUT.set(told)
            context.enter(calling.unkeyed())
            try:
                async with self._held(name):
                    await behaviour(request, kept)
            except BaseException:
                await self._release(name)
                raise
            await self._finish(name, calling, kept.messages, told)

        return wrapped

    async def _begin(self, name: str, fingerprint: str) -> tuple[bytes, ...] | None:
        """Claims the key: None if the call is to be executed, else the stored messages."""
        found = await self._store.claim(name, self._seal(name, _Entry(fingerprint, None)), LOCK_SECONDS)
        if found is None:
            return None
        entry = self._open(name, found)
        if entry.fingerprint != fingerprint:
            raise IdempotencyMismatch
        if entry.messages is None:
            raise IdempotencyInFlight(retry_after=1)
        return entry.messages

    @asynccontextmanager
    async def _held(self, name: str) -> AsyncIterator[None]:
        async def hold() -> None:
            while True:
                await asyncio.sleep(LOCK_SECONDS / 3)
                with suppress(AnswersUnavailable):
                    await self._store.hold(name, LOCK_SECONDS)

        holding = asyncio.create_task(hold())
        try:
            yield
        finally:
            holding.cancel()

    async def _finish(self, name: str, calling: RequestContext, messages: list[bytes], told: set[str]) -> None:
        if sum(map(len, messages)) > MAX_ANSWER_BYTES:
            log.warning("answer too large to be kept for its Idempotency-Key", bytes=sum(map(len, messages)))
            await self._release(name)
            return
        try:
            entry = self._seal(name, _Entry(calling.fingerprint, tuple(messages)))
            await self._store.put(name, entry, KEEP_SECONDS, [_tag(calling.tenant_id, one) for one in told])
        except AnswersUnavailable:
            # The work is done: its answer must not be lost because it could not be kept.
            log.warning("answer could not be kept for its Idempotency-Key")

    async def _release(self, name: str) -> None:
        """Frees the key; if that fails, it is free when the lock expires."""
        with suppress(AnswersUnavailable):
            await self._store.drop(name)

    def _seal(self, name: str, entry: _Entry) -> bytes:
        nonce = os.urandom(12)
        return nonce + self._cipher.encrypt(nonce, entry.encode(), name.encode())

    def _open(self, name: str, data: bytes) -> _Entry:
        return _Entry.decode(self._cipher.decrypt(data[:12], data[12:], name.encode()))


class _Kept:
    """A servicer context that keeps what is written."""

    def __init__(self, servicer_context: Any, serialize: Callable[[Any], bytes]) -> None:
        self.messages: list[bytes] = []
        self._context = servicer_context
        self._serialize = serialize

    async def write(self, message: Any) -> None:
        self.messages.append(self._serialize(message))
        # What is bytes already is not serialized again.
        await self._context.write(self.messages[-1])

    def __getattr__(self, name: str) -> Any:
        if name == "push":
            # What is written without waiting would pass unkept.
            raise AttributeError(name)
        return getattr(self._context, name)


def _name(calling: RequestContext, method: str) -> str:
    """The name of an answer: no two tenants, principals' keys or methods can share one."""
    digest = hashlib.sha256(f"{calling.idempotency_key}\0{method}".encode()).hexdigest()
    return f"{PREFIX}{calling.tenant_id}:{digest}"


def _tag(tenant_id: str, about: str) -> str:
    return f"{PREFIX}{tenant_id}:about:{about}"
