"""Files on the wire, and files as documents of collections."""

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from aisp.rag.v1 import files_pb2
from aisp.rag.v1 import rag_service_pb2 as pb
from aisp.rag.v1.rag_service_pb2_grpc import RagServiceServicer

from chassis import idempotency
from rag_service.domain.errors import BadRequest
from rag_service.domain.files import FileBatch, StoredFile
from rag_service.service.attachments import Attachments
from rag_service.service.documents import Documents
from rag_service.service.erasure import Erasures
from rag_service.service.files import Files, ToldOfFile
from rag_service.servicer.documents import STATUS, Receiving, attachment_of, document_on_wire, page_of, receive
from rag_service.servicer.wire import counts, tenant, time_of


class FilesServicer(RagServiceServicer):
    """Files."""

    _files: Files
    _attachments: Attachments
    _documents: Documents
    _erasures: Erasures
    _receiving: Receiving

    async def UploadFile(
        self, requests: AsyncIterator[files_pb2.UploadFileRequest], _: Any
    ) -> files_pb2.UploadFileResponse:
        tenant_id = tenant()
        first = await anext(aiter(requests), None)
        if first is None or first.WhichOneof("part") != "description":
            raise BadRequest("The first part must be the description.")
        part = first.description
        told = ToldOfFile(part.file_name, part.media_type, part.purpose, part.expire_seconds)
        self._files.check(told)
        with tempfile.TemporaryDirectory(dir=self._receiving.directory) as directory:
            content = Path(directory) / "file"
            await receive(requests, content, self._receiving.max_bytes)
            file = await self._files.add(tenant_id, told, content)
        idempotency.about([file.id])
        return files_pb2.UploadFileResponse(file=_file(file))

    async def GetFile(self, request: files_pb2.GetFileRequest, _: Any) -> files_pb2.GetFileResponse:
        return files_pb2.GetFileResponse(file=_file(await self._files.get(tenant(), request.id)))

    async def ListFiles(self, request: files_pb2.ListFilesRequest, _: Any) -> files_pb2.ListFilesResponse:
        found, more = await self._files.list(tenant(), request.purpose, page_of(request.page))
        return files_pb2.ListFilesResponse(files=[_file(row) for row in found], more=more)

    async def ReadFile(self, request: files_pb2.ReadFileRequest, _: Any) -> AsyncIterator[files_pb2.ReadFileResponse]:
        file = await self._files.get(tenant(), request.id)
        told: files_pb2.StoredFile | None = _file(file)
        async for part in self._files.read(file):
            yield files_pb2.ReadFileResponse(content=part, file=told)
            told = None

    async def DeleteFile(self, request: files_pb2.DeleteFileRequest, _: Any) -> files_pb2.DeleteFileResponse:
        erasure = await self._erasures.delete_file(tenant(), request.id)
        return files_pb2.DeleteFileResponse(erasure_id=erasure.id)

    async def AttachFile(self, request: pb.AttachFileRequest, _: Any) -> pb.AttachFileResponse:
        document = await self._attachments.attach(
            tenant(), request.collection_id, attachment_of(request.file, self._documents)
        )
        idempotency.about([document.id])
        return pb.AttachFileResponse(document=document_on_wire(document))

    async def CreateFileBatch(
        self, request: files_pb2.CreateFileBatchRequest, _: Any
    ) -> files_pb2.CreateFileBatchResponse:
        wanted = [attachment_of(one, self._documents) for one in request.files]
        batch = await self._attachments.attach_many(tenant(), request.collection_id, wanted)
        return files_pb2.CreateFileBatchResponse(batch=_batch(batch))

    async def GetFileBatch(self, request: files_pb2.GetFileBatchRequest, _: Any) -> files_pb2.GetFileBatchResponse:
        batch = await self._attachments.batch(tenant(), request.collection_id, request.id)
        return files_pb2.GetFileBatchResponse(batch=_batch(batch))

    async def CancelFileBatch(
        self, request: files_pb2.CancelFileBatchRequest, _: Any
    ) -> files_pb2.CancelFileBatchResponse:
        batch = await self._attachments.cancel(tenant(), request.collection_id, request.id)
        return files_pb2.CancelFileBatchResponse(batch=_batch(batch))


def _file(row: StoredFile) -> files_pb2.StoredFile:
    return files_pb2.StoredFile(
        id=row.id,
        file_name=row.file_name,
        media_type=row.media_type,
        purpose=row.purpose,
        bytes=row.bytes,
        create_time=time_of(row.created_at),
        expire_time=time_of(row.expires_at) if row.expires_at else None,
        document_status=STATUS[row.status] if row.status else 0,
    )


def _batch(row: FileBatch) -> files_pb2.FileBatch:
    return files_pb2.FileBatch(
        id=row.id,
        collection_id=row.collection_id,
        create_time=time_of(row.created_at),
        counts=counts(row.counts),
        cancelled=row.cancelled,
    )
