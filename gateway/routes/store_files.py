"""Files of vector stores, one by one and in batches, in OpenAI's shapes: documents of collections by another name."""

import codecs
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

import orjson
from aisp.rag.v1 import files_pb2
from aisp.rag.v1 import rag_service_pb2 as pb
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import ConfigDict, Field, model_validator

from gateway.admission import Call
from gateway.audit import Audited, audited
from gateway.clients import Clients
from gateway.routes.common import AUTHENTICATED, Admission, Services, StrictRoute, managed, marks, problems
from gateway.routes.stores import (
    BATCH,
    EFFECT,
    FILE,
    INGESTION,
    STATUSES,
    STORE,
    Attributes,
    BatchId,
    ChunkingStrategy,
    FileId,
    FileText,
    Listed,
    NewStoreFile,
    StoreId,
    Strict,
    counted,
    listing,
    named,
    parsed,
    seconds,
    store_file,
)

router = APIRouter(route_class=StrictRoute, prefix="/v1/vector_stores/{vector_store_id}", tags=["vector stores"])

POLL = {"openai-poll-after-ms": "500"}
"""When whoever waits for an ingestion should look again; the official SDK's helpers heed it, and else wait a second."""
FORCE_SECONDS = 10
"""So long a change is waited for until searches see it; it comes in any case."""
Status = Annotated[
    Literal["in_progress", "completed", "failed", "cancelled"] | None,
    Query(alias="filter", description="Only files in this state"),
]


class StoreFileChange(Strict):
    """The attributes, whole."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"attributes": {"year": 2026}}]})

    attributes: Attributes | None


class NewBatch(Strict):
    """Files to put into a vector store together: `file_ids` with what is told of all, or `files`, each with its own."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"file_ids": [f"file-{'0' * 32}"]}]})

    file_ids: Annotated[list[FileText], Field(min_length=1, max_length=2000)] | None = None
    files: Annotated[list[NewStoreFile], Field(min_length=1, max_length=2000)] | None = None
    attributes: Attributes | None = None
    chunking_strategy: ChunkingStrategy | None = None

    @model_validator(mode="after")
    def _one_of(self) -> "NewBatch":
        if bool(self.file_ids) == bool(self.files):
            raise ValueError("either file_ids or files must be given")
        return self

    def on_wire(self) -> list[files_pb2.Attachment]:
        """The files as rag_service takes them."""
        told: dict[str, Any] = {"attributes": self.attributes, "chunking_strategy": self.chunking_strategy}
        files = self.files or [NewStoreFile(file_id=one, **told) for one in self.file_ids or ()]
        return [one.on_wire() for one in files]


@router.post("/files", responses=AUTHENTICATED | problems(400, 404), operation_id="createVectorStoreFile")
async def create(
    vector_store_id: StoreId, body: NewStoreFile, request: Request, services: Services, gate: Admission
) -> dict[str, Any]:
    """Puts a file into a vector store; its ingestion is queued. A file that is there already gets these attributes."""
    wire = pb.AttachFileRequest(collection_id=parsed(STORE, vector_store_id), file=body.on_wire())
    key = await marks(request)
    async with gate.admitted(request.scope["state"], "documents:write", INGESTION, key) as call:
        made = await services.rag.AttachFile(wire, **call.options)
    return store_file(made.document)


@router.get("/files", responses=AUTHENTICATED | problems(400, 404), operation_id="listVectorStoreFiles")
async def list_files(
    vector_store_id: StoreId,
    services: Services,
    listed: Annotated[Listed, Depends()],
    status: Status = None,
    call: Call = managed("documents:read"),
) -> dict[str, Any]:
    """The files of a vector store."""
    return await _listed(services, call, vector_store_id, "", listed, status)


@router.get("/files/{file_id}", responses=AUTHENTICATED | problems(404), operation_id="getVectorStoreFile")
async def get(
    vector_store_id: StoreId,
    file_id: FileId,
    response: Response,
    services: Services,
    call: Call = managed("documents:read"),
) -> dict[str, Any]:
    """One file of a vector store."""
    response.headers.update(POLL)
    return store_file(await _found(services, call, vector_store_id, file_id))


@router.post("/files/{file_id}", responses=AUTHENTICATED | problems(400, 404), operation_id="changeVectorStoreFile")
async def change(
    vector_store_id: StoreId,
    file_id: FileId,
    body: StoreFileChange,
    services: Services,
    call: Call = managed("documents:write", audit="document.change"),
) -> dict[str, Any]:
    """Gives a file other attributes. Its status is in_progress until searches see them; that is waited for a while."""
    document = await _found(services, call, vector_store_id, file_id)
    request = pb.ChangeDocumentRequest(
        id=document.id, metadata_json=orjson.dumps(body.attributes or {}).decode(), wait_seconds=FORCE_SECONDS
    )
    if call.deed is not None:
        call.deed.resource_id = document.id
    return store_file((await services.rag.ChangeDocument(request, context=call.context)).document)


@router.delete("/files/{file_id}", responses=AUTHENTICATED | problems(404), operation_id="deleteVectorStoreFile")
async def delete(
    vector_store_id: StoreId, file_id: FileId, request: Request, services: Services, gate: Admission
) -> dict[str, Any]:
    """Takes a file out of a vector store, with everything that was made of it there; the file itself stays."""
    async with gate.admitted(request.scope["state"], "documents:write", EFFECT) as call:
        document = await _found(services, call, vector_store_id, file_id)
        async with audited(services, call.context, Audited("document.delete", document.id)) as deed:
            gone = await services.rag.DeleteDocument(pb.DeleteDocumentRequest(id=document.id), **call.options)
            deed.after = {"erasure_id": gone.erasure.id, "found": gone.erasure.counts["found"]}
    return {"id": file_id, "object": "vector_store.file.deleted", "deleted": True}


