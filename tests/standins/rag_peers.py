"""What rag_service calls, behind the real wire on loopback: embeddings that are counted, a meter that remembers.

Vectors follow from the words of a text, so that they can be told; nothing is cached, so that what is embedded twice is
seen. For what the real services do with it there are the end-to-end tests.
"""

import asyncio
import hashlib
import math
import random
import struct
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import uuid4

from aisp.common.v1 import usage_pb2
from aisp.embedding.v1 import embedding_service_pb2 as embedding_pb
from aisp.embedding.v1.embedding_service_pb2_grpc import (
    EmbeddingServiceServicer,
    add_EmbeddingServiceServicer_to_server,
)
from aisp.usage.v1 import usage_service_pb2 as usage_pb
from aisp.usage.v1 import webhooks_pb2
from aisp.usage.v1.usage_service_pb2_grpc import UsageServiceServicer, add_UsageServiceServicer_to_server

from chassis import context
from chassis.errors import DeadlineExceeded, PlatformError, ResourceExhausted
from chassis.server import App, listening
from chassis.settings import Endpoint, ServiceSettings

DIMENSIONS = 16


def vector_of(text: str) -> bytes:
    """Of length 1; another one for any other text."""
    numbers = random.Random(hashlib.sha256(text.encode()).digest())  # noqa: S311  # the same for the same text
    found = [numbers.gauss(0, 1) for _ in range(DIMENSIONS)]
    length = math.sqrt(sum(number * number for number in found))
    return struct.pack(f"<{DIMENSIONS}f", *(number / length for number in found))


def _set() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


@dataclass
class CountingEmbeddings(EmbeddingServiceServicer):
    """Counts texts; `seconds` is what a text takes, one call after the other, as with one model."""

    texts: Counter[str] = field(default_factory=Counter)
    calls: list[tuple[str, int]] = field(default_factory=list)
    """(tenant, texts) of each call, in the order of their beginning."""
    remembers: bool = True
    """The texts themselves; else it would need more memory than who is weighed."""
    seconds: float = 0.0
    cancelled: int = 0
    open: asyncio.Event = field(default_factory=_set)
    """While it is not set, calls that come wait."""
    waiting: int = 0
    """Calls that do."""
    error: PlatformError | None = None
    """What calls end with."""
    most: int = 1 << 40
    """Texts that it makes in time."""
    model: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def EmbedTexts(self, request: embedding_pb.EmbedTextsRequest, _: Any) -> embedding_pb.EmbedTextsResponse:  # noqa: N802
        texts = [item.text for item in request.inputs]
        self.calls.append((context.current().tenant_id, len(texts)))
        if self.error is not None:
            raise self.error
        if len(texts) > self.most:
            raise DeadlineExceeded
        try:
            self.waiting += 1
            try:
                await self.open.wait()
            finally:
                self.waiting -= 1
            async with self.model:
                await asyncio.sleep(self.seconds * len(texts))
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.remembers:
            self.texts.update(texts)
        return embedding_pb.EmbedTextsResponse(
            vectors=[vector_of(text) for text in texts],
            model="counting",
            dimensions=DIMENSIONS,
            usage=_tokens(sum(len(text) for text in texts)),
        )

    async def ForgetTexts(self, request: embedding_pb.ForgetTextsRequest, _: Any) -> embedding_pb.ForgetTextsResponse:  # noqa: N802
        return embedding_pb.ForgetTextsResponse(forgotten=sum(self.texts.pop(text, 0) > 0 for text in request.texts))


@dataclass
class RememberingMeter(UsageServiceServicer):
    """Leases and what they were settled with; stored bytes against `storage`."""

    storage: int = 1 << 40
    tokens: int = 1 << 40
    """Left of the minute; a test fills them up again."""
    minute: int = 1 << 40
    """What a minute has in all."""
    stored: Counter[str] = field(default_factory=Counter)
    live: dict[str, tuple[str, int]] = field(default_factory=dict)
    settled: dict[str, list[Any]] = field(default_factory=dict)
    events: dict[str, tuple[str, str]] = field(default_factory=dict)

    async def Reserve(self, request: usage_pb.ReserveRequest, _: Any) -> usage_pb.ReserveResponse:  # noqa: N802
        tenant_id, lease = context.current().tenant_id, str(uuid4())
        reserved = sum(size for owner, size in self.live.values() if owner == tenant_id)
        if request.storage_bytes and self.stored[tenant_id] + reserved + request.storage_bytes > self.storage:
            raise ResourceExhausted("The limit storage_bytes is exhausted.")
        if request.tokens > self.minute:
            alone = f"The limit tokens_per_minute has too little left; this work alone takes {request.tokens}."
            raise ResourceExhausted(alone, retry_after=0.2, metadata={"alone": "true"})
        if request.tokens > self.tokens:
            raise ResourceExhausted("The limit tokens_per_minute is exhausted.", retry_after=0.2)
        self.tokens -= request.tokens
        self.live[lease] = (tenant_id, request.storage_bytes)
        return usage_pb.ReserveResponse(lease_id=lease)

    async def Settle(self, request: usage_pb.SettleRequest, _: Any) -> usage_pb.SettleResponse:  # noqa: N802
        if request.lease_id not in self.settled:
            tenant_id, _size = self.live.pop(request.lease_id)
            self.settled[request.lease_id] = list(request.usage.lines)
            self.stored[tenant_id] += sum(
                line.amount for line in request.usage.lines if line.unit == usage_pb2.UNIT_STORED_BYTES
            )
        return usage_pb.SettleResponse()

    async def PublishEvent(  # noqa: N802
        self, request: webhooks_pb2.PublishEventRequest, _: Any
    ) -> webhooks_pb2.PublishEventResponse:
        self.events.setdefault(request.once, (request.event_type, request.data_json))
        return webhooks_pb2.PublishEventResponse()


@dataclass(frozen=True)
class Peers:
    """Both, and where they are."""

    embeddings: CountingEmbeddings
    meter: RememberingMeter
    embedding_address: str
    usage_address: str


@asynccontextmanager
async def rag_peers(settings: ServiceSettings) -> AsyncIterator[Peers]:
    """Serves until left."""
    embeddings, meter = CountingEmbeddings(), RememberingMeter()

    async def ready() -> None:
        return

    async with AsyncExitStack() as stack:
        ports = []
        for name, register, servicer, contract in (
            ("embedding", add_EmbeddingServiceServicer_to_server, embeddings, "aisp.embedding.v1.EmbeddingService"),
            ("usage", add_UsageServiceServicer_to_server, meter, "aisp.usage.v1.UsageService"),
        ):
            app = App(register=partial(register, servicer), services=(contract,), ready=ready)
            free = Endpoint(address="127.0.0.1:0")
            served = await stack.enter_async_context(listening(f"{name}_service", settings, free, app))
            ports.append(served[3])
        yield Peers(embeddings, meter, f"127.0.0.1:{ports[0]}", f"127.0.0.1:{ports[1]}")


def _tokens(amount: int) -> usage_pb2.Usage:
    unit = usage_pb2.UNIT_INPUT_TOKENS
    line = usage_pb2.UsageLine(service="embedding", model="counting", unit=unit, amount=amount, attempt=1)
    return usage_pb2.Usage(lines=[line])
