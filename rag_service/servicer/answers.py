"""Questions and answers on the wire."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from aisp.rag.v1 import rag_service_pb2 as pb
from aisp.rag.v1.rag_service_pb2_grpc import RagServiceServicer

from chassis import context, idempotency
from rag_service.domain.answers import Answer, AnswerState, Citation, Grounding, Message, Question, Read, Receipt
from rag_service.policy import filters
from rag_service.service.answers import Answers, Asker
from rag_service.servicer.search import DEFAULT_TOP_K
from rag_service.servicer.wire import MODE_NUMBERS, scores, tenant, time_of, usage

STATES = {state: pb.AnswerState.Value(f"ANSWER_STATE_{state.name}") for state in AnswerState}


class AnswersServicer(RagServiceServicer):
    """Questions and answers."""

    _answers: Answers

    async def AnswerQuestion(self, request: pb.AnswerQuestionRequest, _: Any) -> pb.AnswerQuestionResponse:
        answer = await self._answers.answer(asker(), _question(request.question))
        return pb.AnswerQuestionResponse(answer=_answer(answer))

    async def StreamAnswer(self, request: pb.StreamAnswerRequest, _: Any) -> AsyncIterator[pb.StreamAnswerResponse]:
        async with aclosing(self._answers.stream(asker(), _question(request.question))) as events:
            async for event in events:
                if isinstance(event, str):
                    yield pb.StreamAnswerResponse(delta=event)
                elif isinstance(event, Answer):
                    yield pb.StreamAnswerResponse(answer=_answer(event))
                else:
                    citations = pb.Citations(citations=[_citation(row) for row in event])
                    yield pb.StreamAnswerResponse(citations=citations)

    async def GetAnsweringModel(self, _request: pb.GetAnsweringModelRequest, _: Any) -> pb.GetAnsweringModelResponse:
        return pb.GetAnsweringModelResponse(model=self._answers.model)

    async def GetAnswer(self, request: pb.GetAnswerRequest, _: Any) -> pb.GetAnswerResponse:
        return pb.GetAnswerResponse(receipt=_receipt(await self._answers.receipt(tenant(), request.id)))


def asker() -> Asker:
    """The caller. Unauthenticated."""
    return Asker(tenant(), context.current().user_id, context.current().request_id)


def _question(wire: pb.Question) -> Question:
    preferred = wire.grounding == pb.GROUNDING_PREFERRED
    return Question(
        messages=tuple(Message(message.role, message.content) for message in wire.messages),
        collection=wire.collection,
        model=wire.model,
        top_k=wire.top_k or DEFAULT_TOP_K,
        filter=filters.parse(wire.filter_json),
        grounding=Grounding.PREFERRED if preferred else Grounding.REQUIRED,
        conversation_id=wire.conversation_id,
        rerank=wire.rerank,
    )


def _citation(row: Citation) -> pb.Citation:
    idempotency.about([row.document_id])
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


def _answer(row: Answer) -> pb.Answer:
    return pb.Answer(
        id=row.id,
        state=STATES[row.state],
        content=row.content,
        citations=[_citation(citation) for citation in row.citations],
        model=row.model,
        usage=usage(row.used),
        conversation_id=row.conversation_id,
    )


def _receipt(row: Receipt) -> pb.Receipt:
    return pb.Receipt(
        answer=_answer(row.answer),
        create_time=time_of(row.created_at),
        expire_time=time_of(row.expires_at),
        request_id=row.request_id,
        collection=row.collection,
        query=row.query,
        mode=MODE_NUMBERS[row.mode],
        prompt_sha256=row.prompt_sha256,
        passages=[_read(one) for one in row.passages],
        stages=[pb.StageUsage(stage=line.stage, line=usage([line]).lines[0]) for line in row.answer.used],
        forgotten=row.forgotten,
    )


def _read(row: Read) -> pb.ReadPassage:
    return pb.ReadPassage(
        document_id=row.document_id,
        document_version=row.document_version,
        chunk_id=row.chunk_id,
        chunk_sha256=row.chunk_sha256,
        page=row.page,
        start=row.start,
        end=row.end,
        scores=scores(row.scores),
        cited=row.cited,
    )