@router.get(
    "/files/{file_id}/content", responses=AUTHENTICATED | problems(404, 409), operation_id="getVectorStoreFileContent"
)
async def content(
    vector_store_id: StoreId, file_id: FileId, services: Services, call: Call = managed("documents:read")
) -> StreamingResponse:
    """The text that was extracted of a file, in parts."""
    document = await _found(services, call, vector_store_id, file_id)
    parts = services.rag.ReadDocumentText(pb.ReadDocumentTextRequest(id=document.id), context=call.context)
    # What fails before the first part is an ordinary error, with its status.
    first = await anext(parts, None)

    async def text() -> AsyncIterator[bytes]:
        if first is not None:
            yield first.content
        async for part in parts:
            yield part.content

    return StreamingResponse(content_page(text()), media_type="application/json")


@router.post("/file_batches", responses=AUTHENTICATED | problems(400, 404), operation_id="createVectorStoreFileBatch")
async def create_batch(
    vector_store_id: StoreId, body: NewBatch, request: Request, services: Services, gate: Admission
) -> dict[str, Any]:
    """Puts files into a vector store together: all of them, or none. It counts as one call."""
    wire = files_pb2.CreateFileBatchRequest(collection_id=parsed(STORE, vector_store_id), files=body.on_wire())
    key = await marks(request)
    async with gate.admitted(request.scope["state"], "documents:write", INGESTION, key) as call:
        made = await services.rag.CreateFileBatch(wire, **call.options)
    return _batch(made.batch)


@router.get("/file_batches/{batch_id}", responses=AUTHENTICATED | problems(404), operation_id="getVectorStoreFileBatch")
async def get_batch(
    vector_store_id: StoreId,
    batch_id: BatchId,
    response: Response,
    services: Services,
    call: Call = managed("documents:read"),
) -> dict[str, Any]:
    """How far a batch is."""
    response.headers.update(POLL)
    request = files_pb2.GetFileBatchRequest(collection_id=parsed(STORE, vector_store_id), id=parsed(BATCH, batch_id))
    return _batch((await services.rag.GetFileBatch(request, context=call.context)).batch)


@router.post(
    "/file_batches/{batch_id}/cancel",
    responses=AUTHENTICATED | problems(404),
    operation_id="cancelVectorStoreFileBatch",
)
async def cancel_batch(
    vector_store_id: StoreId,
    batch_id: BatchId,
    services: Services,
    call: Call = managed("documents:write", audit="file_batch.cancel"),
) -> dict[str, Any]:
    """Ends the ingestion of what is not ready of a batch."""
    request = files_pb2.CancelFileBatchRequest(collection_id=parsed(STORE, vector_store_id), id=parsed(BATCH, batch_id))
    return _batch((await services.rag.CancelFileBatch(request, context=call.context)).batch)


@router.get(
    "/file_batches/{batch_id}/files",
    responses=AUTHENTICATED | problems(400, 404),
    operation_id="listVectorStoreFileBatchFiles",
)
async def list_batch(
    vector_store_id: StoreId,
    batch_id: BatchId,
    services: Services,
    listed: Annotated[Listed, Depends()],
    status: Status = None,
    call: Call = managed("documents:read"),
) -> dict[str, Any]:
    """The files of a batch."""
    return await _listed(services, call, vector_store_id, parsed(BATCH, batch_id), listed, status)


async def _listed(
    services: Clients, call: Call, vector_store_id: str, batch_id: str, listed: Listed, status: str | None
) -> dict[str, Any]:
    request = pb.ListDocumentsRequest(
        collection_id=parsed(STORE, vector_store_id),
        batch_id=batch_id,
        page=listed.page(FILE),
        statuses=STATUSES[status] if status else (),
    )
    found = await services.rag.ListDocuments(request, context=call.context)
    return listing([store_file(row) for row in found.documents], more=found.more)


async def _found(services: Clients, call: Call, vector_store_id: str, file_id: str) -> pb.Document:
    request = pb.GetDocumentRequest(collection_id=parsed(STORE, vector_store_id), file_id=parsed(FILE, file_id))
    found: pb.Document = (await services.rag.GetDocument(request, context=call.context)).document
    return found


async def content_page(parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """A text that comes in parts, which are cut anywhere, in OpenAI's shape."""
    decoder, comma = codecs.getincrementaldecoder("utf-8")(), b""
    yield b'{"object":"vector_store.file_content.page","data":['
    async for part in parts:
        if text := decoder.decode(part):
            yield comma + orjson.dumps({"type": "text", "text": text})
            comma = b","
    yield b'],"has_more":false,"next_page":null}'


def _batch(row: files_pb2.FileBatch) -> dict[str, Any]:
    counts = counted(row.counts)
    status = "completed"
    if row.cancelled:
        status = "cancelled"
    elif counts["in_progress"]:
        status = "in_progress"
    elif counts["total"] and counts["failed"] == counts["total"]:
        status = "failed"
    return {
        "id": named(BATCH, row.id),
        "object": "vector_store.files_batch",
        "created_at": seconds(row.create_time),
        "vector_store_id": named(STORE, row.collection_id),
        "status": status,
        "file_counts": counts,
    }
