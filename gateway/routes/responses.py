"""Stored responses, in OpenAI's format. POST /v1/responses itself is a hot route (`generation`)."""

from typing import Annotated, Any, Literal

from aisp.llm.v1 import llm_service_pb2 as pb
from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from chassis.errors import InvalidArgument
from gateway.admission import Call
from gateway.routes.common import AUTHENTICATED, Services, StrictRoute, managed, problems

router = APIRouter(route_class=StrictRoute, prefix="/v1/responses", tags=["language models"])

FOUND = AUTHENTICATED | problems(400, 404)
ResponseId = Annotated[str, Path(min_length=1, max_length=256)]


class NotCancellable(InvalidArgument):
    reason = "RESPONSE_NOT_CANCELLABLE"
    message = "Only a response that is made in the background can be cancelled; leave the request instead."


class NotReplayed(InvalidArgument):
    reason = "RESPONSE_NOT_REPLAYED"
    message = "A stored response is not streamed again; ask for it without stream."


@router.get("/{response_id}", responses=FOUND, operation_id="getResponse")
async def get_response(
    response_id: ResponseId,
    services: Services,
    stream: Annotated[bool, Query(description="Not supported")] = False,
    call: Call = managed("inference"),
) -> Response:
    """A stored response."""
    if stream:
        raise NotReplayed(metadata={"param": "stream"})
    found = await services.llm.GetResponse(pb.GetResponseRequest(response_id=response_id), context=call.context)
    return Response(found.body, media_type="application/json")


@router.get("/{response_id}/input_items", responses=FOUND, operation_id="listResponseInputItems")
async def list_input_items(
    response_id: ResponseId,
    services: Services,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: Annotated[str, Query(max_length=256, description="The last item's id of the page before")] = "",
    order: Annotated[Literal["asc", "desc"], Query()] = "desc",
    call: Call = managed("inference"),
) -> Response:
    """What a stored response was asked with, without what it went on with."""
    request = pb.ListResponseInputItemsRequest(
        response_id=response_id, limit=limit, after=after, ascending=order == "asc"
    )
    found = await services.llm.ListResponseInputItems(request, context=call.context)
    return Response(found.body, media_type="application/json")


@router.delete("/{response_id}", responses=FOUND, operation_id="deleteResponse")
async def delete_response(
    response_id: ResponseId, services: Services, call: Call = managed("inference", audit="response.delete")
) -> dict[str, Any]:
    """Deletes a stored response."""
    await services.llm.DeleteResponse(pb.DeleteResponseRequest(response_id=response_id), context=call.context)
    return {"id": response_id, "object": "response", "deleted": True}


@router.post("/{response_id}/cancel", responses=FOUND, operation_id="cancelResponse")
async def cancel_response(
    response_id: ResponseId, services: Services, call: Call = managed("inference")
) -> dict[str, Any]:
    """Refused: none is made in the background."""
    await services.llm.GetResponse(pb.GetResponseRequest(response_id=response_id), context=call.context)
    raise NotCancellable
