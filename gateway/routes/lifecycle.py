"""The life of a document: its ingestion watched, cancelled and tried again; and its end."""

from collections.abc import AsyncGenerator
from typing import Annotated, Any

from aisp.rag.v1 import rag_service_pb2 as pb
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from chassis.errors import PlatformError
from gateway.admission import Call, Work
from gateway.audit import Audited, audited
from gateway.errors import render_event
from gateway.routes.common import (
    AUTHENTICATED,
    Admission,
    Options,
    Services,
    StrictRoute,
    iso,
    iso_or_none,
    managed,
    problems,
)
from gateway.routes.documents import FilterText, shown
from gateway.routes.raw import wrong
from gateway.sse import HEADERS, MEDIA_TYPE, event, with_heartbeats

router = APIRouter(route_class=StrictRoute, prefix="/api/v1/services/rag", tags=["documents"])

WHICH = frozenset(("id", "collection", "filter"))
EFFECT = Work("rag", "effect")
COUNTED = ("documents", "objects", "chunks", "vectors", "cached", "quotes", "messages", "answers", "bytes")
PLACES = ("objects", "vectors", "chunks", "cached", "quotes", "answers")


@router.get(
    "/documents/{document_id}/events",
    responses=AUTHENTICATED
    | problems(404)
    | {200: {"content": {MEDIA_TYPE: {}}, "description": "Events progress, then done (or error), each the document"}},
    operation_id="watchDocument",
    response_class=StreamingResponse,
)
async def watch(
    document_id: str,
    request: Request,
    services: Services,
    options: Options,
    call: Call = managed("documents:read"),
) -> StreamingResponse:
    """The document's ingestion as it goes on: `progress` at once and with each step, `done` when it has ended."""
    parts = services.rag.WatchDocument(pb.WatchDocumentRequest(id=document_id), context=call.context)
    # What fails before the first part is an ordinary error, with its status.
    first = await anext(parts)

    async def events() -> AsyncGenerator[bytes, None]:
        part: Any = first
        try:
            while part is not None:
                latest = part
                part = await anext(parts, None)
                yield event("done" if part is None else "progress", shown(latest.document))
        except PlatformError as error:
            yield render_event(error, request.url.path, call.context.request_id)
        finally:
            await parts.aclose()

    told = with_heartbeats(events(), options.heartbeat_seconds)
    return StreamingResponse(told, media_type=MEDIA_TYPE, headers=HEADERS)


@router.post(
    "/documents/{document_id}/cancel", responses=AUTHENTICATED | problems(404, 409), operation_id="cancelDocument"
)
async def cancel(
    document_id: str, services: Services, call: Call = managed("documents:write", audit="document.cancel")
) -> dict[str, Any]:
    """Ends an ingestion; what searches saw before, they go on seeing."""
    request = pb.CancelDocumentRequest(id=document_id)
    return shown((await services.rag.CancelDocument(request, context=call.context)).document)


@router.post(
    "/documents/{document_id}/retry",
    status_code=202,
    responses=AUTHENTICATED | problems(404, 409),
    operation_id="retryDocument",
)
async def retry(
    document_id: str, services: Services, call: Call = managed("documents:write", audit="document.retry")
) -> dict[str, Any]:
    """Tries an ingestion that failed or was cancelled again."""
    request = pb.RetryDocumentRequest(id=document_id)
    return shown((await services.rag.RetryDocument(request, context=call.context)).document)


@router.delete(
    "/documents/{document_id}", status_code=204, responses=AUTHENTICATED | problems(404), operation_id="deleteDocument"
)
async def delete(document_id: str, request: Request, services: Services, gate: Admission) -> Response:
    """Deletes a document with everything that was made of it; its storage is given back. The header Location names the
    report of what was removed, and of what was found when it was looked for afterwards.
    """
    async with gate.admitted(request.scope["state"], "documents:write", EFFECT) as call:
        async with audited(services, call.context, Audited("document.delete", document_id)) as deed:
            asked = pb.DeleteDocumentRequest(id=document_id)
            erasure = (await services.rag.DeleteDocument(asked, **call.options)).erasure
            deed.after = {"erasure_id": erasure.id, "found": erasure.counts["found"]}
    return Response(status_code=204, headers={"location": f"{router.prefix}/erasures/{erasure.id}"})


@router.delete(
    "/documents", status_code=202, responses=AUTHENTICATED | problems(400, 404, 422), operation_id="deleteDocuments"
)
async def delete_many(
    request: Request,
    services: Services,
    gate: Admission,
    ids: Annotated[list[str] | None, Query(alias="id", description="Ids of documents", max_length=1000)] = None,
    collection: Annotated[str, Query(max_length=64, description="Or a collection")] = "",
    filter_json: FilterText = "",
) -> dict[str, Any]:
    """Deletes documents by their ids, or those that fit a filter, of a collection or of the default one; with a
    collection alone all that it has. They are hidden at once; the answer is the report, which goes on.
    """
    if unknown := sorted(set(request.query_params) - WHICH):
        # A filter whose name was mistyped would delete everything.
        raise wrong(unknown[0][:64], f"is no parameter of this route; there are {', '.join(sorted(WHICH))}")
    told = {"ids": ids or [], "collection": collection, "filter": filter_json}
    async with gate.admitted(request.scope["state"], "documents:write", EFFECT) as call:
        async with audited(services, call.context, Audited("document.delete_many", after=told)) as deed:
            asked = pb.DeleteDocumentsRequest(ids=ids or [], collection=collection, filter_json=filter_json)
            erasure = (await services.rag.DeleteDocuments(asked, **call.options)).erasure
            deed.after = told | {"erasure_id": erasure.id, "documents": erasure.documents}
    return erasure_of(erasure)


@router.get("/erasures/{erasure_id}", responses=AUTHENTICATED | problems(404), operation_id="getErasure")
async def get_erasure(erasure_id: str, services: Services, call: Call = managed("documents:read")) -> dict[str, Any]:
    """What a deletion removed; how many searches with deleted vectors found how much of it afterwards, and where."""
    found = await services.rag.GetErasure(pb.GetErasureRequest(id=erasure_id), context=call.context)
    return erasure_of(found.erasure)


def erasure_of(row: pb.Erasure) -> dict[str, Any]:
    """The report of a deletion."""
    return {
        "id": row.id,
        "status": "done" if row.HasField("end_time") else "running",
        "document_id": row.document_id or None,
        "documents": row.documents,
        "removed": {name: row.counts[name] for name in COUNTED},
        "probes": row.counts["probes"],
        "found": row.counts["found"],
        "found_in": {name: row.counts[f"found_{name}"] for name in PLACES},
        "created_at": iso(row.create_time),
        "ended_at": iso_or_none(row, "end_time"),
    }
