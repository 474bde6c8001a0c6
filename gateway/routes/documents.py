"""Documents: taken in, in versions, listed and read."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

import orjson
from aisp.rag.v1 import rag_service_pb2 as pb
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from gateway.admission import Call
from gateway.routes.common import (
    AUTHENTICATED,
    FILTER,
    Admission,
    Cursor,
    Limit,
    Options,
    Services,
    StrictRoute,
    iso,
    managed,
    page,
    problems,
)
from gateway.routes.intake import UPLOAD_BODY, Intake
from gateway.routes.stores import FILE, named

router = APIRouter(route_class=StrictRoute, prefix="/api/v1/services/rag", tags=["documents"])

STATUS = {
    pb.DocumentStatus.Value(f"DOCUMENT_STATUS_{name.upper()}"): name
    for name in ("queued", "running", "ready", "failed", "cancelled")
}
STATUS_NUMBERS = {name: number for number, name in STATUS.items()}
FilterText = Annotated[str, Query(alias="filter", max_length=16_384, description=FILTER)]
UNCHANGED: dict[int | str, dict[str, Any]] = {200: {"description": "It was there already: nothing was done"}}


@router.post(
    "/documents",
    status_code=202,
    responses=AUTHENTICATED | UNCHANGED | problems(404, 413, 415, 422),
    operation_id="uploadDocument",
    openapi_extra=UPLOAD_BODY,
)
async def upload(
    request: Request, response: Response, services: Services, gate: Admission, options: Options
) -> dict[str, Any]:
    """Takes a document in, as a file or a text; its ingestion goes on behind the answer. What the collection has
    already with this title and metadata is answered with 200 and not ingested again, unless it had failed or been
    cancelled.
    """
    return _taken(response, await Intake(request, services, gate, options).take())


@router.put(
    "/documents/{document_id}",
    status_code=202,
    responses=AUTHENTICATED | UNCHANGED | problems(404, 413, 415, 422),
    operation_id="replaceDocument",
    openapi_extra=UPLOAD_BODY,
)
async def replace(
    document_id: str, request: Request, response: Response, services: Services, gate: Admission, options: Options
) -> dict[str, Any]:
    """Takes a new version of a document in. Searches see the one before until all of the new one is there; only
    passages that changed are embedded. Title and metadata stay where the body has none.
    """
    return _taken(response, await Intake(request, services, gate, options).take(document_id))


@router.get("/documents", responses=AUTHENTICATED | problems(400, 404, 422), operation_id="listDocuments")
async def list_documents(
    services: Services,
    collection: Annotated[str, Query(max_length=64)] = "",
    status: Literal["queued", "running", "ready", "failed", "cancelled"] | None = None,
    filter_json: FilterText = "",
    limit: Limit = 50,
    cursor: Cursor = "",
    call: Call = managed("documents:read"),
) -> dict[str, Any]:
    """The tenant's documents, newest first."""
    request = pb.ListDocumentsRequest(
        collection=collection,
        status=STATUS_NUMBERS[status] if status else pb.DOCUMENT_STATUS_UNSPECIFIED,
        filter_json=filter_json,
        page_size=limit,
        page_token=cursor,
    )
    found = await services.rag.ListDocuments(request, context=call.context)
    return page([shown(row) for row in found.documents], found.next_page_token)


@router.get("/documents/{document_id}", responses=AUTHENTICATED | problems(404), operation_id="getDocument")
async def getshown(
    document_id: str,
    services: Services,
    wait: Annotated[int, Query(ge=0, le=60, description="Seconds to wait for the end of its ingestion")] = 0,
    call: Call = managed("documents:read"),
) -> dict[str, Any]:
    """A document, with how far its ingestion is."""
    request = pb.GetDocumentRequest(id=document_id, wait_seconds=wait)
    return shown((await services.rag.GetDocument(request, context=call.context)).document)


@router.get(
    "/documents/{document_id}/text",
    responses=AUTHENTICATED | problems(404, 409) | {200: {"content": {"text/plain": {}}, "description": "The text"}},
    operation_id="getDocumentText",
    response_class=StreamingResponse,
)
async def get_text(document_id: str, services: Services, call: Call = managed("documents:read")) -> StreamingResponse:
    """The extracted text, UTF-8. Offsets of passages and citations count its code points."""
    parts = services.rag.ReadDocumentText(pb.ReadDocumentTextRequest(id=document_id), context=call.context)
    # What fails before the first part is an ordinary error, with its status.
    first = await anext(parts, None)

    async def body() -> AsyncIterator[bytes]:
        if first is not None:
            yield first.content
        async for part in parts:
            yield part.content

    return StreamingResponse(body(), media_type="text/plain; charset=utf-8")


def _taken(response: Response, answer: pb.UploadDocumentResponse) -> dict[str, Any]:
    if answer.unchanged:
        response.status_code = 200
    return shown(answer.document)


def shown(row: pb.Document) -> dict[str, Any]:
    """A document as clients see it. While it is ingested, `waiting` says what it waits for, if it does."""
    ended = row.status >= pb.DOCUMENT_STATUS_READY
    return {
        "id": row.id,
        "title": row.title,
        "collection": row.collection,
        "status": STATUS[row.status],
        "stage": row.stage,
        "progress": row.progress,
        "error": row.error or None if ended else None,
        "waiting": None if ended else row.error or None,
        "bytes": row.bytes,
        "chunks": row.chunks,
        "version": row.version,
        "ready_version": row.ready_version or None,
        "metadata": orjson.loads(row.metadata_json or "{}"),
        "file_name": row.file_name or None,
        "media_type": row.media_type or None,
        "sha256": row.sha256,
        "file_id": named(FILE, row.file_id) if row.file_id else None,
        "created_at": iso(row.create_time),
    }
