"""Collections and documents."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

import orjson
from aisp.rag.v1 import rag_service_pb2 as pb
from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import Field, ValidationError
from starlette.datastructures import UploadFile

from gateway.admission import Call, Work
from gateway.audit import Audited, audited
from gateway.clients import PART_BYTES
from gateway.errors import BadBody, BodyTooLarge, UnsupportedMediaType, bad_body
from gateway.routes.common import (
    AUTHENTICATED,
    Admission,
    Body,
    Cursor,
    Limit,
    Options,
    Services,
    StrictRoute,
    iso,
    managed,
    marks,
    page,
    problems,
)
from gateway.routes.rag import MODE_NAMES, MODES
from gateway.routes.raw import wrong
from gateway.routes.uploads import digest_of, parts_of

router = APIRouter(route_class=StrictRoute, prefix="/api/v1/services/rag", tags=["documents"])

MULTIPART_OVERHEAD = 64 * 1024
STATUS = {
    pb.DocumentStatus.Value(f"DOCUMENT_STATUS_{name.upper()}"): name
    for name in ("queued", "running", "ready", "failed", "cancelled")
}
EFFECT = Work("rag", "effect")
UPLOAD_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/NewDocument"}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "contentMediaType": "application/octet-stream"},
                        "title": {"type": "string"},
                        "collection": {"type": "string"},
                        "metadata": {"type": "string", "contentMediaType": "application/json"},
                    },
                }
            },
        },
    }
}


class NewCollection(Body):
    """A collection to make."""

    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [{"name": "contracts"}]}}

    name: Annotated[str, Field(min_length=1, max_length=64)]
    description: Annotated[str, Field(max_length=500)] = ""
    vector_store: Annotated[str, Field(max_length=64)] = ""
    default_mode: Literal["dense", "lexical", "hybrid"] | None = None


class CollectionChange(Body):
    """What to change of a collection."""

    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [{"default_mode": "dense"}]}}

    description: Annotated[str, Field(max_length=500)] | None = None
    default_mode: Literal["dense", "lexical", "hybrid"] | None = None


class NewDocument(Body):
    """A text to take in."""

    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [
        {"text": "The warranty lasts two years.", "title": "Warranty", "metadata": {"year": 2026}}
    ]}}  # fmt: skip

    text: Annotated[str, Field(max_length=32 * 1024 * 1024)]
    title: Annotated[str, Field(max_length=500)] = ""
    collection: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    metadata: dict[str, str | int | float | bool] | None = None


@router.post(
    "/collections", status_code=201, responses=AUTHENTICATED | problems(409, 422), operation_id="createCollection"
)
async def create_collection(
    body: NewCollection, services: Services, call: Call = managed("documents:write", audit="collection.create")
) -> dict[str, Any]:
    """Makes a collection."""
    request = pb.CreateCollectionRequest(
        name=body.name,
        description=body.description,
        vector_store=body.vector_store,
        default_mode=MODES[body.default_mode],
    )
    made = _collection((await services.rag.CreateCollection(request, context=call.context)).collection)
    if call.deed is not None:
        call.deed.resource_id, call.deed.after = made["id"], {"name": body.name}
    return made


@router.patch("/collections/{name}", responses=AUTHENTICATED | problems(404, 422), operation_id="changeCollection")
async def change_collection(
    name: Annotated[str, Path(max_length=64)],
    body: CollectionChange,
    services: Services,
    call: Call = managed("documents:write", audit="collection.change"),
) -> dict[str, Any]:
    """Changes a collection's description, or how it is searched where a search does not say."""
    request = pb.UpdateCollectionRequest(name=name, default_mode=MODES[body.default_mode], description=body.description)
    changed = _collection((await services.rag.UpdateCollection(request, context=call.context)).collection)
    if call.deed is not None:
        call.deed.resource_id, call.deed.after = changed["id"], body.model_dump(exclude_none=True)
    return changed


@router.get("/collections", responses=AUTHENTICATED | problems(400), operation_id="listCollections")
async def list_collections(
    services: Services, limit: Limit = 50, cursor: Cursor = "", call: Call = managed("documents:read")
) -> dict[str, Any]:
    """The tenant's collections, newest first."""
    request = pb.ListCollectionsRequest(page_size=limit, page_token=cursor)
    found = await services.rag.ListCollections(request, context=call.context)
    return page([_collection(row) for row in found.collections], found.next_page_token)


