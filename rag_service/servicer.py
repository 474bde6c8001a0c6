"""RagService on the wire: protobuf <-> domain. Decides nothing."""

import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import datetime
from pathlib import Path
from typing import Any

from aisp.common.v1 import usage_pb2
from aisp.rag.v1 import rag_service_pb2 as pb
from aisp.rag.v1.rag_service_pb2_grpc import RagServiceServicer
from google.protobuf.timestamp_pb2 import Timestamp

from chassis import context
from chassis.errors import PlatformError, Unauthenticated
from chassis.pagination import PageRequest
from rag_service import domain
from rag_service.policy import filters
from rag_service.service.answers import Answers
from rag_service.service.collections import Collections
from rag_service.service.documents import Description, Documents
from rag_service.service.search import Search

STATUS = {status: pb.DocumentStatus.Value(f"DOCUMENT_STATUS_{status.name}") for status in domain.DocumentStatus}
STATES = {state: pb.AnswerState.Value(f"ANSWER_STATE_{state.name}") for state in domain.AnswerState}
MODES = {
    pb.SEARCH_MODE_UNSPECIFIED: domain.SearchMode.HYBRID,
    pb.SEARCH_MODE_DENSE: domain.SearchMode.DENSE,
    pb.SEARCH_MODE_LEXICAL: domain.SearchMode.LEXICAL,
    pb.SEARCH_MODE_HYBRID: domain.SearchMode.HYBRID,
}
DEFAULT_TOP_K = 5


class RagServicer(RagServiceServicer):
    """Translates."""

    def __init__(
        self,
        collections: Collections,
        documents: Documents,
        search: Search,
        answers: Answers,
        vectors: dict[str, domain.VectorStore],
        max_document_bytes: int,
    ) -> None:
        self._collections = collections
        self._documents = documents
        self._search = search
        self._answers = answers
        self._vectors = vectors
        self._max_document_bytes = max_document_bytes

    async def CreateCollection(self, request: pb.CreateCollectionRequest, _: Any) -> pb.CreateCollectionResponse:
        made = await self._collections.create(_tenant(), request.name, request.description)
        return pb.CreateCollectionResponse(collection=_collection(made))

    async def ListCollections(self, request: pb.ListCollectionsRequest, _: Any) -> pb.ListCollectionsResponse:
        page = await self._collections.list(_tenant(), PageRequest.parse(request.page_size, request.page_token))
        return pb.ListCollectionsResponse(
            collections=[_collection(row) for row in page.items], next_page_token=page.next_cursor
        )

    async def UploadDocument(
        self, requests: AsyncIterator[pb.UploadDocumentRequest], _: Any
    ) -> pb.UploadDocumentResponse:
        tenant_id = _tenant()
        first = await anext(aiter(requests), None)
        if first is None or first.WhichOneof("part") != "description":
            raise domain.BadRequest("The first part must be the description.")
        told = first.description
        described = Description(told.title, told.file_name, told.media_type, told.collection, told.metadata_json)
        await self._documents.check(tenant_id, described)
        with tempfile.TemporaryDirectory(prefix="aisp-upload-") as directory:
            original = Path(directory) / "original"
            await self._receive(requests, original)
            document = await self._documents.add(tenant_id, described, original)
        return pb.UploadDocumentResponse(document=_document(document), usage=_stored(document.bytes))

    async def GetDocument(self, request: pb.GetDocumentRequest, _: Any) -> pb.GetDocumentResponse:
        document = await self._documents.get(_tenant(), request.id, request.wait_seconds)
        return pb.GetDocumentResponse(document=_document(document))

    async def ListDocuments(self, request: pb.ListDocumentsRequest, _: Any) -> pb.ListDocumentsResponse:
        paging = PageRequest.parse(request.page_size, request.page_token)
        page = await self._documents.list(_tenant(), request.collection, paging)
        return pb.ListDocumentsResponse(
            documents=[_document(row) for row in page.items], next_page_token=page.next_cursor
        )

    async def ReadDocumentText(
        self, request: pb.ReadDocumentTextRequest, _: Any
    ) -> AsyncIterator[pb.ReadDocumentTextResponse]:
        async for part in self._documents.text(_tenant(), request.id):
            yield pb.ReadDocumentTextResponse(content=part)

    async def DeleteDocument(self, request: pb.DeleteDocumentRequest, _: Any) -> pb.DeleteDocumentResponse:
        document = await self._documents.delete(_tenant(), request.id)
        return pb.DeleteDocumentResponse(usage=_stored(-document.bytes))

    async def SearchPassages(self, request: pb.SearchPassagesRequest, _: Any) -> pb.SearchPassagesResponse:
        tally = domain.Tally()
        passages = await self._search.find(
            _tenant(),
            request.query,
            top_k=request.top_k or DEFAULT_TOP_K,
            collection=request.collection,
            wanted=filters.parse(request.filter_json),
            mode=MODES.get(request.mode, domain.SearchMode.HYBRID),
            tally=tally,
        )
        return pb.SearchPassagesResponse(passages=[_passage(row) for row in passages], usage=_usage(tally.lines))

    async def AnswerQuestion(self, request: pb.AnswerQuestionRequest, _: Any) -> pb.AnswerQuestionResponse:
        answer = await self._answers.answer(_tenant(), _question(request.question))
        return pb.AnswerQuestionResponse(answer=_answer(answer))

    async def StreamAnswer(self, request: pb.StreamAnswerRequest, _: Any) -> AsyncIterator[pb.StreamAnswerResponse]:
        async with aclosing(self._answers.stream(_tenant(), _question(request.question))) as events:
            async for event in events:
                if isinstance(event, str):
                    yield pb.StreamAnswerResponse(delta=event)
                elif isinstance(event, domain.Answer):
                    yield pb.StreamAnswerResponse(answer=_answer(event))
                else:
                    citations = pb.Citations(citations=[_citation(row) for row in event])
                    yield pb.StreamAnswerResponse(citations=citations)

    async def ListVectorStores(self, _request: pb.ListVectorStoresRequest, _: Any) -> pb.ListVectorStoresResponse:
        found = []
        for name, store in self._vectors.items():
            health = "ok"
            try:
                await store.check()
            except PlatformError:
                health = "failing"
            found.append(pb.VectorStore(name=name, capabilities=["dense", "filter", "exact"], health=health))
        return pb.ListVectorStoresResponse(vector_stores=found)

    async def _receive(self, requests: AsyncIterator[pb.UploadDocumentRequest], original: Path) -> None:
        size = 0
        with original.open("wb") as file:
            async for request in requests:
                size += len(request.content)
                if size > self._max_document_bytes:
                    raise domain.DocumentTooLarge(f"The document is larger than {self._max_document_bytes} bytes.")
                file.write(request.content)


