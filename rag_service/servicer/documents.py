"""Documents on the wire, and their erasure."""

import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aisp.rag.v1 import files_pb2
from aisp.rag.v1 import rag_service_pb2 as pb
from aisp.rag.v1.rag_service_pb2_grpc import RagServiceServicer

from chassis import idempotency
from chassis.pagination import IdPage, PageRequest
from rag_service.domain.documents import Document, DocumentStatus, Listing
from rag_service.domain.erasures import COUNTED, Erasure
from rag_service.domain.errors import BadRequest, DocumentTooLarge
from rag_service.domain.files import Attached, Attachment
from rag_service.policy import filters
from rag_service.service.attachments import Attachments, chunking_of
from rag_service.service.documents import Documents, Told
from rag_service.service.erasure import Erasures
from rag_service.servicer.wire import tenant, time_of

STATUS = {status: pb.DocumentStatus.Value(f"DOCUMENT_STATUS_{status.name}") for status in DocumentStatus}
STATES = {number: status for status, number in STATUS.items()}


@dataclass(frozen=True, slots=True)
class Receiving:
    """How large what comes may be, and where it is meanwhile."""

    max_bytes: int
    directory: Path


class DocumentsServicer(RagServiceServicer):
    """Documents."""

    _documents: Documents
    _attachments: Attachments
    _erasures: Erasures
    _receiving: Receiving

    async def UploadDocument(
        self, requests: AsyncIterator[pb.UploadDocumentRequest], _: Any
    ) -> pb.UploadDocumentResponse:
        tenant_id = tenant()
        first = await anext(aiter(requests), None)
        if first is None or first.WhichOneof("part") != "description":
            raise BadRequest("The first part must be the description.")
        part = first.description
        told = Told(part.title, part.file_name, part.media_type, part.collection, part.metadata_json, part.document_id)
        await self._documents.check(tenant_id, told)
        with tempfile.TemporaryDirectory(dir=self._receiving.directory) as directory:
            original = Path(directory) / "original"
            await receive(requests, original, self._receiving.max_bytes)
            document, new = await self._documents.add(tenant_id, told, original)
        idempotency.about([document.id])
        return pb.UploadDocumentResponse(document=document_on_wire(document), unchanged=not new)

    async def GetDocument(self, request: pb.GetDocumentRequest, _: Any) -> pb.GetDocumentResponse:
        document_id = request.id
        if request.file_id:
            place = request.collection_id, request.file_id, request.batch_id
            document_id = (await self._attachments.get(tenant(), *place)).id
        document = await self._documents.get(tenant(), document_id, request.wait_seconds)
        return pb.GetDocumentResponse(document=document_on_wire(document))

    async def WatchDocument(self, request: pb.WatchDocumentRequest, _: Any) -> AsyncIterator[pb.WatchDocumentResponse]:
        async with aclosing(self._documents.watch(tenant(), request.id)) as found:
            async for document in found:
                yield pb.WatchDocumentResponse(document=document_on_wire(document))

    async def CancelDocument(self, request: pb.CancelDocumentRequest, _: Any) -> pb.CancelDocumentResponse:
        return pb.CancelDocumentResponse(document=document_on_wire(await self._documents.cancel(tenant(), request.id)))

    async def RetryDocument(self, request: pb.RetryDocumentRequest, _: Any) -> pb.RetryDocumentResponse:
        return pb.RetryDocumentResponse(document=document_on_wire(await self._documents.retry(tenant(), request.id)))

    async def ListDocuments(self, request: pb.ListDocumentsRequest, _: Any) -> pb.ListDocumentsResponse:
        if request.HasField("page"):
            return await self._list_attached(request)
        paging = PageRequest.parse(request.page_size, request.page_token)
        which = Listing(request.collection, STATES.get(request.status), filters.parse(request.filter_json))
        page = await self._documents.list(tenant(), which, paging)
        return pb.ListDocumentsResponse(
            documents=[document_on_wire(row) for row in page.items], next_page_token=page.next_cursor
        )

    async def _list_attached(self, request: pb.ListDocumentsRequest) -> pb.ListDocumentsResponse:
        statuses = [STATES[number] for number in request.statuses if number in STATES]
        which = Attached(request.collection_id, request.batch_id, statuses)
        rows, more = await self._attachments.list(tenant(), which, page_of(request.page))
        return pb.ListDocumentsResponse(documents=[document_on_wire(row) for row in rows], more=more)

    async def ChangeDocument(self, request: pb.ChangeDocumentRequest, _: Any) -> pb.ChangeDocumentResponse:
        tenant_id = tenant()
        document = await self._documents.describe(
            tenant_id, request.id, self._documents.metadata(request.metadata_json)
        )
        document = await self._documents.get(tenant_id, document.id, request.wait_seconds)
        return pb.ChangeDocumentResponse(document=document_on_wire(document))

    async def ReadDocumentText(
        self, request: pb.ReadDocumentTextRequest, _: Any
    ) -> AsyncIterator[pb.ReadDocumentTextResponse]:
        async for part in self._documents.text(tenant(), request.id):
            yield pb.ReadDocumentTextResponse(content=part)

    async def DeleteDocument(self, request: pb.DeleteDocumentRequest, _: Any) -> pb.DeleteDocumentResponse:
        return pb.DeleteDocumentResponse(erasure=erasure_on_wire(await self._erasures.delete(tenant(), request.id)))

    async def DeleteDocuments(self, request: pb.DeleteDocumentsRequest, _: Any) -> pb.DeleteDocumentsResponse:
        wanted = filters.parse(request.filter_json)
        erasure = await self._erasures.delete_many(tenant(), list(request.ids), request.collection, wanted)
        return pb.DeleteDocumentsResponse(erasure=erasure_on_wire(erasure))

    async def GetErasure(self, request: pb.GetErasureRequest, _: Any) -> pb.GetErasureResponse:
        return pb.GetErasureResponse(erasure=erasure_on_wire(await self._erasures.get(tenant(), request.id)))


