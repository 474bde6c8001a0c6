"""POST /v1/rerank, in the shape that Cohere and Jina share: texts in the order of how well they answer a query."""

import hashlib
from typing import Annotated, Any

from aisp.embedding.v1 import embedding_service_pb2 as pb
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from gateway.admission import Work
from gateway.routes import estimates
from gateway.routes.common import AUTHENTICATED, Admission, Services, StrictRoute, marks, problems

router = APIRouter(route_class=StrictRoute, prefix="/v1", tags=["embeddings"])

Text = Annotated[str, Field(min_length=1, max_length=100_000)]


class TextDocument(BaseModel):
    """A text as an object, as Jina has it."""

    text: Text


class RerankRequest(BaseModel):
    """What to judge, and by what."""

    model_config = ConfigDict(json_schema_extra={"examples": [
        {"query": "How long is the warranty?", "documents": ["It lasts two years.", "It is blue."], "top_n": 1}
    ]})  # fmt: skip

    model: Annotated[str, Field(max_length=200)] = ""
    query: Text
    documents: Annotated[list[Text | TextDocument], Field(min_length=1, max_length=1000)]
    top_n: Annotated[int, Field(ge=1)] | None = None
    return_documents: bool = False


@router.post("/rerank", responses=AUTHENTICATED | problems(404, 413), operation_id="rerank")
async def rerank(asked: RerankRequest, request: Request, services: Services, gate: Admission) -> dict[str, Any]:
    """Orders documents by how well they answer a query, the best first."""
    texts = _texts(asked)
    wire = pb.RerankTextsRequest(model=asked.model, query=asked.query, texts=texts)
    key = await marks(request)
    async with gate.admitted(request.scope["state"], "inference", estimate(asked), key) as call:
        found = await services.embedding.RerankTexts(wire, **call.options)
        call.use(found.usage)
    order = sorted(range(len(texts)), key=lambda index: -found.scores[index])[: asked.top_n or len(texts)]
    read = sum(line.amount for line in call.lines if line.unit == "input_tokens")
    # Under a key the answer is the same each time, its id too.
    named = hashlib.sha256(call.context.idempotency_key.encode()).hexdigest()[:32] if key[0] else ""
    return {
        "id": named or call.context.request_id,
        "object": "list",
        "model": found.model,
        "results": [
            {"index": index, "relevance_score": found.scores[index]}
            | ({"document": {"text": texts[index]}} if asked.return_documents else {})
            for index in order
        ],
        "usage": {"prompt_tokens": read, "total_tokens": read},
    }


def estimate(asked: RerankRequest) -> Work:
    """What a call is reserved as."""
    return estimates.rerank(asked.model, asked.query, _texts(asked))


def _texts(asked: RerankRequest) -> list[str]:
    return [item if isinstance(item, str) else item.text for item in asked.documents]