def _tenant() -> str:
    tenant_id = context.current().tenant_id
    if not tenant_id:
        raise Unauthenticated
    return tenant_id


def _question(wire: pb.Question) -> domain.Question:
    preferred = wire.grounding == pb.GROUNDING_PREFERRED
    return domain.Question(
        messages=tuple(domain.Message(message.role, message.content) for message in wire.messages),
        collection=wire.collection,
        model=wire.model,
        top_k=wire.top_k or DEFAULT_TOP_K,
        filter=filters.parse(wire.filter_json),
        grounding=domain.Grounding.PREFERRED if preferred else domain.Grounding.REQUIRED,
    )


def _usage(lines: Any) -> usage_pb2.Usage:
    rows = [
        usage_pb2.UsageLine(
            service=line.service,
            model=line.model,
            provider=line.provider,
            unit=line.unit,
            amount=line.amount,
            attempt=line.attempt,
        )
        for line in lines
    ]
    return usage_pb2.Usage(lines=rows)


def _stored(amount: int) -> usage_pb2.Usage:
    line = usage_pb2.UsageLine(service="rag", unit=usage_pb2.UNIT_STORED_BYTES, amount=amount, attempt=1)
    return usage_pb2.Usage(lines=[line])


def _time(at: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(at)
    return stamp


def _collection(row: domain.Collection) -> pb.Collection:
    return pb.Collection(
        id=row.id,
        name=row.name,
        description=row.description,
        documents=row.documents,
        create_time=_time(row.created_at),
        vector_store=row.vector_store,
        embedding_model=row.embedding_model,
    )


def _document(row: domain.Document) -> pb.Document:
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
        create_time=_time(row.created_at),
        file_name=row.file_name,
        media_type=row.media_type,
    )


def _passage(row: domain.Passage) -> pb.Passage:
    return pb.Passage(
        document_id=row.document_id,
        chunk_id=row.chunk_id,
        title=row.title,
        text=row.text,
        score=row.score,
        page=row.page,
        start=row.start,
        end=row.end,
        metadata_json=json.dumps(dict(row.metadata)),
    )


def _citation(row: domain.Citation) -> pb.Citation:
    return pb.Citation(
        number=row.number,
        document_id=row.document_id,
        chunk_id=row.chunk_id,
        title=row.title,
        page=row.page,
        start=row.start,
        end=row.end,
        quote=row.quote,
    )


def _answer(row: domain.Answer) -> pb.Answer:
    return pb.Answer(
        id=row.id,
        state=STATES[row.state],
        content=row.content,
        citations=[_citation(citation) for citation in row.citations],
        model=row.model,
        usage=_usage(row.used),
    )
