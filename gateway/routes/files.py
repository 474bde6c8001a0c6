"""Files, in OpenAI's shapes: uploaded, listed, read, deleted. A document that was not made of a file is one itself."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal
from urllib.parse import quote

from aisp.rag.v1 import files_pb2
from aisp.rag.v1 import rag_service_pb2 as pb
from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from starlette.datastructures import UploadFile

from gateway.admission import Call
from gateway.audit import Audited, audited
from gateway.clients import PART_BYTES
from gateway.errors import BodyTooLarge, UnsupportedMediaType
from gateway.routes.common import AUTHENTICATED, Admission, Options, Services, StrictRoute, managed, marks, problems
from gateway.routes.raw import wrong
from gateway.routes.stores import EFFECT, FILE, FileId, Listed, listing, named, parsed, seconds
from gateway.routes.uploads import digest_of, name_of, parts_of

router = APIRouter(route_class=StrictRoute, prefix="/v1/files", tags=["files"])

MULTIPART_OVERHEAD = 64 * 1024
MOST_OF_A_PAGE = 200
Purpose = Literal["assistants", "batch", "fine-tune", "vision", "user_data", "evals"]
FIELDS = frozenset(("file", "purpose", "expires_after[anchor]", "expires_after[seconds]"))
FILE_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file", "purpose"],
                    "properties": {
                        "file": {"type": "string", "contentMediaType": "application/octet-stream"},
                        "purpose": {"type": "string", "enum": list(Purpose.__args__)},  # type: ignore[attr-defined]  # a Literal's
                        "expires_after[anchor]": {"type": "string", "const": "created_at"},
                        "expires_after[seconds]": {"type": "integer", "minimum": 3600, "maximum": 2_592_000},
                    },
                }
            }
        },
    }
}


@router.post(
    "",
    responses=AUTHENTICATED | problems(400, 413, 415),
    operation_id="createFile",
    openapi_extra=FILE_BODY,
)
async def create(request: Request, services: Services, gate: Admission, options: Options) -> dict[str, Any]:
    """Keeps a file. Its bytes count as a document's, once, however many vector stores it is put into."""
    request.state.caller.require("documents:write")
    most = options.max_document_bytes
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise UnsupportedMediaType("The body must be multipart/form-data.")
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > most + MULTIPART_OVERHEAD:
        raise BodyTooLarge(f"The file is larger than {most} bytes.")
    async with request.form(max_files=1, max_fields=10) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise wrong("file", "is missing")
        if (file.size or 0) > most:
            raise BodyTooLarge(f"The file is larger than {most} bytes.")
        described = _described(form, file)
        key = await marks(request, described.SerializeToString(), await digest_of(file))

        async def requests() -> AsyncIterator[files_pb2.UploadFileRequest]:
            yield files_pb2.UploadFileRequest(description=described)
            async for part in parts_of(file, PART_BYTES):
                yield files_pb2.UploadFileRequest(content=part)

        # The bytes are admitted and metered by rag_service, which keeps them.
        async with gate.admitted(request.scope["state"], "", EFFECT, key) as call:
            kept = await services.rag.UploadFile(requests(), **call.options)
    return shown(kept.file)


@router.get("", responses=AUTHENTICATED | problems(400), operation_id="listFiles")
async def list_files(
    services: Services,
    limit: Annotated[int, Query(ge=1, le=10_000, description="How many; a page has 200 at most")] = 10_000,
    after: Annotated[str, Query(max_length=64, description="The last id of the page before")] = "",
    order: Annotated[Literal["asc", "desc"], Query(description="By the time of making")] = "desc",
    purpose: Annotated[str, Query(max_length=64, description="Only files for this")] = "",
    call: Call = managed("documents:read"),
) -> dict[str, Any]:
    """The tenant's files."""
    page = Listed(limit, after, order=order).page(FILE, MOST_OF_A_PAGE)
    request = files_pb2.ListFilesRequest(page=page, purpose=purpose)
    found = await services.rag.ListFiles(request, context=call.context)
    return listing([shown(row) for row in found.files], more=found.more)


@router.get("/{file_id}", responses=AUTHENTICATED | problems(404), operation_id="getFile")
async def get(file_id: FileId, services: Services, call: Call = managed("documents:read")) -> dict[str, Any]:
    """One file."""
    request = files_pb2.GetFileRequest(id=parsed(FILE, file_id))
    return shown((await services.rag.GetFile(request, context=call.context)).file)


@router.get(
    "/{file_id}/content",
    responses=AUTHENTICATED
    | problems(404)
    | {200: {"content": {"application/octet-stream": {}}, "description": "The bytes"}},
    operation_id="getFileContent",
    response_class=StreamingResponse,
)
async def content(file_id: FileId, services: Services, call: Call = managed("documents:read")) -> StreamingResponse:
    """The bytes that were uploaded."""
    parts = services.rag.ReadFile(files_pb2.ReadFileRequest(id=parsed(FILE, file_id)), context=call.context)
    # What fails before the first part is an ordinary error, with its status.
    first = await anext(parts)

    async def body() -> AsyncIterator[bytes]:
        yield first.content
        async for part in parts:
            yield part.content

    # Never as what it says it is: a page that somebody uploaded is not one of ours.
    headers = {
        "content-disposition": f"attachment; filename*=UTF-8''{quote(first.file.file_name)}",
        "x-content-type-options": "nosniff",
    }
    return StreamingResponse(body(), media_type="application/octet-stream", headers=headers)


@router.delete("/{file_id}", responses=AUTHENTICATED | problems(404), operation_id="deleteFile")
async def delete(file_id: FileId, request: Request, services: Services, gate: Admission) -> dict[str, Any]:
    """Deletes a file, and takes it out of all vector stores, with everything that was made of it."""
    own_id = parsed(FILE, file_id)
    async with gate.admitted(request.scope["state"], "documents:write", EFFECT) as call:
        async with audited(services, call.context, Audited("file.delete", own_id)) as deed:
            gone = await services.rag.DeleteFile(files_pb2.DeleteFileRequest(id=own_id), **call.options)
            deed.after = {"erasure_id": gone.erasure_id}
    return {"id": file_id, "object": "file", "deleted": True}


def shown(row: files_pb2.StoredFile) -> dict[str, Any]:
    """A file in OpenAI's shape."""
    statuses = {0: "processed", pb.DOCUMENT_STATUS_READY: "processed", pb.DOCUMENT_STATUS_FAILED: "error"}
    return {
        "id": named(FILE, row.id),
        "object": "file",
        "bytes": row.bytes,
        "created_at": seconds(row.create_time),
        "expires_at": seconds(row.expire_time) if row.HasField("expire_time") else None,
        "filename": row.file_name,
        "purpose": row.purpose,
        "status": statuses.get(row.document_status, "uploaded"),
        "status_details": None,
    }


def _described(form: Any, file: UploadFile) -> files_pb2.FileDescription:
    if unknown := sorted(set(form) - FIELDS):
        raise wrong(unknown[0][:64], "is not known here")
    given, anchor = str(form.get("expires_after[seconds]") or ""), form.get("expires_after[anchor]")
    if (given or anchor) and anchor != "created_at":
        raise wrong("expires_after.anchor", "must be created_at")
    if anchor and not (given.isascii() and given.isdigit() and len(given) < 10 and int(given)):
        raise wrong("expires_after.seconds", "must be a whole number from 3600 to 2592000")
    return files_pb2.FileDescription(
        file_name=name_of(file) or "file",
        media_type=(file.content_type or "")[:255],
        purpose=str(form.get("purpose") or ""),
        expire_seconds=int(given) if given else 0,
    )
