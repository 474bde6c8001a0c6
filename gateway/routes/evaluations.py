"""How well search finds: measured on a tenant's own documents, with questions whose answers are known."""

from typing import Annotated, Any, Literal

from aisp.rag.v1 import rag_service_pb2 as pb
from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from gateway.admission import Work
from gateway.routes import estimates
from gateway.routes.common import AUTHENTICATED, Admission, Body, Services, StrictRoute, marks, problems
from gateway.routes.search import MODE_NAMES, MODES

router = APIRouter(route_class=StrictRoute, prefix="/api/v1/services/rag", tags=["retrieval"])


class Judged(BaseModel):
    """A question and the documents that answer it."""

    query: Annotated[str, Field(min_length=1, max_length=4000)]
    relevant: Annotated[list[Annotated[str, Field(max_length=64)]], Field(min_length=1, max_length=1000)]


class EvaluationRequest(Body):
    """A golden set."""

    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [
        {"queries": [{"query": "How long is the warranty?", "relevant": ["0192e4c0-0000-7000-8000-000000000000"]}]}
    ]}}  # fmt: skip

    queries: Annotated[list[Judged], Field(min_length=1, max_length=1000)]
    collection: Annotated[str, Field(max_length=64)] = ""
    apply: bool = False
    """Whether the best mode becomes the collection's default."""
    modes: Annotated[list[Literal["hybrid", "dense", "lexical"]], Field(max_length=3)] = []


@router.post("/evaluations", responses=AUTHENTICATED | problems(404, 413, 422), operation_id="evaluateSearch")
async def evaluate(asked: EvaluationRequest, request: Request, services: Services, gate: Admission) -> dict[str, Any]:
    """Measures search: nDCG@10, recall@100 and MRR of each mode over documents, the best mode first."""
    wire = pb.EvaluateSearchRequest(
        collection=asked.collection,
        queries=[pb.JudgedQuery(query=item.query, document_ids=item.relevant) for item in asked.queries],
        modes=[MODES[name] for name in asked.modes],
        apply=asked.apply,
    )
    async with gate.admitted(request.scope["state"], "inference", estimate(asked), await marks(request)) as call:
        found = await services.rag.EvaluateSearch(wire, **call.options)
        call.use(found.usage)
    return {
        "queries": len(asked.queries),
        "vector_store": found.vector_store,
        "embedding_model": found.embedding_model,
        "default_mode": MODE_NAMES[found.default_mode],
        "modes": [
            {
                "mode": MODE_NAMES[row.mode],
                "ndcg_at_10": round(row.ndcg_at_10, 4),
                "recall_at_100": round(row.recall_at_100, 4),
                "mrr": round(row.mrr, 4),
            }
            for row in found.modes
        ],
    }


def estimate(asked: EvaluationRequest) -> Work:
    """What an evaluation is reserved as."""
    return estimates.search(item.query for item in asked.queries)
