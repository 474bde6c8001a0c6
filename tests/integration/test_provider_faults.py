"""Whatever a provider does wrong, on the wire, through llm_service: a typed error with nothing of the provider's."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aisp.llm.v1 import catalogue_pb2 as cat
from aisp.llm.v1 import llm_service_pb2 as pb
from aisp.llm.v1.llm_service_pb2_grpc import LlmServiceStub

from chassis.errors import PlatformError
from chassis.settings import DatabaseSettings, RedisSettings
from llm_service.app import compose
from tests.integration.conftest import ROOT, Serve
from tests.standins import faults, llm
from tests.standins.faults import FAULTS, KEY, Fault
from tests.standins.llm import OPERATOR, envelope, tenant
from tests.standins.openai_provider import OpenAIProvider, running

NAMES = [fault.name for fault in FAULTS]


@pytest.fixture
async def provider() -> AsyncIterator[OpenAIProvider]:
    async with running() as provider:
        provider.behaviours |= faults.behaviours("service")
        yield provider


@pytest.fixture
async def stub(
    migrated: Callable[[str], DatabaseSettings],
    valkey: RedisSettings,
    provider: OpenAIProvider,
    serve: Serve,
    tmp_path: Path,
) -> AsyncIterator[LlmServiceStub]:
    section = {"max_answer_bytes": 1_000_000}
    settings = llm.settings(migrated("llm_service"), valkey, ROOT, provider.address, **section)
    async with (
        faults.addresses(tmp_path, provider.address) as places,
        serve("llm_service", settings, compose) as channel,
    ):
        stub = LlmServiceStub(channel)
        await llm.await_catalogue(stub)
        rows = [
            _row("openai/" + faults.upstream("service", name, stream=stream), "vllm", address)
            for name, address in places.items()
            for stream in (False, True)
        ]
        for row in rows:
            await stub.CreateModel(cat.CreateModelRequest(model=row), context=OPERATOR)
        await llm.until(stub, OPERATOR, rows[-1].name)
        yield stub
        for row in rows:
            await stub.DeleteModel(cat.DeleteModelRequest(name=row.name), context=OPERATOR)


async def test_every_fault_is_a_typed_error_plain_and_streamed(stub: LlmServiceStub) -> None:
    plain = await asyncio.gather(*(_plain(stub, fault) for fault in FAULTS))
    streamed = await asyncio.gather(*(_streamed(stub, fault) for fault in FAULTS))
    wanted = {fault.name: fault.reason for fault in FAULTS}
    assert dict(zip(NAMES, (error.reason for error in plain), strict=True)) == wanted
    assert dict(zip(NAMES, (error.reason for error, _ in streamed), strict=True)) == wanted
    assert {name for name, (_, parts) in zip(NAMES, streamed, strict=True) if parts} == {
        fault.name for fault in FAULTS if fault.begun
    }
    for fault, error in zip(FAULTS, plain, strict=True):
        assert KEY not in f"{error.message}{error.metadata}"
        assert "127.0.0.1" not in error.message
        assert fault.message in error.message
        if fault.retry_after:
            assert error.retry_after == fault.retry_after


async def _plain(stub: LlmServiceStub, fault: Fault) -> PlatformError:
    with pytest.raises(PlatformError) as caught:
        await llm.ask(stub, tenant(), "openai/" + faults.upstream("service", fault.name, stream=False))
    return caught.value


async def _streamed(stub: LlmServiceStub, fault: Fault) -> tuple[PlatformError, int]:
    parts, model = 0, "openai/" + faults.upstream("service", fault.name, stream=True)
    request = pb.StreamCompleteRequest(envelope=envelope(model, stream=True))
    try:
        async for part in stub.StreamComplete(request, context=tenant()):
            parts += part.WhichOneof("event") == "data"
    except PlatformError as error:
        return error, parts
    raise AssertionError(fault.name)


def _row(name: str, provider: str, address: str) -> cat.CatalogueModel:
    place = cat.Deployment(provider=provider, upstream_model=name, base_url=address, weight=1)
    return cat.CatalogueModel(name=name, deployments=[place], capabilities=["chat", "stream"])
