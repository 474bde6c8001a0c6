"""How documents come in: the body of an upload, as a file or as a JSON text, and its way to rag_service in parts."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from aisp.rag.v1 import rag_service_pb2 as pb
from fastapi import Request
from pydantic import Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator
from pydantic_core import PydanticCustomError
from starlette.datastructures import UploadFile

from gateway.admission import Gate, Work
from gateway.audit import Audited, audited
from gateway.clients import PART_BYTES, Clients
from gateway.errors import BodyTooLarge, UnsupportedMediaType
from gateway.routes import estimates
from gateway.routes.common import Body, marks, read
from gateway.routes.raw import wrong
from gateway.routes.uploads import digest_of, name_of, parts_of
from gateway.settings import GatewaySection

MULTIPART_OVERHEAD = 64 * 1024
FIELDS = {"file", "title", "collection", "metadata"}
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


def _said(value: Any, inner: ValidatorFunctionWrapHandler) -> Any:
    """One sentence where a value is none of the kinds, not one for each kind."""
    try:
        return inner(value)
    except ValidationError as error:
        raise PydanticCustomError("metadata", "must be a text, a number, true or false") from error


MetadataValue = Annotated[str | int | float | bool, WrapValidator(_said)]


class NewDocument(Body):
    """A text to take in."""

    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [
        {"text": "The warranty lasts two years.", "title": "Warranty", "metadata": {"year": 2026}}
    ]}}  # fmt: skip

    text: Annotated[str, Field(max_length=32 * 1024 * 1024)]
    title: Annotated[str, Field(max_length=500)] = ""
    collection: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    metadata: dict[str, MetadataValue] | None = None


@dataclass(frozen=True, slots=True)
class Intake:
    """Takes documents of one request in."""

    request: Request
    services: Clients
    gate: Gate
    options: GatewaySection

    async def take(self, document_id: str = "") -> pb.UploadDocumentResponse:
        """The document of the request's body; with an id as a new version of that one."""
        request, most = self.request, self.options.max_document_bytes
        request.state.caller.require("documents:write")
        media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
        declared = request.headers.get("content-length", "")
        if declared.isdigit() and int(declared) > most + MULTIPART_OVERHEAD:
            raise BodyTooLarge(f"The document is larger than {most} bytes.")
        if media_type == "multipart/form-data":
            async with request.form(max_files=1, max_fields=10) as form:
                file = form.get("file")
                if not isinstance(file, UploadFile):
                    raise wrong("file", "is missing")
                if unknown := form.keys() - FIELDS:
                    raise wrong(min(unknown), f"is not known here: there are {', '.join(sorted(FIELDS))}")
                described = _described(form, file, document_id)
                key = await marks(request, described.SerializeToString(), await digest_of(file))
                return await self._send(described, key, file.size or 0, parts_of(file, PART_BYTES))
        if media_type not in ("application/json", ""):
            raise UnsupportedMediaType("The body must be application/json or multipart/form-data.")
        document = _document_of(await request.body())
        content = document.text.encode()
        described = pb.DocumentDescription(
            title=document.title,
            media_type="text/plain",
            collection=document.collection,
            metadata_json="" if document.metadata is None else orjson.dumps(document.metadata).decode(),
            document_id=document_id,
        )
        return await self._send(described, await marks(request), len(content), _slices(content))

    async def _send(
        self, described: pb.DocumentDescription, key: tuple[str, str], size: int, content: AsyncIterator[bytes]
    ) -> pb.UploadDocumentResponse:
        most = self.options.max_document_bytes
        if size > most:
            raise BodyTooLarge(f"The document is larger than {most} bytes.")

        async def requests() -> AsyncIterator[pb.UploadDocumentRequest]:
            yield pb.UploadDocumentRequest(description=described)
            async for part in content:
                yield pb.UploadDocumentRequest(content=part)

        # The bytes are admitted and metered by rag_service, which keeps them.
        async with AsyncExitStack() as stack:
            admitted = self.gate.admitted(self.request.scope["state"], "", Work("rag", output_bounded=True), key)
            call = await stack.enter_async_context(admitted)
            if described.document_id:
                deed = Audited("document.replace", described.document_id)
                await stack.enter_async_context(audited(self.services, call.context, deed))
            taken: pb.UploadDocumentResponse = await self.services.rag.UploadDocument(requests(), **call.options)
            return taken


def _described(form: Any, file: UploadFile, document_id: str) -> pb.DocumentDescription:
    fields = {name: str(form.get(name) or "") for name in ("title", "collection", "metadata")}
    return pb.DocumentDescription(
        title=fields["title"],
        file_name=name_of(file),
        media_type=(file.content_type or "")[:255],
        collection=fields["collection"],
        metadata_json=fields["metadata"],
        document_id=document_id,
    )


def estimate(asked: NewDocument) -> Work:
    """What a text that is taken in takes."""
    return estimates.stored(asked.text)


def _document_of(body: bytes) -> NewDocument:
    document: NewDocument = read(NewDocument, {}, body)
    return document


async def _slices(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), PART_BYTES):
        yield content[start : start + PART_BYTES]
