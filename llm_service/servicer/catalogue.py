"""The catalogue on the wire, for operators."""

from datetime import UTC, datetime
from typing import Any

from aisp.llm.v1 import catalogue_pb2 as pb
from aisp.llm.v1.llm_service_pb2_grpc import LlmServiceServicer
from google.protobuf.timestamp_pb2 import Timestamp

from chassis.context import current
from llm_service.domain.models import Deployment, DeploymentLimits, Model
from llm_service.service.models import Models

PLAIN = (
    "provider", "upstream_model", "priority", "weight", "base_url", "api_version", "credential_id", "region",
    "context_length", "cost_nano_usd_per_million", "without_stream_options",
)  # fmt: skip
LIMITS = ("requests_per_minute", "tokens_per_minute", "concurrent_requests")
OF_MODELS = ("name", "context_length", "max_output_tokens", "price_key", "sticky")


class CatalogueServicer(LlmServiceServicer):
    """Rows."""

    _models: Models

    async def ListCatalogue(self, _request: pb.ListCatalogueRequest, _: Any) -> pb.ListCatalogueResponse:
        current().require_operator()
        return pb.ListCatalogueResponse(models=[_told(model) for model in await self._models.list()])

    async def CreateModel(self, request: pb.CreateModelRequest, _: Any) -> pb.CreateModelResponse:
        current().require_operator()
        return pb.CreateModelResponse(model=_told(await self._models.create(_read(request.model))))

    async def UpdateModel(self, request: pb.UpdateModelRequest, _: Any) -> pb.UpdateModelResponse:
        current().require_operator()
        model, before = await self._models.update(_read(request.model))
        return pb.UpdateModelResponse(model=_told(model), before=_told(before))

    async def DeleteModel(self, request: pb.DeleteModelRequest, _: Any) -> pb.DeleteModelResponse:
        current().require_operator()
        return pb.DeleteModelResponse(before=_told(await self._models.delete(request.name)))


def _told(model: Model) -> pb.CatalogueModel:
    return pb.CatalogueModel(
        **{name: getattr(model, name) for name in OF_MODELS},
        deployments=[_told_deployment(one) for one in model.deployments],
        capabilities=model.capabilities,
        tenant_ids=model.tenants,
        deprecate_time=stamp(model.deprecated_at),
        shutdown_time=stamp(model.shutdown_at),
        create_time=stamp(model.created_at),
    )


def _told_deployment(deployment: Deployment) -> pb.Deployment:
    return pb.Deployment(
        **{name: getattr(deployment, name) for name in PLAIN},
        **{name: getattr(deployment.limits, name) for name in LIMITS},
        id=deployment.id,
        capabilities=deployment.capabilities,
    )


def _read(told: pb.CatalogueModel) -> Model:
    return Model(
        **{name: getattr(told, name) for name in OF_MODELS},
        deployments=tuple(_read_deployment(one) for one in told.deployments),
        capabilities=tuple(told.capabilities),
        tenants=tuple(told.tenant_ids),
        deprecated_at=told.deprecate_time.ToDatetime(UTC) if told.HasField("deprecate_time") else None,
        shutdown_at=told.shutdown_time.ToDatetime(UTC) if told.HasField("shutdown_time") else None,
    )


def _read_deployment(told: pb.Deployment) -> Deployment:
    return Deployment(
        **{name: getattr(told, name) for name in PLAIN},
        capabilities=tuple(told.capabilities),
        limits=DeploymentLimits(**{name: getattr(told, name) for name in LIMITS}),
    )


def stamp(at: datetime | None) -> Timestamp | None:
    """A time, unless it is not known."""
    if at is None:
        return None
    told = Timestamp()
    told.FromDatetime(at)
    return told
