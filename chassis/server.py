"""A gRPC server as every service runs it: the layers, health, reflection outside production, a drain on SIGTERM."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import structlog
from aisp.encryption.v1.encryption_service_pb2_grpc import add_EncryptionServiceServicer_to_server
from aisp.erasure.v1.erasure_service_pb2_grpc import add_ErasureServiceServicer_to_server
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from chassis.context import Verifier
from chassis.encryption_wire import EncryptionServicer, Reencrypt
from chassis.erasure import Erase
from chassis.erasure_wire import ErasureServicer
from chassis.interceptors import ContextLayer, ErrorLayer, Layers, LogLayer, TraceLayer
from chassis.ops import Check, Readiness, serve_ops
from chassis.relay.server import Methods, Relay
from chassis.settings import MAX_PAYLOAD_BYTES, ConfigurationError, Endpoint, ServiceSettings

log = structlog.get_logger()

MAX_MESSAGE_BYTES = MAX_PAYLOAD_BYTES + 1024 * 1024
"""Above gRPC's 4 MB, for a full batch of vectors; files and audio travel in parts all the same."""

MAX_METADATA_BYTES = 16 * 1024

OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_metadata_size", MAX_METADATA_BYTES),
    # Without this two processes can listen on one port, each serving half of the calls.
    ("grpc.so_reuseport", 0),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
)


@dataclass(frozen=True)
class App:
    """What a service's composition root gives to the server."""

    register: Callable[[Any], None]
    """Adds the servicers to a server, and to the relay's table of methods: for example
    `partial(add_AuthServiceServicer_to_server, servicer)`.
    """
    services: tuple[str, ...]
    """Full names of the gRPC services, for health and reflection."""
    ready: Check
    """Whether the service can do its work."""
    interceptors: Sequence[Any] = ()
    """Further interceptors, inside the common layers."""
    erase: Erase | None = None
    """Removes a deleted tenant. None only for the service that keeps the deletions."""
    reencrypt: Reencrypt | None = None
    """Encrypts secrets at rest anew, in a service that keeps some."""


Compose = Callable[[Any], contextlib.AbstractAsyncContextManager[App]]
"""A service's composition root: settings in, an App out, resources closed on exit."""


async def run_server(name: str, settings: ServiceSettings, endpoint: Endpoint, compose: Compose) -> None:
    """Serves until SIGTERM or SIGINT, then drains: not ready, finish what runs, close.

    Raises ConfigurationError if the port is taken.
    """
    stop = stop_signal()
    readiness = Readiness()
    async with serve_ops(endpoint.ops_host, endpoint.ops_port, readiness), compose(settings) as app:
        async with listening(name, settings, endpoint, app) as (server, health_servicer, relay, port):
            readiness.started(app.ready)
            log.info("serving", address=endpoint.bind, port=port)
            await stop.wait()
            log.info("draining", seconds=endpoint.drain_seconds)
            readiness.drain()
            await health_servicer.enter_graceful_shutdown()
            await asyncio.gather(relay.stop(endpoint.drain_seconds), server.stop(endpoint.drain_seconds))
    log.info("stopped")


@contextlib.asynccontextmanager
async def listening(
    name: str, settings: ServiceSettings, endpoint: Endpoint, app: App
) -> AsyncIterator[tuple[grpc.aio.Server, health.aio.HealthServicer, Relay, int]]:
    """A started server of `app` on the endpoint's address (port 0 takes a free one), with its port."""
    verifier = Verifier(settings.keyring(name))
    layers = Layers(
        (TraceLayer(), LogLayer(), ErrorLayer(f"{name.removesuffix('_service')}.aisp"), ContextLayer(verifier))
    )
    interceptors = (layers, *app.interceptors)
    server = grpc.aio.server(interceptors=interceptors, options=OPTIONS)
    methods = Methods(interceptors)
    for table in (server, methods):
        app.register(table)
        if app.erase is not None:
            add_ErasureServiceServicer_to_server(ErasureServicer(app.erase), table)
        if app.reencrypt is not None:
            add_EncryptionServiceServicer_to_server(EncryptionServicer(app.reencrypt), table)
    relay = Relay(methods, settings.relay, verifier)
    if settings.relay.enabled:
        await _listen(relay, endpoint)
        relay.register(server)
    health_servicer = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health_servicer, server)
    if not settings.production:
        reflection.enable_server_reflection((*app.services, reflection.SERVICE_NAME), server)
    try:
        port = server.add_insecure_port(endpoint.bind)
    except RuntimeError as error:
        await relay.stop(0)
        message = f"cannot listen on {endpoint.bind}: is another process using it?"
        raise ConfigurationError(message) from error
    await server.start()
    for service in ("", *app.services):
        await health_servicer.set(service, health_pb2.HealthCheckResponse.SERVING)
    try:
        yield server, health_servicer, relay, port
    finally:
        await relay.stop(0)
        await server.stop(None)


async def _listen(relay: Relay, endpoint: Endpoint) -> None:
    host, port = endpoint.bind_host, endpoint.relay_port
    try:
        await relay.listen(host, port)
    except OSError as error:
        message = f"cannot listen on {host}:{port} (relay): {error.strerror or error}"
        raise ConfigurationError(message) from error


def stop_signal() -> asyncio.Event:
    """An event that is set on SIGTERM or SIGINT."""
    event = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, event.set)
    return event
