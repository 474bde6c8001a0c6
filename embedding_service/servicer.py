"""EmbeddingService on the wire: protobuf <-> domain. Decides nothing."""

from typing import Any

from aisp.common.v1 import usage_pb2
from aisp.embedding.v1 import embedding_service_pb2 as pb
from aisp.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceServicer

from embedding_service.domain import Input, InputType
from embedding_service.service import Embeddings, Reranking

INPUT_TYPES = {pb.INPUT_TYPE_QUERY: InputType.QUERY, pb.INPUT_TYPE_DOCUMENT: InputType.DOCUMENT}


class EmbeddingServicer(EmbeddingServiceServicer):
    """Translates."""

    def __init__(self, embeddings: Embeddings, reranking: Reranking) -> None:
        self._embeddings = embeddings
        self._reranking = reranking

    async def EmbedTexts(self, request: pb.EmbedTextsRequest, _: Any) -> pb.EmbedTextsResponse:
        inputs: list[Input] = [
            item.text if item.WhichOneof("content") == "text" else tuple(item.tokens.ids) for item in request.inputs
        ]
        input_type = INPUT_TYPES.get(request.input_type, InputType.UNKNOWN)
        made = await self._embeddings.embed(request.model, inputs, request.dimensions, input_type, request.body)
        line = usage_pb2.UsageLine(
            service="embedding",
            model=made.model.name,
            provider=made.model.provider,
            unit=usage_pb2.UNIT_INPUT_TOKENS,
            amount=made.vectors.tokens,
            attempt=1,
        )
        return pb.EmbedTextsResponse(
            vectors=made.vectors.vectors,
            model=made.model.name,
            dimensions=made.dimensions,
            usage=usage_pb2.Usage(lines=[line]),
            body=made.body,
        )

    async def RerankTexts(self, request: pb.RerankTextsRequest, _: Any) -> pb.RerankTextsResponse:
        model, judged = await self._reranking.rerank(request.model, request.query, request.texts)
        line = usage_pb2.UsageLine(
            service="embedding",
            model=model.name,
            provider=model.provider,
            unit=usage_pb2.UNIT_INPUT_TOKENS,
            amount=judged.tokens,
            attempt=1,
        )
        return pb.RerankTextsResponse(scores=judged.scores, model=model.name, usage=usage_pb2.Usage(lines=[line]))

    async def ForgetTexts(self, request: pb.ForgetTextsRequest, _: Any) -> pb.ForgetTextsResponse:
        forgotten = await self._embeddings.forget(request.model, list(request.texts))
        return pb.ForgetTextsResponse(forgotten=forgotten)

    async def ListModels(self, _request: pb.ListModelsRequest, _: Any) -> pb.ListModelsResponse:
        models = [
            pb.Model(
                name=model.name,
                provider=model.provider,
                capabilities=["embeddings", *(["dimensions"] if model.shortens else [])],
                dimensions=model.dimensions,
                context_length=model.context_length,
                health=health.value,
            )
            for model, health in self._embeddings.models()
        ]
        return pb.ListModelsResponse(models=models)