@router.post(
    "/documents",
    status_code=202,
    responses=AUTHENTICATED | problems(404, 413, 415, 422),
    operation_id="uploadDocument",
    openapi_extra=UPLOAD_BODY,
)
async def upload(request: Request, services: Services, gate: Admission, options: Options) -> dict[str, Any]:
    """Takes a document in, as a file or a text; its ingestion goes on behind the answer."""
    request.state.caller.require("documents:write")
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > options.max_document_bytes + MULTIPART_OVERHEAD:
        raise BodyTooLarge(f"The document is larger than {options.max_document_bytes} bytes.")
    if media_type == "multipart/form-data":
        async with request.form(max_files=1, max_fields=10) as form:
            file = form.get("file")
            if not isinstance(file, UploadFile):
                raise wrong("file", "is missing")
            described = _described(form, file)
            key = await marks(request, described.SerializeToString(), await digest_of(file))
            return await _send(
                request, services, gate, options, described, key, file.size or 0, parts_of(file, PART_BYTES)
            )
    if media_type not in ("application/json", ""):
        raise UnsupportedMediaType("The body must be application/json or multipart/form-data.")
    document = _document_of(await request.body())
    content = document.text.encode()
    described = pb.DocumentDescription(
        title=document.title,
        media_type="text/plain",
        collection=document.collection,
        metadata_json=orjson.dumps(document.metadata).decode() if document.metadata else "",
    )
    return await _send(
        request, services, gate, options, described, await marks(request), len(content), _slices(content)
    )


@router.get("/documents", responses=AUTHENTICATED | problems(400, 404), operation_id="listDocuments")
async def list_documents(
    services: Services,
    collection: Annotated[str, Query(max_length=64)] = "",
    limit: Limit = 50,
    cursor: Cursor = "",
    call: Call = managed("documents:read"),
) -> dict[str, Any]:
    """The tenant's documents, newest first."""
    request = pb.ListDocumentsRequest(collection=collection, page_size=limit, page_token=cursor)
    found = await services.rag.ListDocuments(request, context=call.context)
    return page([_document(row) for row in found.documents], found.next_page_token)


@router.get("/documents/{document_id}", responses=AUTHENTICATED | problems(404), operation_id="getDocument")
async def get_document(
    document_id: str,
    services: Services,
    wait: Annotated[int, Query(ge=0, le=60, description="Seconds to wait for the end of its ingestion")] = 0,
    call: Call = managed("documents:read"),
) -> dict[str, Any]:
    """A document, with how far its ingestion is."""
    request = pb.GetDocumentRequest(id=document_id, wait_seconds=wait)
    return _document((await services.rag.GetDocument(request, context=call.context)).document)


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


@router.delete(
    "/documents/{document_id}", status_code=204, responses=AUTHENTICATED | problems(404), operation_id="deleteDocument"
)
async def delete_document(document_id: str, request: Request, services: Services, gate: Admission) -> None:
    """Deletes a document with everything that was made of it; its storage is given back."""
    async with gate.admitted(request.scope["state"], "documents:write", EFFECT) as call:
        async with audited(services, call.context, Audited("document.delete", document_id)):
            gone = await services.rag.DeleteDocument(pb.DeleteDocumentRequest(id=document_id), **call.options)
        call.use(gone.usage)


async def _send(
    request: Request,
    services: Services,
    gate: Admission,
    options: Options,
    described: pb.DocumentDescription,
    key: tuple[str, str],
    size: int,
    content: AsyncIterator[bytes],
) -> dict[str, Any]:
    if size > options.max_document_bytes:
        raise BodyTooLarge(f"The document is larger than {options.max_document_bytes} bytes.")

    async def requests() -> AsyncIterator[pb.UploadDocumentRequest]:
        yield pb.UploadDocumentRequest(description=described)
        async for part in content:
            yield pb.UploadDocumentRequest(content=part)

    work = Work("rag", storage_bytes=size, output_bounded=True)
    async with gate.admitted(request.scope["state"], "", work, key) as call:
        answer = await services.rag.UploadDocument(requests(), **call.options)
        call.use(answer.usage)
    return _document(answer.document)


def _described(form: Any, file: UploadFile) -> pb.DocumentDescription:
    fields = {name: str(form.get(name) or "") for name in ("title", "collection", "metadata")}
    return pb.DocumentDescription(
        title=fields["title"],
        file_name=(file.filename or "")[:255],
        media_type=(file.content_type or "")[:255],
        collection=fields["collection"],
        metadata_json=fields["metadata"],
    )


def _document_of(body: bytes) -> NewDocument:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadBody("The body is not valid JSON.") from error
    try:
        return NewDocument.model_validate(document)
    except ValidationError as error:
        raise bad_body([item | {"loc": ("body", *item["loc"])} for item in error.errors()]) from error


async def _slices(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), PART_BYTES):
        yield content[start : start + PART_BYTES]


def _collection(row: pb.Collection) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "documents": row.documents,
        "vector_store": row.vector_store,
        "embedding_model": row.embedding_model,
        "default_mode": MODE_NAMES.get(row.default_mode),
        "created_at": iso(row.create_time),
    }


def _document(row: pb.Document) -> dict[str, Any]:
    return {
        "id": row.id,
        "title": row.title,
        "collection": row.collection,
        "status": STATUS[row.status],
        "stage": row.stage,
        "progress": row.progress,
        "error": row.error or None,
        "bytes": row.bytes,
        "chunks": row.chunks,
        "version": row.version,
        "metadata": orjson.loads(row.metadata_json or "{}"),
        "file_name": row.file_name or None,
        "media_type": row.media_type or None,
        "created_at": iso(row.create_time),
    }
