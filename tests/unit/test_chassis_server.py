"""A server as a process: health, reflection, ports, and the drain on SIGTERM with calls under way."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from chassis import errors
from chassis.client import Channel
from chassis.context import Keyring
from chassis.server import App, run_server
from chassis.settings import ConfigurationError, Endpoint
from deploy.local.process import free_port
from tests.promptness import PATIENCE
from tests.standins.echo_service import (
    CALLING,
    CONFIG,
    NAME,
    ROOT,
    SERVICE,
    Echo,
    EchoStub,
    Transport,
    make_settings,
    served,
)

pytestmark = pytest.mark.usefixtures("transport")


async def health_of(address: str, service: str) -> int:
    async with grpc.aio.insecure_channel(address) as channel:
        request = health_pb2.HealthCheckRequest(service=service)
        status: int = (await health_pb2_grpc.HealthStub(channel).Check(request, timeout=PATIENCE)).status
        return status


@pytest.mark.parametrize("service", ["", SERVICE])
async def test_health_needs_no_context(service: str) -> None:
    async with served(Echo()) as running:
        assert await health_of(running.address, service) == health_pb2.HealthCheckResponse.SERVING


async def reflected(address: str) -> set[str]:
    async def ask() -> AsyncIterator[Any]:
        yield reflection_pb2.ServerReflectionRequest(list_services="")

    async with grpc.aio.insecure_channel(address) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        async for answer in stub.ServerReflectionInfo(ask(), timeout=PATIENCE):
            return {service.name for service in answer.list_services_response.service}
    return set()


async def test_reflection_in_development() -> None:
    async with served(Echo()) as running:
        assert SERVICE in await reflected(running.address)


async def test_no_reflection_in_production() -> None:
    keys = {"gateway>echo_service": "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="}
    async with served(Echo(), env="production", wire={"keys": keys}) as running:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await reflected(running.address)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


class Running:
    """run_server as a task of this process, which gets real signals."""

    def __init__(self, echo: Echo, *, drain_seconds: float = PATIENCE) -> None:
        self.closed = asyncio.Event()
        self._echo = echo
        self.port, self.ops = free_port(), free_port()
        endpoint = Endpoint(address=f"127.0.0.1:{self.port}", ops_port=self.ops, drain_seconds=drain_seconds)
        self.task = asyncio.create_task(run_server(NAME, make_settings(), endpoint, self._compose))

    @contextlib.asynccontextmanager
    async def _compose(self, _settings: Any) -> AsyncIterator[App]:
        try:
            yield self._echo.app()
        finally:
            self.closed.set()

    def channel(self) -> Channel:
        ring = Keyring("gateway", root=ROOT.encode())
        return Channel(
            f"127.0.0.1:{self.port}", keyring=ring, callee=NAME, service_config=CONFIG, relay=Transport.relay
        )

    async def ready(self) -> int:
        async with aiohttp.ClientSession() as session:
            for _ in range(6000):
                with contextlib.suppress(aiohttp.ClientError):
                    async with session.get(f"http://127.0.0.1:{self.ops}/readyz") as response:
                        if response.status == 200:
                            return response.status
                await asyncio.sleep(0.01)
        return 0

    async def readyz(self) -> tuple[int, dict[str, Any]]:
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{self.ops}/readyz") as response:
                return response.status, await response.json()


async def test_a_signal_drains() -> None:
    started, release = asyncio.Event(), asyncio.Event()

    async def behave(text: str) -> str:
        started.set()
        await release.wait()
        return text

    running = Running(Echo(behave))
    assert await running.ready() == 200
    async with running.channel() as channel:
        call = asyncio.create_task(EchoStub(channel).call("Unary", "late"))
        await started.wait()
        os.kill(os.getpid(), signal.SIGTERM)
        while (await running.readyz())[0] == 200:
            await asyncio.sleep(0.005)
        assert await running.readyz() == (503, {"ready": False, "reason": "draining"})
        assert not running.closed.is_set()
        with pytest.raises(errors.Unavailable):
            async with running.channel() as another:
                await EchoStub(another).call("Unary", "new", timeout=PATIENCE / 2)
        release.set()
        assert await call == ["late"]
    await asyncio.wait_for(running.task, PATIENCE)
    assert running.closed.is_set()


async def test_a_call_that_does_not_end_is_ended() -> None:
    started = asyncio.Event()

    async def behave(text: str) -> str:
        started.set()
        await asyncio.sleep(60)
        return text

    running = Running(Echo(behave), drain_seconds=0.2)
    await running.ready()
    async with running.channel() as channel:
        call = asyncio.create_task(EchoStub(channel).call("Unary", "never"))
        await started.wait()
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises((errors.Unavailable, errors.Cancelled)):
            await call
    await asyncio.wait_for(running.task, PATIENCE)


async def test_a_taken_port_is_one_clear_line() -> None:
    async with served(Echo()) as other:
        endpoint = Endpoint(address=other.address, ops_port=0)

        @contextlib.asynccontextmanager
        async def compose(_settings: Any) -> AsyncIterator[App]:
            yield Echo().app()

        with pytest.raises(ConfigurationError, match=rf"cannot listen on {other.address}"):
            await run_server(NAME, make_settings(), endpoint, compose)


async def test_a_message_of_many_megabytes_passes() -> None:
    """A batch of 2,048 vectors of 1,536 dimensions is 12 MB; gRPC's own default is 4."""
    text = "x" * (20 * 1024 * 1024)
    async with served(Echo()) as running, running.channel() as channel:
        (answer,) = await EchoStub(channel).call("Unary", text)
    assert len(answer) == len(text)


async def test_the_largest_context_passes() -> None:

    async with served(Echo()) as running, running.channel() as channel:
        big = CALLING._replace(idempotency_key="k" * 1500)
        assert (await EchoStub(channel).unary(StringValue(value="a"), context=big)).value == "a"
