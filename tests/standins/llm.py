"""The language-model service in this process, with a stand-in provider and nothing local, behind a real wire."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import orjson
from aisp.llm.v1 import llm_service_pb2 as pb
from aisp.llm.v1.llm_service_pb2_grpc import LlmServiceStub
from pydantic import SecretStr

from chassis.client import Channel, read_service_config
from chassis.context import Keyring, RequestContext
from chassis.errors import Unavailable
from chassis.settings import DatabaseSettings, OutboundSettings, RedisSettings, WireSettings
from deploy.local.process import free_port
from llm_service.settings import LlmSection, LocalEngineSettings, Settings, Timeouts
from tests.promptness import PATIENCE, PROMPT

LOOPBACK = OutboundSettings(networks=("127.0.0.0/8",), plain_http=True)
"""So that stand-ins can be a tenant's own providers."""
OPERATOR = RequestContext("op", tenant_id=str(uuid4()), operator=True)
PLATFORM_KEY = "sk-platform-canary-0123456789"


def settings(
    database: DatabaseSettings, cache: RedisSettings, wire_secret: bytes, address: str, **section: Any
) -> Settings:
    """`address`: of OpenAI's stand-in. Short times, one attempt, no pause, unless `section` says so."""
    usual: dict[str, Any] = {
        "local": LocalEngineSettings(enabled=False),
        "timeouts": Timeouts(connect=5, first_byte=1.5, between_bytes=1.5, total=30),
        "attempts": 1,
        "breaker_failures": 1000,
        "catalogue_seconds": 600,
    }
    return Settings(
        database=database,
        redis=cache,
        openai_api_key=SecretStr(PLATFORM_KEY),
        openai_base_url=address,
        outbound=OutboundSettings(),
        llm=LlmSection(**usual | section),
        wire=WireSettings(secret=SecretStr(wire_secret.decode())),
    )


def tenant() -> RequestContext:
    """A call of a tenant that nobody has seen."""
    return RequestContext(f"r-{uuid4()}", tenant_id=str(uuid4()))


def envelope(model: str, **fields: object) -> pb.Envelope:
    """A small chat."""
    document = {"model": model, "messages": [{"role": "user", "content": "hi"}]} | fields
    return pb.Envelope(model=model, format=pb.FORMAT_CHAT_COMPLETIONS, body=orjson.dumps(document))


async def ask(stub: LlmServiceStub, context: RequestContext, model: str, **fields: object) -> pb.CompleteResponse:
    """One whole answer."""
    answer: pb.CompleteResponse = await stub.Complete(
        pb.CompleteRequest(envelope=envelope(model, **fields)), context=context
    )
    return answer


async def until(
    stub: LlmServiceStub, context: RequestContext, model: str, *, there: bool = True, seconds: float = PROMPT
) -> None:
    """Waits until a name is (or is no more) known to this replica; within a second is promised."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                listed = list((await stub.ListModels(pb.ListModelsRequest(), context=context)).models)
            except Unavailable:
                listed = []
            if (model in {one.name for one in listed}) is there:
                return
            await asyncio.sleep(0.01)


async def await_catalogue(stub: LlmServiceStub) -> None:
    """A service that has just started has not read it yet."""
    await until(stub, OPERATOR, "gpt-4o", seconds=PATIENCE)


@asynccontextmanager
async def process(settings: Settings, root: bytes) -> AsyncIterator[Channel]:
    """The service as a process of its own, and a channel to it, as from the gateway; it may still be starting."""
    port, ops_port = free_port(), free_port()
    database, store = settings.database, settings.redis
    environment = os.environ | {
        "AI_PLATFORM_DATABASE__HOST": database.host,
        "AI_PLATFORM_DATABASE__PORT": str(database.port),
        "AI_PLATFORM_DATABASE__PASSWORD": database.password.get_secret_value(),
        "AI_PLATFORM_REDIS__HOST": store.host,
        "AI_PLATFORM_REDIS__PORT": str(store.port),
        "AI_PLATFORM_REDIS__PASSWORD": store.password.get_secret_value(),
        "AI_PLATFORM_WIRE__SECRET": root.decode(),
        "AI_PLATFORM_LLM__ADDRESS": f"127.0.0.1:{port}",
        "AI_PLATFORM_LLM__OPS_PORT": str(ops_port),
        "AI_PLATFORM_LLM__LOCAL__ENABLED": "false",
        "AI_PLATFORM_LLM__CATALOGUE_SECONDS": "600",
    }
    command = [sys.executable, "-m", "llm_service", "serve"]
    child = await asyncio.create_subprocess_exec(*command, env=environment, stdout=asyncio.subprocess.DEVNULL)
    try:
        keyring, config = Keyring("gateway", root=root), read_service_config()
        channel = Channel(
            f"127.0.0.1:{port}", keyring=keyring, callee="llm_service", service_config=config, relay=settings.relay
        )
        async with channel as connected:
            yield connected
    finally:
        child.terminate()
        await asyncio.wait_for(child.wait(), PATIENCE)
