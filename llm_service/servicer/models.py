"""The catalogue on the wire."""

from typing import Any

from aisp.llm.v1 import llm_service_pb2 as pb
from aisp.llm.v1.llm_service_pb2_grpc import LlmServiceServicer

from llm_service.domain.models import Health
from llm_service.service.completions import Completions

HEALTH = {
    Health.OK: pb.HEALTH_OK,
    Health.FAILING: pb.HEALTH_FAILING,
    Health.NOT_CONFIGURED: pb.HEALTH_NOT_CONFIGURED,
}


class ModelsServicer(LlmServiceServicer):
    """The catalogue."""

    _completions: Completions

    async def ListModels(self, _request: pb.ListModelsRequest, _: Any) -> pb.ListModelsResponse:
        models = [
            pb.Model(
                name=model.name,
                provider=model.deployments[0].provider,
                capabilities=model.capabilities,
                context_length=model.context_length,
                health=HEALTH[health],
                create_time_seconds=int(model.created_at.timestamp()) if model.created_at else 0,
            )
            for model, health in self._completions.models()
        ]
        return pb.ListModelsResponse(models=models)
