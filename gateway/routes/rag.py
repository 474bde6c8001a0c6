"""Answers out of the tenant's documents. Parameters come in the query, in a JSON body, or both."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Annotated, Any, Literal

from aisp.rag.v1 import rag_service_pb2 as pb
from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from chassis.errors import PlatformError
from gateway.admission import Call, Gate, Work, bare_context
from gateway.errors import render_event
from gateway.routes import estimates
from gateway.routes.common import (
    AUTHENTICATED,
    Admission,
    Body,
    Options,
    Services,
    StrictRoute,
    marks,
    problems,
    read,
)
from gateway.routes.search import Filter, Name, body_of, check_reranker, filter_json, reranking, used
from gateway.sse import HEADERS, MEDIA_TYPE, event, with_heartbeats

router = APIRouter(route_class=StrictRoute, prefix="/api/v1/services/rag", tags=["retrieval"])

GROUNDING = {"required": pb.GROUNDING_REQUIRED, "preferred": pb.GROUNDING_PREFERRED}
STATES = {pb.AnswerState.Value(f"ANSWER_STATE_{name.upper()}"): name for name in (
    "answered", "partial", "abstained", "ungrounded",
)}  # fmt: skip


class Asking(Body):
    """How to answer."""

    collection: Name | None = None
    model: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    top_k: Annotated[int, Field(ge=1, le=50)] = 5
    filter: Filter = None
    rerank: bool | Annotated[str, Field(min_length=1, max_length=200)] = False
    stream: bool = False


class GenerateRequest(Asking):
    """A question."""

    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [{"query": "What does the contract say?"}]}}

    query: Annotated[str, Field(min_length=1, max_length=4000, pattern=r"\S")]
    grounding: Literal["required", "preferred"] = "required"


class ChatMessage(BaseModel):
    """One message."""

    role: Literal["system", "user", "assistant"]
    content: Annotated[str, Field(max_length=100_000)]


class ChatRequest(Asking):
    """A conversation."""

    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [
        {"messages": [{"role": "user", "content": "Explain quantum computing."}]}
    ]}}  # fmt: skip

    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=256)]
    grounding: Literal["required", "preferred"] = "preferred"
    conversation_id: Annotated[str, Field(max_length=64)] | None = None
    """A conversation that is kept: its messages come before these, and these and the answer are added to it."""


@router.post(
    "/generate",
    responses=AUTHENTICATED | problems(404, 422),
    operation_id="ragGenerate",
    openapi_extra=body_of(GenerateRequest, query=True),
    response_model=None,
)
async def generate(
    request: Request, services: Services, gate: Admission, options: Options
) -> dict[str, Any] | StreamingResponse:
    """Answers a question out of the documents."""
    request.state.caller.require("inference")
    asked: GenerateRequest = read(GenerateRequest, dict(request.query_params), await request.body())
    question = _question(asked, [pb.Message(role="user", content=asked.query)])
    return await _respond(request, services, gate, options, question, asked, with_answer=True)


@router.post(
    "/chat",
    responses=AUTHENTICATED | problems(404, 422),
    operation_id="ragChat",
    openapi_extra=body_of(ChatRequest, query=False),
    response_model=None,
)
async def chat(
    request: Request, services: Services, gate: Admission, options: Options
) -> dict[str, Any] | StreamingResponse:
    """Goes on with a conversation, out of the documents."""
    request.state.caller.require("inference")
    asked: ChatRequest = read(ChatRequest, dict(request.query_params), await request.body())
    question = _question(asked, [pb.Message(role=item.role, content=item.content) for item in asked.messages])
    return await _respond(request, services, gate, options, question, asked, with_answer=False)


async def _respond(
    request: Request,
    services: Services,
    gate: Admission,
    options: Options,
    question: pb.Question,
    asked: GenerateRequest | ChatRequest,
    *,
    with_answer: bool,
) -> dict[str, Any] | StreamingResponse:
    work = await _asked_of(request, gate, asked)
    state, key = request.scope["state"], await marks(request)
    if not asked.stream:
        async with gate.admitted(state, "", work, key) as call:
            wire = pb.AnswerQuestionRequest(question=question)
            found = (await services.rag.AnswerQuestion(wire, **call.options)).answer
            call.use(found.usage)
        return _answer(found, call, with_answer=with_answer)

    async def events() -> AsyncGenerator[bytes, None]:
        async with gate.admitted(state, "", work, key) as call:
            wire = pb.StreamAnswerRequest(question=question)
            begun = False
            try:
                async with aclosing(services.rag.StreamAnswer(wire, **call.options)) as parts:
                    async for part in parts:
                        call.began(part)
                        begun = True
                        yield _event(part, call, with_answer=with_answer)
            except PlatformError as error:
                if not begun:
                    raise
                call.partial = True
                yield render_event(error, request.url.path, request.state.request_id)

    stream = events()
    # What fails before the first event is an ordinary error, with its status.
    first = await anext(stream)

    async def body() -> AsyncGenerator[bytes, None]:
        yield first
        async with aclosing(with_heartbeats(stream, options.heartbeat_seconds)) as rest:
            async for item in rest:
                yield item

    return StreamingResponse(body(), media_type=MEDIA_TYPE, headers=HEADERS)


def estimate(asked: GenerateRequest | ChatRequest) -> Work:
    """What an answer is reserved as; where no model is named, the one that answers by default is to be put in."""
    said = [message.content for message in asked.messages] if isinstance(asked, ChatRequest) else [asked.query]
    return estimates.answer(asked.model or "", said, asked.top_k)


async def _asked_of(request: Request, gate: Gate, asked: GenerateRequest | ChatRequest) -> Work:
    """What an answer will take. ModelNotAllowed for a reranker that the tenant may not use."""
    work = estimate(asked)
    if not work.model:
        work = replace(work, model=await gate.models.answering(bare_context(request.scope["state"])))
    await check_reranker(gate, request.scope["state"], reranking(asked.rerank))
    return work


def _question(asked: GenerateRequest | ChatRequest, messages: list[pb.Message]) -> pb.Question:
    return pb.Question(
        messages=messages,
        collection=asked.collection,
        model=asked.model,
        top_k=asked.top_k,
        filter_json=filter_json(asked.filter),
        grounding=GROUNDING[asked.grounding],
        rerank=reranking(asked.rerank),
        conversation_id=asked.conversation_id if isinstance(asked, ChatRequest) else None,
    )


def _event(part: pb.StreamAnswerResponse, call: Call, *, with_answer: bool) -> bytes:
    match part.WhichOneof("event"):
        case "citations":
            return event("citations", {"citations": [citation_of(row) for row in part.citations.citations]})
        case "delta":
            return event("delta", {"content": part.delta})
    call.use(part.answer.usage)
    return event("done", _answer(part.answer, call, with_answer=with_answer))


def citation_of(row: pb.Citation) -> dict[str, Any]:
    """In JSON."""
    return {
        "number": row.number,
        "document_id": row.document_id,
        "chunk_id": row.chunk_id,
        "title": row.title,
        "page": row.page or None,
        "start": row.start,
        "end": row.end,
        "quote": row.quote,
    }


def _answer(found: pb.Answer, call: Call, *, with_answer: bool) -> dict[str, Any]:
    document = {
        "id": found.id,
        "state": STATES[found.state],
        "message": {"role": "assistant", "content": found.content},
        "citations": [citation_of(row) for row in found.citations],
        "model": found.model,
        "usage": used(call),
    }
    if found.conversation_id:
        document["conversation_id"] = found.conversation_id
    return document | {"answer": found.content} if with_answer else document
