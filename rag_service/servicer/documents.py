"""Documents on the wire."""

import json
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from aisp.rag.v1 import rag_service_pb2 as pb
from aisp.rag.v1.rag_service_pb2_grpc import RagServiceServicer

from chassis.pagination import PageRequest
from rag_service.domain.documents import Document, DocumentStatus
from rag_service.domain.errors import BadRequest, DocumentTooLarge
from rag_service.service.documents import Description, Documents
from rag_service.servicer.wire import stored, tenant, time_of

STATUS = {status: pb.DocumentStatus.Value(f"DOCUMENT_STATUS_{status.name}") for status in DocumentStatus}


class DocumentsServicer(RagServiceServicer):
    """Documents."""

    _documents: Documents
    _max_document_bytes: int

    async def UploadDocument(
        self, requests: AsyncIterator[pb.UploadDocumentRequest], _: Any
    ) -> pb.UploadDocumentResponse:
        tenant_id = tenant()
        first = await anext(aiter(requests), None)
        if first is None or first.WhichOneof("part") != "description":
            raise BadRequest("The first part must be the description.")
        told = first.description
        described = Description(told.title, told.file_name, told.media_type, told.collection, told.metadata_json)
        await self._documents.check(tenant_id, described)
        with tempfile.TemporaryDirectory(prefix="aisp-upload-") as directory:
            original = Path(directory) / "original"
            await self._receive(requests, original)
            document = await self._documents.add(tenant_id, described, original)
        return pb.UploadDocumentResponse(document=_document(document), usage=stored(document.bytes))

    async def GetDocument(self, request: pb.GetDocumentRequest, _: Any) -> pb.GetDocumentResponse:
        document = await self._documents.get(tenant(), request.id, request.wait_seconds)
        return pb.GetDocumentResponse(document=_document(document))

    async def ListDocuments(self, request: pb.ListDocumentsRequest, _: Any) -> pb.ListDocumentsResponse:
        paging = PageRequest.parse(request.page_size, request.page_token)
        page = await self._documents.list(tenant(), request.collection, paging)
        return pb.ListDocumentsResponse(
            documents=[_document(row) for row in page.items], next_page_token=page.next_cursor
        )

    async def ReadDocumentText(
        self, request: pb.ReadDocumentTextRequest, _: Any
    ) -> AsyncIterator[pb.ReadDocumentTextResponse]:
        async for part in self._documents.text(tenant(), request.id):
            yield pb.ReadDocumentTextResponse(content=part)

    async def DeleteDocument(self, request: pb.DeleteDocumentRequest, _: Any) -> pb.DeleteDocumentResponse:
        document = await self._documents.delete(tenant(), request.id)
        return pb.DeleteDocumentResponse(usage=stored(-document.bytes))

    async def _receive(self, requests: AsyncIterator[pb.UploadDocumentRequest], original: Path) -> None:
        size = 0
        with original.open("wb") as file:
            async for request in requests:
                size += len(request.content)
                if size > self._max_document_bytes:
                    raise DocumentTooLarge(f"The document is larger than {self._max_document_bytes} bytes.")
                file.write(request.content)


def _document(row: Document) -> pb.Document:
    return pb.Document(
        id=row.id,
        title=row.title,
        collection=row.collection,
        status=STATUS[row.status],
        stage=row.stage,
        progress=row.progress,
        error=row.error,
        bytes=row.bytes,
        chunks=row.chunks,
        version=row.version,
        metadata_json=json.dumps(dict(row.metadata)),
        create_time=time_of(row.created_at),
        file_name=row.file_name,
        media_type=row.media_type,
    )
