"""What a tenant names as its provider's address may not lead into the platform's own network."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from ipaddress import IPv4Network
from typing import Any

import pytest
from aisp.llm.v1 import catalogue_pb2 as cat
from aisp.llm.v1.llm_service_pb2_grpc import LlmServiceStub
from yarl import URL

from chassis.errors import InvalidArgument, PlatformError
from chassis.settings import DatabaseSettings, OutboundSettings, RedisSettings
from llm_service.app import compose
from llm_service.settings import Settings
from tests.integration.conftest import ROOT, Serve
from tests.standins import llm
from tests.standins.llm import LOOPBACK, ask, tenant
from tests.standins.openai_provider import OpenAIProvider, fails, running


@pytest.fixture
async def provider() -> AsyncIterator[OpenAIProvider]:
    async with running() as provider:
        yield provider


@pytest.fixture
async def other() -> AsyncIterator[OpenAIProvider]:
    async with running() as provider:
        yield provider


@pytest.fixture
def settings(migrated: Callable[[str], DatabaseSettings], valkey: RedisSettings, provider: OpenAIProvider) -> Settings:
    made = llm.settings(migrated("llm_service"), valkey, ROOT, provider.address)
    return made.model_copy(update={"outbound": LOOPBACK})


@pytest.fixture
async def stub(settings: Settings, serve: Serve) -> AsyncIterator[LlmServiceStub]:
    async with serve("llm_service", settings, compose) as channel:
        yield LlmServiceStub(channel)


@pytest.fixture
async def strict(settings: Settings, serve: Serve) -> AsyncIterator[LlmServiceStub]:
    plain = OutboundSettings(plain_http=True)
    async with serve("llm_service", settings.model_copy(update={"outbound": plain}), compose) as channel:
        yield LlmServiceStub(channel)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9/v1",
        "http://169.254.169.254/latest",
        "http://10.0.0.1/v1",
        "http://[::1]/v1",
        "http://[::ffff:127.0.0.1]/v1",
        "http://[::ffff:7f00:1]/v1",
        "http://[64:ff9b::7f00:1]/v1",
        "http://[fd00::1]/v1",
        "http://2130706433/v1",
        "http://0x7f000001/v1",
        "http://0177.0.0.1/v1",
        "http://127.1/v1",
        "http://127.0.0.1./v1",
        "http://metadata.google.internal/v1",
        "http://localhost/v1",
        "http://a:b@models.example.com/v1",
        "ftp://models.example.com",
    ],
)
async def test_an_address_is_refused_when_it_is_entered(strict: LlmServiceStub, url: str) -> None:
    key = cat.ProviderKey(provider="vllm", base_url=url)
    with pytest.raises(InvalidArgument) as caught:
        await strict.CreateProviderKey(cat.CreateProviderKeyRequest(key=key, secret="x"), context=tenant())
    assert caught.value.reason in ("ADDRESS_REFUSED", "URL_REFUSED")


async def test_an_address_is_judged_again_when_it_is_dialled(
    stub: LlmServiceStub, strict: LlmServiceStub, provider: OpenAIProvider
) -> None:
    """Entered where loopback was open: what the name leads to may have changed since."""
    mine, key = tenant(), cat.ProviderKey(provider="vllm", base_url=provider.address)
    await stub.CreateProviderKey(cat.CreateProviderKeyRequest(key=key, secret="x"), context=mine)
    await ask(stub, mine, "vllm/any")
    provider.received.clear()
    with pytest.raises(InvalidArgument) as caught:
        await ask(strict, mine, "vllm/any")
    assert caught.value.reason == "ADDRESS_REFUSED"
    assert not provider.received


async def test_an_address_is_judged_by_what_its_name_resolves_to(
    strict: LlmServiceStub, settings: Settings, provider: OpenAIProvider
) -> None:
    """A public-looking name that leads to loopback, as a name of one's own zone can."""
    mine = tenant()
    key = cat.ProviderKey(provider="vllm", base_url="http://ip6-localhost.example.com/v1")
    await strict.CreateProviderKey(cat.CreateProviderKeyRequest(key=key, secret="x"), context=mine)
    with pytest.raises(PlatformError) as caught:
        await ask(strict, mine, "vllm/any")
    assert caught.value.reason in ("ADDRESS_REFUSED", "PROVIDER_UNAVAILABLE")


async def test_a_name_that_changes_its_answer_gains_nothing(
    settings: Settings, serve: Serve, provider: OpenAIProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Resolved once for each connection, all of its addresses judged, and these dialled: nobody asks for it again."""
    port = URL(provider.address).port
    # Nobody listens there: what is refused and what is dialled are told apart.
    opened = OutboundSettings(networks=(IPv4Network("127.0.0.2/32"),), plain_http=True)
    asked: list[str] = []
    answers: list[list[str]] = [["127.0.0.2"], ["127.0.0.1"], ["127.0.0.2", "127.0.0.1"], ["::ffff:127.0.0.1"], ["::1"]]

    async def resolve(host: str, number: int, **_: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, number)) for one in answers[len(asked) - 1]]

    mine, url = tenant(), f"http://models.example.com:{port}/v1"
    async with serve("llm_service", settings.model_copy(update={"outbound": opened}), compose) as channel:
        stub, key = LlmServiceStub(channel), cat.ProviderKey(provider="vllm", base_url=url)
        await stub.CreateProviderKey(cat.CreateProviderKeyRequest(key=key, secret="x"), context=mine)
        reasons = []
        for _ in answers:
            with monkeypatch.context() as patch:
                patch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
                with pytest.raises(PlatformError) as caught:
                    await ask(stub, mine, "vllm/any")
            reasons.append(caught.value.reason)
    assert reasons == ["PROVIDER_UNAVAILABLE", *["ADDRESS_REFUSED"] * 4]
    assert asked == ["models.example.com"] * len(answers)
    assert not provider.received


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(
    stub: LlmServiceStub, provider: OpenAIProvider, other: OpenAIProvider, status: int
) -> None:
    mine, key = tenant(), cat.ProviderKey(provider="vllm", base_url=provider.address)
    await stub.CreateProviderKey(cat.CreateProviderKeyRequest(key=key, secret="x"), context=mine)
    provider.behaviour = fails(status, b"", {"Location": f"{other.address}/chat/completions"})
    with pytest.raises(PlatformError) as caught:
        await ask(stub, mine, "vllm/any")
    assert caught.value.reason == "PROVIDER_BAD_ANSWER"
    assert not other.received
