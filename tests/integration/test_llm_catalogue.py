"""The catalogue, tenants' keys, rules and aliases, as they are in force: over the real wire, database and HTTP."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from uuid import uuid4

import asyncpg
import pytest
from aisp.llm.v1 import catalogue_pb2 as cat
from aisp.llm.v1 import llm_service_pb2 as pb
from aisp.llm.v1.llm_service_pb2_grpc import LlmServiceStub

from chassis.context import OperatorOnly, RequestContext
from chassis.errors import InvalidArgument, NotFound, PermissionDenied, PlatformError
from chassis.settings import DatabaseSettings, RedisSettings
from llm_service.app import compose
from llm_service.settings import Settings
from tests.integration.conftest import ROOT, Serve
from tests.promptness import PROMPT
from tests.standins import llm
from tests.standins.llm import LOOPBACK, OPERATOR, PLATFORM_KEY, ask, tenant, until
from tests.standins.openai_provider import OpenAIProvider, fails, running

OWN_KEY = "sk-own-canary-abcdefghijklmnop"


def row(name: str, *deployments: cat.Deployment, **fields: object) -> cat.CatalogueModel:
    return cat.CatalogueModel(name=name, deployments=deployments, capabilities=["chat", "stream"], **fields)  # type: ignore[arg-type]


def at(provider: OpenAIProvider, upstream: str = "up", **fields: object) -> cat.Deployment:
    """A deployment of its own address."""
    fields = {"weight": 1} | fields
    return cat.Deployment(provider="vllm", upstream_model=upstream, base_url=provider.address, **fields)  # type: ignore[arg-type]


GOOD = cat.Deployment(provider="openai", upstream_model="x")


def bad(**fields: object) -> cat.Deployment:
    return cat.Deployment(**{"provider": "openai", "upstream_model": "x"} | fields)  # type: ignore[arg-type]


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


async def add(stub: LlmServiceStub, model: cat.CatalogueModel) -> None:
    await stub.CreateModel(cat.CreateModelRequest(model=model), context=OPERATOR)
    await until(stub, OPERATOR, model.name)


async def allow(stub: LlmServiceStub, context: RequestContext, *names: str) -> None:
    rules = cat.ModelRules(has_allowed=True, allowed=names)
    await stub.SetModelRules(cat.SetModelRulesRequest(rules=rules), context=context)


def unique(word: str) -> str:
    return f"{word}-{uuid4().hex[:8]}"


async def test_rows_are_made_changed_and_taken_out(stub: LlmServiceStub, other: OpenAIProvider) -> None:
    name = unique("m")
    await add(stub, row(name, at(other), context_length=8000, max_output_tokens=100))
    answer = await ask(stub, tenant(), name)
    assert (answer.completion.served_by.provider, answer.completion.served_by.upstream_model) == ("vllm", "up")
    # An address of its own gets no key but the one that the row names.
    assert "Authorization" not in other.headers[0]
    changed = row(name, at(other, "second"))
    updated = await stub.UpdateModel(cat.UpdateModelRequest(model=changed), context=OPERATOR)
    assert (updated.before.deployments[0].upstream_model, updated.model.deployments[0].upstream_model) == (
        "up",
        "second",
    )
    async with asyncio.timeout(PROMPT):
        while (await ask(stub, tenant(), name)).completion.served_by.upstream_model != "second":
            await asyncio.sleep(0.01)
    await stub.DeleteModel(cat.DeleteModelRequest(name=name), context=OPERATOR)
    await until(stub, OPERATOR, name, there=False)
    with pytest.raises(NotFound):
        await ask(stub, tenant(), name)


async def test_a_change_is_in_force_in_every_replica_within_a_second(settings: Settings, other: OpenAIProvider) -> None:
    """Two processes, which share nothing but the database."""
    async with AsyncExitStack() as stack:
        replicas = [await stack.enter_async_context(llm.process(settings, ROOT)) for _ in range(2)]
        first, second = (LlmServiceStub(replica) for replica in replicas)
        name, context = unique("both"), tenant()
        await asyncio.gather(*(llm.await_catalogue(one) for one in (first, second)))
        await first.CreateModel(cat.CreateModelRequest(model=row(name, at(other))), context=OPERATOR)
        await asyncio.gather(until(first, context, name), until(second, context, name))
        await first.SetModelAlias(cat.SetModelAliasRequest(alias="mine", model=name), context=context)
        await until(second, context, "mine")
        await ask(second, context, "mine")


@pytest.mark.parametrize(
    ("model", "field"),
    [
        (row("with space", GOOD), "name"),
        (row("a*b*", GOOD), "name"),
        (row("none"), "deployments"),
        (row("twice", GOOD, GOOD), "deployments"),
        (row("who", bad(provider="nobody")), "deployments.0.provider"),
        (row("where", bad(provider="azure")), "deployments.0.base_url"),
        (row("u", bad(base_url="ftp://x")), "deployments.0.base_url"),
        (row("u", bad(base_url="http://a:b@c")), "deployments.0.base_url"),
        (row("w", bad(weight=-1)), "deployments.0.weight"),
        (row("r", bad(region="E U")), "deployments.0.region"),
        (row("c", bad(capabilities=["fly"])), "deployments.0.capabilities"),
    ],
)
async def test_what_cannot_be_a_row_is_refused_with_its_field(
    stub: LlmServiceStub, model: cat.CatalogueModel, field: str
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await stub.CreateModel(cat.CreateModelRequest(model=model), context=OPERATOR)
    assert caught.value.reason == "BAD_MODEL"
    assert caught.value.violations[0].field == field


async def test_only_an_operator_changes_the_catalogue_and_grants(stub: LlmServiceStub) -> None:
    mine = tenant()
    for call in (
        stub.ListCatalogue(cat.ListCatalogueRequest(), context=mine),
        stub.CreateModel(cat.CreateModelRequest(), context=mine),
        stub.UpdateModel(cat.UpdateModelRequest(), context=mine),
        stub.DeleteModel(cat.DeleteModelRequest(name="gpt-4o"), context=mine),
        stub.ListProviderKeys(cat.ListProviderKeysRequest(platform=True), context=mine),
        stub.CreateProviderKey(cat.CreateProviderKeyRequest(platform=True), context=mine),
        stub.GetModelRules(cat.GetModelRulesRequest(tenant_id=str(uuid4())), context=mine),
        stub.SetModelRules(cat.SetModelRulesRequest(tenant_id=str(uuid4())), context=mine),
    ):
        with pytest.raises(PermissionDenied) as caught:
            await call
        assert caught.value.reason == OperatorOnly.reason


async def test_weights_and_priorities_share_out_and_fall_back(
    stub: LlmServiceStub, provider: OpenAIProvider, other: OpenAIProvider
) -> None:
    name = unique("pool")
    await add(stub, row(name, at(other, "heavy", weight=4), at(provider, "light"), at(other, "spare", priority=1)))
    # Of a hundred draws at one in five some are light: none happens once in five billion runs.
    served = [(await ask(stub, tenant(), name)).completion.served_by.upstream_model for _ in range(100)]
    assert served.count("heavy") > served.count("light") > 0 == served.count("spare")
    other.behaviour = fails(500, b"{}")
    provider.behaviour = fails(500, b"{}")
    other.received.clear()
    with pytest.raises(PlatformError):
        await ask(stub, tenant(), name)
    assert [one["model"] for one in other.received] == ["heavy", "spare"]


async def test_a_sticky_models_calls_stay_together(
    stub: LlmServiceStub, provider: OpenAIProvider, other: OpenAIProvider
) -> None:
    name, context = unique("sticky"), tenant()
    await add(stub, row(name, at(other, "a"), at(provider, "b"), sticky=True))
    same = {(await ask(stub, context, name)).completion.served_by.upstream_model for _ in range(12)}
    assert len(same) == 1
    many = {(await ask(stub, tenant(), name)).completion.served_by.upstream_model for _ in range(24)}
    assert many == {"a", "b"}


async def test_a_tenants_own_key_pays_and_is_told_so(
    stub: LlmServiceStub, provider: OpenAIProvider, settings: Settings
) -> None:
    mine = tenant()
    wanted = cat.ProviderKey(provider="openai", name="ours")
    request = cat.CreateProviderKeyRequest(key=wanted, secret=OWN_KEY)
    key = (await stub.CreateProviderKey(request, context=mine)).key
    assert (key.hint, key.name) == (OWN_KEY[-4:], "ours")
    answer = await ask(stub, mine, "openai/gpt-x")
    assert provider.headers[-1]["Authorization"] == f"Bearer {OWN_KEY}"
    assert {line.provider for line in answer.completion.usage.lines} == {"own:openai"}
    assert answer.completion.served_by.provider == "own:openai"
    await ask(stub, tenant(), "openai/gpt-x")
    assert provider.headers[-1]["Authorization"] == f"Bearer {PLATFORM_KEY}"
    await stub.RotateProviderKey(cat.RotateProviderKeyRequest(id=key.id, secret=OWN_KEY + "2"), context=mine)
    await _until_key(stub, provider, mine, OWN_KEY + "2")
    listed = (await stub.ListProviderKeys(cat.ListProviderKeysRequest(), context=mine)).keys
    assert OWN_KEY not in str(listed)
    assert (await _stored(settings, key.id)).count(OWN_KEY.encode()) == 0
    await stub.DeleteProviderKey(cat.DeleteProviderKeyRequest(id=key.id), context=mine)
    await _until_key(stub, provider, mine, PLATFORM_KEY)


async def _until_key(stub: LlmServiceStub, provider: OpenAIProvider, context: RequestContext, secret: str) -> None:
    async with asyncio.timeout(PROMPT):
        while True:
            await ask(stub, context, "openai/gpt-x")
            if provider.headers[-1]["Authorization"] == f"Bearer {secret}":
                return
            await asyncio.sleep(0.01)


async def _stored(settings: Settings, key_id: str) -> bytes:
    database = settings.database
    connection = await asyncpg.connect(
        host=database.host, port=database.port, user="aisp_llm", database="aisp_llm",
        password=database.password.get_secret_value(),
    )  # fmt: skip
    try:
        async with connection.transaction():
            await connection.execute("SELECT set_config('aisp.tenant', '*', true)")
            sealed: bytes = await connection.fetchval("SELECT sealed FROM provider_keys WHERE id = $1", key_id)
            return sealed
    finally:
        await connection.close()


async def test_a_key_of_another_tenant_is_not_there(stub: LlmServiceStub) -> None:
    mine = tenant()
    request = cat.CreateProviderKeyRequest(key=cat.ProviderKey(provider="openai"), secret=OWN_KEY)
    key = (await stub.CreateProviderKey(request, context=mine)).key
    with pytest.raises(PlatformError) as twice:
        await stub.CreateProviderKey(request, context=mine)
    assert twice.value.reason == "PROVIDER_KEY_EXISTS"
    for known, asking in ((key.id, tenant()), ("nonsense", mine), (key.id, OPERATOR)):
        with pytest.raises(NotFound):
            await stub.DeleteProviderKey(cat.DeleteProviderKeyRequest(id=known), context=asking)
        with pytest.raises(NotFound):
            await stub.RotateProviderKey(cat.RotateProviderKeyRequest(id=known, secret="x"), context=asking)
    assert not (await stub.ListProviderKeys(cat.ListProviderKeysRequest(), context=tenant())).keys


async def test_a_refused_key_of_ones_own_is_ones_own_to_mend(stub: LlmServiceStub, provider: OpenAIProvider) -> None:
    mine = tenant()
    request = cat.CreateProviderKeyRequest(key=cat.ProviderKey(provider="openai"), secret=OWN_KEY)
    await stub.CreateProviderKey(request, context=mine)
    provider.behaviour = fails(401, f'{{"error":{{"message":"Incorrect API key: {OWN_KEY}"}}}}'.encode())
    with pytest.raises(PermissionDenied) as caught:
        await ask(stub, mine, "openai/gpt-x")
    assert caught.value.reason == "PROVIDER_KEY_REFUSED"
    assert OWN_KEY not in caught.value.message


async def test_the_platforms_key_of_a_deployment_goes_to_it_alone(stub: LlmServiceStub, other: OpenAIProvider) -> None:
    wanted = cat.ProviderKey(provider="azure", base_url=other.address)
    request = cat.CreateProviderKeyRequest(key=wanted, secret="az-1", platform=True)
    key = (await stub.CreateProviderKey(request, context=OPERATOR)).key
    name = unique("azure")
    place = cat.Deployment(
        provider="azure", upstream_model="my deployment", base_url=other.address, weight=1,
        api_version="2024-10-21", credential_id=key.id,
    )  # fmt: skip
    await add(stub, row(name, place))
    await ask(stub, tenant(), name)
    assert other.headers[-1]["api-key"] == "az-1"
    assert other.paths[-1] == "/v1/openai/deployments/my%20deployment/chat/completions?api-version=2024-10-21"
    with pytest.raises(PlatformError) as caught:
        await stub.DeleteProviderKey(cat.DeleteProviderKeyRequest(id=key.id, platform=True), context=OPERATOR)
    assert caught.value.reason == "PROVIDER_KEY_IN_USE"


async def test_aliases_and_rules_are_a_tenants_own(stub: LlmServiceStub, other: OpenAIProvider) -> None:
    name, mine = unique("real"), tenant()
    await add(stub, row(name, at(other), price_key="priced"))
    await stub.SetModelAlias(cat.SetModelAliasRequest(alias="fast", model=name), context=mine)
    await until(stub, mine, "fast")
    answer = await ask(stub, mine, "fast")
    assert {line.model for line in answer.completion.usage.lines} == {"priced"}
    with pytest.raises(NotFound):
        await ask(stub, tenant(), "fast")
    with pytest.raises(NotFound):
        await stub.SetModelAlias(cat.SetModelAliasRequest(alias="x", model="no-such"), context=mine)
    await allow(stub, mine, "fa*")
    await until(stub, mine, "gpt-4o", there=False)
    await ask(stub, mine, "fast")
    for model in (name, "openai/gpt-x"):
        with pytest.raises(PermissionDenied) as caught:
            await ask(stub, mine, model)
        assert caught.value.reason == "MODEL_NOT_ALLOWED"
    await stub.DeleteModelAlias(cat.DeleteModelAliasRequest(alias="fast"), context=mine)
    await until(stub, mine, "fast", there=False)


async def test_an_operator_grants_and_the_tenant_cannot_widen_it(stub: LlmServiceStub) -> None:
    mine = tenant()
    rules = cat.ModelRules(has_granted=True, granted=["gpt-4o-mini"])
    await stub.SetModelRules(cat.SetModelRulesRequest(rules=rules, tenant_id=mine.tenant_id), context=OPERATOR)
    await allow(stub, mine, "*")
    await until(stub, mine, "gpt-4o", there=False)
    with pytest.raises(PermissionDenied):
        await ask(stub, mine, "gpt-4o")
    await ask(stub, mine, "gpt-4o-mini")
    told = (await stub.GetModelRules(cat.GetModelRulesRequest(), context=mine)).rules
    assert (list(told.granted), list(told.allowed)) == (["gpt-4o-mini"], ["*"])


async def test_an_alias_that_is_called_like_a_granted_model_opens_no_other(stub: LlmServiceStub) -> None:
    mine = tenant()
    await stub.SetModelAlias(cat.SetModelAliasRequest(alias="gpt-4o-mini", model="gpt-4o"), context=mine)
    rules = cat.ModelRules(has_granted=True, granted=["gpt-4o-mini"])
    await stub.SetModelRules(cat.SetModelRulesRequest(rules=rules, tenant_id=mine.tenant_id), context=OPERATOR)
    await until(stub, mine, "gpt-4o", there=False)
    with pytest.raises(PermissionDenied):
        await ask(stub, mine, "gpt-4o-mini")


async def test_what_rules_leave_nowhere_is_not_offered(stub: LlmServiceStub) -> None:
    mine = tenant()
    rules = cat.ModelRules(regions=["nowhere"])
    await stub.SetModelRules(cat.SetModelRulesRequest(rules=rules, tenant_id=mine.tenant_id), context=OPERATOR)
    await until(stub, mine, "gpt-4o-mini", there=False)
    with pytest.raises(PermissionDenied):
        await ask(stub, mine, "gpt-4o-mini")
    checked = cat.CheckModelsRequest(models=["gpt-4o-mini"], language=True)
    with pytest.raises(PermissionDenied):
        await stub.CheckModels(checked, context=mine)
    other = cat.CheckModelsRequest(models=["local/piper"])
    assert list((await stub.CheckModels(other, context=mine)).allowed) == ["local/piper"]


async def test_a_private_model_is_nobody_elses(stub: LlmServiceStub, other: OpenAIProvider) -> None:
    name, mine = unique("private"), tenant()
    await stub.CreateModel(
        cat.CreateModelRequest(model=row(name, at(other), tenant_ids=[mine.tenant_id])), context=OPERATOR
    )
    await until(stub, mine, name)
    await ask(stub, mine, name)
    with pytest.raises(NotFound):
        await ask(stub, tenant(), name)
    assert name not in {one.name for one in (await stub.ListModels(pb.ListModelsRequest(), context=tenant())).models}