async def receive(requests: AsyncIterator[Any], target: Path, most: int) -> None:
    """The bytes of an upload, into a file. DocumentTooLarge."""
    size = 0
    with target.open("wb") as file:
        async for request in requests:
            size += len(request.content)
            if size > most:
                raise DocumentTooLarge(f"The document is larger than {most} bytes.")
            file.write(request.content)


def attachment_of(wire: files_pb2.Attachment, documents: Documents) -> Attachment:
    """A file that becomes a document, out of the wire. BadRequest."""
    metadata = documents.metadata(wire.metadata_json)
    return Attachment(wire.file_id.lower(), metadata, chunking_of(wire.chunk_tokens, wire.chunk_overlap))


def page_of(wire: files_pb2.IdPage) -> IdPage:
    """A page by ids, out of the wire."""
    return IdPage.parse(wire.size, wire.after.lower(), wire.before.lower(), ascending=wire.ascending)


def document_on_wire(row: Document) -> pb.Document:
    """As its latest version is."""
    latest = row.latest
    return pb.Document(
        id=row.id,
        title=latest.title,
        collection=row.collection,
        status=STATUS[row.status],
        stage=row.stage,
        progress=row.progress,
        error=row.error,
        bytes=latest.bytes,
        chunks=row.chunks,
        version=row.version,
        metadata_json=json.dumps(dict(latest.metadata)),
        create_time=time_of(row.created_at),
        file_name=latest.file_name,
        media_type=latest.media_type,
        ready_version=row.ready_version,
        sha256=latest.sha256,
        file_id=row.file_id,
        fault=row.fault,
        collection_id=row.collection_id,
        chunk_tokens=row.chunking.tokens,
        chunk_overlap=row.chunking.overlap,
    )


def erasure_on_wire(row: Erasure) -> pb.Erasure:
    """With what it has counted so far."""
    return pb.Erasure(
        id=row.id,
        document_id=row.document_id,
        documents=row.documents,
        create_time=time_of(row.created_at),
        end_time=time_of(row.ended_at) if row.ended_at else None,
        counts=dict.fromkeys(COUNTED, 0) | dict(row.counts),
    )
