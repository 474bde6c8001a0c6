"""For operators: the catalogue of language models. A change is in force in every replica within a second."""

from typing import Annotated, Any

from aisp.llm.v1 import catalogue_pb2 as pb
from fastapi import APIRouter, Path
from pydantic import AwareDatetime, Field

from gateway.admission import Call
from gateway.routes.common import AUTHENTICATED, Body, Paged, Services, StrictRoute, iso_or_none, managed, problems

router = APIRouter(route_class=StrictRoute, prefix="/api/v1/admin/models", tags=["operator"])

Name = Annotated[str, Field(min_length=1, max_length=200)]
RowName = Annotated[str, Path(min_length=1, max_length=200, description="The model's name; it may hold slashes")]
Word = Annotated[str, Field(max_length=64)]
Words = Annotated[list[Word], Field(max_length=32)]
Count = Annotated[int, Field(ge=0, le=2**53)]
Tokens = Annotated[int, Field(ge=0, le=2**31 - 1)]
EXAMPLE: dict[str, Any] = {
    "capabilities": ["chat", "stream", "tools"],
    "context_length": 128_000,
    "deployments": [
        {"provider": "openai", "upstream_model": "gpt-4o-mini", "weight": 3},
        {
            "provider": "azure", "upstream_model": "gpt-4o-mini-eu", "weight": 1, "region": "eu",
            "base_url": "https://example.openai.azure.com", "api_version": "2024-10-21",
            "credential_id": "8f5e5a1e-6d0c-4c1b-9b52-0d6f6d0f5e11", "tokens_per_minute": 100_000,
        },
        {"provider": "vllm", "upstream_model": "qwen", "priority": 1, "base_url": "http://vllm.internal:8000/v1"},
    ],
}  # fmt: skip
PLAIN = (
    "provider", "upstream_model", "priority", "weight", "base_url", "api_version", "credential_id", "region",
    "context_length", "cost_nano_usd_per_million", "requests_per_minute", "tokens_per_minute", "concurrent_requests",
    "without_stream_options",
)  # fmt: skip
OF_MODELS = ("context_length", "max_output_tokens", "price_key", "sticky")


class DeploymentBody(Body):
    """A model at a provider. Those of the lowest priority number are tried first, shared out by weight."""

    provider: Word
    upstream_model: Annotated[str, Field(min_length=1, max_length=300)]
    priority: Annotated[int, Field(ge=0, le=1000)] = 0
    weight: Annotated[int, Field(ge=0, le=1000)] = 1
    base_url: Annotated[str, Field(max_length=2048, description="Gets the key of credential_id, and no other")] = ""
    api_version: Word = ""
    credential_id: Word = ""
    region: Word = ""
    capabilities: Words = []
    context_length: Tokens = 0
    cost_nano_usd_per_million: Count = 0
    requests_per_minute: Count = 0
    tokens_per_minute: Count = 0
    concurrent_requests: Tokens = 0
    without_stream_options: Annotated[
        bool, Field(description="Its server refuses stream_options: what streams used is estimated")
    ] = False


class ModelBody(Body):
    """A row, whole: what is absent is as by default."""

    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [EXAMPLE]}}

    deployments: Annotated[list[DeploymentBody], Field(min_length=1, max_length=16)]
    capabilities: Annotated[Words, Field(description="What it can; anything else is refused. Empty: not known")] = []
    context_length: Tokens = 0
    max_output_tokens: Tokens = 0
    price_key: Annotated[str, Field(max_length=200)] = ""
    sticky: bool = False
    deprecated_at: Annotated[
        AwareDatetime | None, Field(description="Since when; unset with a shutdown_at: from when that was set on")
    ] = None
    shutdown_at: AwareDatetime | None = None
    tenant_ids: Annotated[list[Word], Field(max_length=1000)] = []


class NewModel(ModelBody):
    """A row to add."""

    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [{"name": "gpt-4o-mini"} | EXAMPLE]}}

    name: Name


@router.get("", responses=AUTHENTICATED | problems(400), operation_id="adminListModels")
async def list_models(services: Services, part: Paged, call: Call = managed("", operator=True)) -> dict[str, Any]:
    """The catalogue as it stands in the database; names with a `*` stand for every name that fits."""
    found = await services.llm.ListCatalogue(pb.ListCatalogueRequest(), context=call.context)
    return part.of([_told(model) for model in found.models], "name")


@router.post("", status_code=201, responses=AUTHENTICATED | problems(409, 422), operation_id="adminCreateModel")
async def create(
    body: NewModel, services: Services, call: Call = managed("", operator=True, audit="model.create", platform=True)
) -> dict[str, Any]:
    """Adds a model."""
    request = pb.CreateModelRequest(model=_read(body.name, body))
    document = _told((await services.llm.CreateModel(request, context=call.context)).model)
    if call.deed:
        call.deed.resource_id, call.deed.after = body.name, document
    return document


@router.put("/{name:path}", responses=AUTHENTICATED | problems(404, 422), operation_id="adminUpdateModel")
async def update(
    name: RowName,
    body: ModelBody,
    services: Services,
    call: Call = managed("", operator=True, audit="model.update", platform=True),
) -> dict[str, Any]:
    """Replaces a model with all its deployments."""
    changed = await services.llm.UpdateModel(pb.UpdateModelRequest(model=_read(name, body)), context=call.context)
    document = _told(changed.model)
    if call.deed:
        call.deed.before, call.deed.after = _told(changed.before), document
    return document


@router.delete(
    "/{name:path}", status_code=204, responses=AUTHENTICATED | problems(404), operation_id="adminDeleteModel"
)
async def delete(
    name: RowName, services: Services, call: Call = managed("", operator=True, audit="model.delete", platform=True)
) -> None:
    """Takes a model out of the catalogue."""
    gone = await services.llm.DeleteModel(pb.DeleteModelRequest(name=name), context=call.context)
    if call.deed:
        call.deed.before = _told(gone.before)


def _read(name: str, body: ModelBody) -> pb.CatalogueModel:
    row = pb.CatalogueModel(
        name=name,
        deployments=[
            pb.Deployment(**{field: getattr(one, field) for field in PLAIN}, capabilities=one.capabilities)
            for one in body.deployments
        ],
        capabilities=body.capabilities,
        tenant_ids=body.tenant_ids,
        **{field: getattr(body, field) for field in OF_MODELS},
    )
    if body.deprecated_at is not None:
        row.deprecate_time.FromDatetime(body.deprecated_at)
    if body.shutdown_at is not None:
        row.shutdown_time.FromDatetime(body.shutdown_at)
    return row


def _told(model: pb.CatalogueModel) -> dict[str, Any]:
    return {
        "name": model.name,
        "capabilities": list(model.capabilities),
        **{field: getattr(model, field) for field in OF_MODELS},
        "deprecated_at": iso_or_none(model, "deprecate_time"),
        "shutdown_at": iso_or_none(model, "shutdown_time"),
        "tenant_ids": list(model.tenant_ids),
        "created_at": iso_or_none(model, "create_time"),
        "deployments": [
            {"id": one.id, **{field: getattr(one, field) for field in PLAIN}, "capabilities": list(one.capabilities)}
            for one in model.deployments
        ],
    }
