"""A service of four methods, one of each kind of gRPC call, behind the chassis's real server and channel, on loopback.

What a call does is the test's: `behave` gets each message's text and answers it, raises, or waits.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.wrappers_pb2 import StringValue

from chassis.client import Channel
from chassis.context import Keyring, RequestContext
from chassis.server import App, listening
from chassis.settings import Endpoint, RelaySettings, ServiceSettings
from tests.promptness import PATIENCE

ROOT = "a root secret for tests, of some length"
NAME = "echo_service"
SERVICE = "test.EchoService"
CALLING = RequestContext(request_id="req-1", tenant_id="tenant-1")
KINDS = ("Unary", "ClientStream", "ServerStream", "BothStream")
CONFIG = f'{{"methodConfig": [{{"name": [{{}}], "timeout": "{PATIENCE:g}s"}}]}}'
PATIENT = RelaySettings(connect_seconds=60)
"""A relay that no busy machine is too slow for."""

Behaviour = Callable[[str], Awaitable[str]]


async def repeat(text: str) -> str:
    """Answers what it is told."""
    return text


@dataclass
class Echo:
    """The four methods. Streams answer each message three times; client streams are joined."""

    behave: Behaviour = repeat
    seen: list[Any] = field(default_factory=list)
    """Servicer contexts, in the order of calls."""

    async def unary(self, request: StringValue, servicer_context: Any) -> StringValue:
        self.seen.append(servicer_context)
        return StringValue(value=await self.behave(request.value))

    async def client_stream(self, requests: AsyncIterator[StringValue], servicer_context: Any) -> StringValue:
        self.seen.append(servicer_context)
        return StringValue(value="+".join([await self.behave(request.value) async for request in requests]))

    async def server_stream(self, request: StringValue, servicer_context: Any) -> AsyncIterator[StringValue]:
        self.seen.append(servicer_context)
        for number in range(3):
            yield StringValue(value=await self.behave(f"{request.value}{number}"))

    async def both_stream(
        self, requests: AsyncIterator[StringValue], servicer_context: Any
    ) -> AsyncIterator[StringValue]:
        self.seen.append(servicer_context)
        async for request in requests:
            yield StringValue(value=await self.behave(request.value))

    def register(self, server: grpc.aio.Server) -> None:
        coded = {"request_deserializer": StringValue.FromString, "response_serializer": StringValue.SerializeToString}
        methods = {
            "Unary": grpc.unary_unary_rpc_method_handler(self.unary, **coded),
            "ClientStream": grpc.stream_unary_rpc_method_handler(self.client_stream, **coded),
            "ServerStream": grpc.unary_stream_rpc_method_handler(self.server_stream, **coded),
            "BothStream": grpc.stream_stream_rpc_method_handler(self.both_stream, **coded),
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))

    def app(self, interceptors: Sequence[Any] = ()) -> App:
        """What a composition root gives."""
        return App(register=self.register, services=(SERVICE,), ready=_ready, interceptors=interceptors)


async def _ready() -> None:
    return


class EchoStub:
    """What generated code would be."""

    def __init__(self, channel: Any) -> None:
        coded = {"request_serializer": StringValue.SerializeToString, "response_deserializer": StringValue.FromString}
        self.unary = channel.unary_unary(f"/{SERVICE}/Unary", **coded)
        self.client_stream = channel.stream_unary(f"/{SERVICE}/ClientStream", **coded)
        self.server_stream = channel.unary_stream(f"/{SERVICE}/ServerStream", **coded)
        self.both_stream = channel.stream_stream(f"/{SERVICE}/BothStream", **coded)

    async def call(self, kind: str, text: str, **options: Any) -> list[str]:
        """Calls the method of that kind; the texts that came back."""
        options.setdefault("context", CALLING)
        one = StringValue(value=text)
        if kind == "Unary":
            return [(await self.unary(one, **options)).value]
        if kind == "ClientStream":
            return [(await self.client_stream(_each(text), **options)).value]
        if kind == "ServerStream":
            return [answer.value async for answer in self.server_stream(one, **options)]
        return [answer.value async for answer in self.both_stream(_each(text), **options)]


async def _each(text: str) -> AsyncIterator[StringValue]:
    yield StringValue(value=text)
    yield StringValue(value=text)


def make_settings(**changes: Any) -> ServiceSettings:
    """Settings that look at nothing around them."""
    return ServiceSettings(_env_file=None, **{"wire": {"secret": ROOT}, "relay": PATIENT, **changes})


class Transport:
    """How channels of these tests make calls: set by the fixture `transport`."""

    relay = RelaySettings(enabled=False)


@dataclass
class Served:
    """A running echo service."""

    port: int
    server: Any
    health: Any
    relay: Any

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def channel(self, *, callee: str = NAME, keyring: Keyring | None = None, config: str = CONFIG) -> Channel:
        """A channel as the gateway has one."""
        keyring = keyring or Keyring("gateway", root=ROOT.encode())
        return Channel(self.address, keyring=keyring, callee=callee, service_config=config, relay=Transport.relay)


@asynccontextmanager
async def served(echo: Echo, interceptors: Sequence[Any] = (), **changes: Any) -> AsyncIterator[Served]:
    """The service, listening on a free port."""
    endpoint = Endpoint(address="127.0.0.1:0")
    app = echo.app(interceptors)
    async with listening(NAME, make_settings(**changes), endpoint, app) as (server, health, relay, port):
        yield Served(port, server, health, relay)
        # gRPC 1.78 crashes now and then when a server ends in the very moment in which a call's deadline passes.
        await asyncio.sleep(0.03)
