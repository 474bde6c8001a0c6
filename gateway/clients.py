"""The six services behind the gateway, as typed stubs over signed channels."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from aisp.auth.v1.auth_service_pb2_grpc import AuthServiceStub
from aisp.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceStub
from aisp.llm.v1.llm_service_pb2_grpc import LlmServiceStub
from aisp.rag.v1.rag_service_pb2_grpc import RagServiceStub
from aisp.speech.v1.speech_service_pb2_grpc import SpeechServiceStub
from aisp.usage.v1.usage_service_pb2_grpc import UsageServiceStub

from chassis.client import Channel, read_service_config
from gateway.settings import Settings

PART_BYTES = 256 * 1024
"""Of files and audio, as they cross the wire."""


@dataclass(frozen=True)
class Clients:
    """The stubs."""

    auth: AuthServiceStub
    usage: UsageServiceStub
    rag: RagServiceStub
    llm: LlmServiceStub
    embedding: EmbeddingServiceStub
    speech: SpeechServiceStub


@asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[Clients]:
    """Channels to all services; they connect when used, and again when a service comes back."""
    keyring = settings.keyring("gateway")
    config = read_service_config()
    async with AsyncExitStack() as stack:

        async def channel(short_name: str) -> Channel:
            address = getattr(settings, short_name).address
            made = Channel(
                address,
                keyring=keyring,
                callee=f"{short_name}_service",
                service_config=config,
                relay=settings.relay,
            )
            return await stack.enter_async_context(made)

        yield Clients(
            auth=AuthServiceStub(await channel("auth")),
            usage=UsageServiceStub(await channel("usage")),
            rag=RagServiceStub(await channel("rag")),
            llm=LlmServiceStub(await channel("llm")),
            embedding=EmbeddingServiceStub(await channel("embedding")),
            speech=SpeechServiceStub(await channel("speech")),
        )
