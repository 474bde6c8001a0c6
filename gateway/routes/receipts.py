"""GET /services/rag/answers/{id}: what an answer rests on, and what each of its stages used and cost.

Retrieval keeps the passages, scores and amounts; the price is the ledger's, found by the answer's request. So the two
cannot disagree, and no service asks another that it did not ask before.
"""

from collections import defaultdict
from typing import Annotated, Any

from aisp.common.v1 import usage_pb2
from aisp.rag.v1 import rag_service_pb2 as pb
from aisp.usage.v1 import usage_service_pb2 as usage_pb
from fastapi import APIRouter, Path

from chassis.errors import PlatformError
from gateway.admission import UNITS, Call
from gateway.clients import Clients
from gateway.routes.common import AUTHENTICATED, Services, StrictRoute, iso, managed, problems
from gateway.routes.rag import STATES, citation_of
from gateway.routes.search import MODE_NAMES

router = APIRouter(route_class=StrictRoute, prefix="/api/v1/services/rag/answers", tags=["retrieval"])

Price = tuple[int, int, int]
"""(amount, cost in nano-dollars, version) of a line of the ledger."""


@router.get("/{answer_id}", responses=AUTHENTICATED | problems(404), operation_id="getAnswer")
async def get_answer(
    answer_id: Annotated[str, Path(max_length=64)], services: Services, call: Call = managed("inference")
) -> dict[str, Any]:
    """The receipt of an answer. Costs are null until the ledger has booked the request, within seconds."""
    asked = pb.GetAnswerRequest(id=answer_id)
    receipt = (await services.rag.GetAnswer(asked, context=call.context)).receipt
    booked = await _booked(services, receipt.request_id, call)
    stages = [_stage(row, booked) for row in receipt.stages]
    costs = [row["cost_nano_usd"] for row in stages]
    return {
        "id": receipt.answer.id,
        "state": STATES[receipt.answer.state],
        "message": {"role": "assistant", "content": receipt.answer.content},
        "citations": [citation_of(row) for row in receipt.answer.citations],
        "model": receipt.answer.model,
        "conversation_id": receipt.answer.conversation_id or None,
        "collection": receipt.collection or "default",
        "query": receipt.query,
        "mode": MODE_NAMES.get(receipt.mode),
        "prompt_sha256": receipt.prompt_sha256 or None,
        "passages": [_passage(row) for row in receipt.passages],
        "stages": stages,
        "cost_nano_usd": None if None in costs else sum(costs),
        "request_id": receipt.request_id,
        "forgotten": receipt.forgotten,
        "created_at": iso(receipt.create_time),
        "expires_at": iso(receipt.expire_time),
    }


async def _booked(services: Clients, request_id: str, call: Call) -> dict[tuple[str, str, int], Price]:
    """The ledger's lines of a request, by service, model and unit; none while it does not answer."""
    wanted = usage_pb.ListEventsRequest(page_size=20, filter=usage_pb.EventFilter(request_id=request_id))
    try:
        found = await services.usage.ListEvents(wanted, context=call.context)
    except PlatformError:
        # The receipt is retrieval's: it is shown without prices rather than not at all.
        return {}
    sums: dict[tuple[str, str, int], Price] = defaultdict(lambda: (0, 0, 0))
    for event in found.events:
        for line in event.lines:
            key = (line.usage.service, line.usage.model, line.usage.unit)
            amount, cost, _ = sums[key]
            sums[key] = (amount + line.usage.amount, cost + line.cost_nano_usd, line.price_version)
    return dict(sums)


def _stage(row: pb.StageUsage, booked: dict[tuple[str, str, int], Price]) -> dict[str, Any]:
    """With its share of what the ledger has for the same model and unit."""
    line: usage_pb2.UsageLine = row.line
    amount, cost, version = booked.get((line.service, line.model, line.unit), (0, 0, 0))
    return {
        "stage": row.stage,
        "service": line.service,
        "model": line.model,
        "provider": line.provider,
        "unit": UNITS.get(line.unit),
        "amount": line.amount,
        "cost_nano_usd": round(cost * line.amount / amount) if amount else None,
        "price_version": version or None,
    }


def _passage(row: pb.ReadPassage) -> dict[str, Any]:
    return {
        "document_id": row.document_id,
        "document_version": row.document_version,
        "chunk_id": row.chunk_id,
        "chunk_sha256": row.chunk_sha256,
        "page": row.page or None,
        "start": row.start,
        "end": row.end,
        "scores": {field.name: value for field, value in row.scores.ListFields()},
        "cited": row.cited,
    }
