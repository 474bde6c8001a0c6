"""What a caller is offered, on the wire."""

from typing import Any

from aisp.llm.v1 import llm_service_pb2 as pb
from aisp.llm.v1.llm_service_pb2_grpc import LlmServiceServicer

from chassis.context import current
from llm_service.domain.models import Health
from llm_service.policy.routing import capabilities
from llm_service.service.offers import Offer, Offers
from llm_service.servicer.wire import seconds_of

HEALTH = {
    Health.OK: pb.HEALTH_OK,
    Health.FAILING: pb.HEALTH_FAILING,
    Health.NOT_CONFIGURED: pb.HEALTH_NOT_CONFIGURED,
}


class ModelsServicer(LlmServiceServicer):
    """The models that the calling tenant may use."""

    _offers: Offers

    async def ListModels(self, _request: pb.ListModelsRequest, _: Any) -> pb.ListModelsResponse:
        return pb.ListModelsResponse(models=[_model(offer) for offer in await self._offers.to(current().tenant_id)])


def _model(offer: Offer) -> pb.Model:
    model = offer.model
    return pb.Model(
        name=model.name,
        provider=model.deployments[0].provider,
        capabilities=capabilities(model),
        context_length=model.context_length,
        health=HEALTH[offer.health],
        create_time_seconds=seconds_of(model.created_at),
        max_output_tokens=model.max_output_tokens,
        deprecation_time_seconds=seconds_of(model.deprecated_at),
        shutdown_time_seconds=seconds_of(model.shutdown_at),
        alias_of=offer.alias_of,
        price_key=model.price_key,
        providers=list(dict.fromkeys(one.provider for one in model.deployments)),
    )
