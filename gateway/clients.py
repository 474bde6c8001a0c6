"""The six services behind the gateway, as typed stubs over signed channels."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from aisp.auth.v1.auth_service_pb2_grpc import AuthServiceStub
from aisp.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceStub
from aisp.encryption.v1.encryption_service_pb2_grpc import EncryptionServiceStub
from aisp.erasure.v1.erasure_service_pb2_grpc import ErasureServiceStub
from aisp.llm.v1.llm_service_pb2_grpc import LlmServiceStub
from aisp.rag.v1.rag_service_pb2_grpc import RagServiceStub
from aisp.speech.v1.speech_service_pb2_grpc import SpeechServiceStub
from aisp.usage.v1.usage_service_pb2_grpc import UsageServiceStub

from chassis.client import Channel, read_service_config
from gateway.settings import Settings

PART_BYTES = 256 * 1024
"""Of files and audio, as they cross the wire."""

NAMES = ("auth", "usage", "rag", "llm", "embedding", "speech")


@dataclass(frozen=True)
class Clients:
    """The stubs."""

    auth: AuthServiceStub
    usage: UsageServiceStub
    rag: RagServiceStub
    llm: LlmServiceStub
    embedding: EmbeddingServiceStub
    speech: SpeechServiceStub
    erasure: Mapping[str, ErasureServiceStub]
    """By short name, those that keep something of tenants, auth apart."""
    encryption: Mapping[str, EncryptionServiceStub]
    """By short name, those that keep secrets of tenants, auth apart."""


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

        auth, usage, rag, llm, embedding, speech = [await channel(name) for name in NAMES]
        yield Clients(
            auth=AuthServiceStub(auth),
            usage=UsageServiceStub(usage),
            rag=RagServiceStub(rag),
            llm=LlmServiceStub(llm),
            embedding=EmbeddingServiceStub(embedding),
            speech=SpeechServiceStub(speech),
            erasure={
                name: ErasureServiceStub(one)
                for name, one in zip(NAMES[1:], (usage, rag, llm, embedding, speech), strict=True)
            },
            encryption={"usage": EncryptionServiceStub(usage), "llm": EncryptionServiceStub(llm)},
        )
