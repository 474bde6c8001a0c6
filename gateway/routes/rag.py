"""Search and answers out of the tenant's documents. Parameters come in the query, in a JSON body, or both."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any, Literal

import orjson
from aisp.rag.v1 import rag_service_pb2 as pb
from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from chassis.errors import PlatformError
from gateway.admission import Call, Work
from gateway.errors import BadBody, bad_body, render_event
from gateway.routes.common import (
    AUTHENTICATED,
    FILTER,
    Admission,
    Body,
    Options,
    Services,
    StrictRoute,
    marks,
    problems,
)
from gateway.sse import HEADERS, MEDIA_TYPE, event, with_heartbeats

router = APIRouter(route_class=StrictRoute, prefix="/api/v1/services/rag", tags=["retrieval"])

BYTES_OF_A_TOKEN = 4
PASSAGE_TOKENS = 400
"""A passage that is read for an answer, in tokens, roughly."""
ANSWER_TOKENS = 256
READ = frozenset(("input_tokens", "cached_input_tokens", "cache_write_tokens"))
WRITTEN = frozenset(("output_tokens", "reasoning_tokens"))
MODES = {
    None: pb.SEARCH_MODE_UNSPECIFIED,
    "dense": pb.SEARCH_MODE_DENSE,
    "lexical": pb.SEARCH_MODE_LEXICAL,
    "hybrid": pb.SEARCH_MODE_HYBRID,
}
MODE_NAMES = {number: name for name, number in MODES.items() if name}
RERANKED_TOKENS = 10_000
"""What fifty passages have, roughly, that a model orders anew."""
REWRITTEN_TOKENS = 64
GROUNDING = {"required": pb.GROUNDING_REQUIRED, "preferred": pb.GROUNDING_PREFERRED}
STATES = {pb.AnswerState.Value(f"ANSWER_STATE_{name.upper()}"): name for name in (
    "answered", "partial", "abstained", "ungrounded",
)}  # fmt: skip


def _from_query(value: Any) -> Any:
    """In a query a filter is JSON text."""
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise ValueError("must be a filter, or the JSON text of one") from error


Filter = Annotated[
    dict[str, Any] | None,
    BeforeValidator(_from_query),
    Field(description=FILTER, examples=[{"op": "gte", "field": "year", "value": 2024}]),
]
Name = Annotated[str, Field(min_length=1, max_length=64)]


class SearchRequest(Body):
    """What to find."""

    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [
        {"query": "What is machine learning?", "top_k": 5}
    ]}}  # fmt: skip

    query: Annotated[str, Field(min_length=1, max_length=4000, pattern=r"\S")]
    top_k: Annotated[int, Field(ge=1, le=100)] = 5
    collection: Name | None = None
    filter: Filter = None
    mode: Literal["dense", "lexical", "hybrid"] | None = None
    score_threshold: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0
    diversity: Annotated[float, Field(ge=0, le=1)] = 0
    group_by: Literal["document"] | None = None
    rewrite: bool = False
    rerank: bool | Annotated[str, Field(min_length=1, max_length=200)] = False


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


def body_of(model: type[BaseModel], *, query: bool) -> dict[str, Any]:
    """The OpenAPI of a route whose parameters may come in the query or in the body."""
    reference = {"$ref": f"#/components/schemas/{model.__name__}"}
    extra: dict[str, Any] = {
        "requestBody": {"required": not query, "content": {"application/json": {"schema": reference}}}
    }
    if query:
        extra["parameters"] = [
            {"in": "query", "name": "query", "required": False, "schema": {"type": "string", "maxLength": 4000}},
            {"in": "query", "name": "top_k", "required": False, "schema": {"type": "integer", "minimum": 1}},
            {"in": "query", "name": "collection", "required": False, "schema": {"type": "string"}},
        ]
    return extra


async def read(request: Request, model: type[BaseModel]) -> Any:
    """The query's parameters and the body's, together; what stands in both is the body's."""
    given: dict[str, Any] = dict(request.query_params)
    body = await request.body()
    if body:
        try:
            document = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise BadBody("The body is not valid JSON.") from error
        if not isinstance(document, dict):
            raise BadBody("The body must be a JSON object.")
        given |= document
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise bad_body([item | {"loc": ("body", *item["loc"])} for item in error.errors()]) from error


SEARCH = problems(404, 422)


@router.post(
    "/search",
    responses=AUTHENTICATED | SEARCH,
    operation_id="ragSearch",
    openapi_extra=body_of(SearchRequest, query=True),
)
async def search(request: Request, services: Services, gate: Admission) -> dict[str, Any]:
    """Finds passages."""
    request.state.caller.require("inference")
    asked: SearchRequest = await read(request, SearchRequest)
    wire = pb.SearchPassagesRequest(
        query=asked.query,
        top_k=asked.top_k,
        collection=asked.collection,
        filter_json=_json(asked.filter),
        mode=MODES[asked.mode],
        score_threshold=asked.score_threshold,
        diversity=asked.diversity,
        by_document=asked.group_by == "document",
        rewrite=asked.rewrite,
        rerank=_reranking(asked.rerank),
    )
    judged = RERANKED_TOKENS if wire.rerank else 0
    written = REWRITTEN_TOKENS if asked.rewrite else 0
    tokens = len(asked.query) // BYTES_OF_A_TOKEN + 1 + judged
    work = Work("rag", tokens=tokens, output_tokens=written, output_bounded=True)
    async with gate.admitted(request.scope["state"], "", work, await marks(request)) as call:
        found = await services.rag.SearchPassages(wire, **call.options)
        call.use(found.usage)
    return {
        "results": [_passage(row) for row in found.passages],
        "query": found.query,
        "mode": MODE_NAMES.get(found.mode),
        "usage": _usage(call),
    }


@router.post(
    "/generate",
    responses=AUTHENTICATED | SEARCH,
    operation_id="ragGenerate",
    openapi_extra=body_of(GenerateRequest, query=True),
    response_model=None,
)
async def generate(
    request: Request, services: Services, gate: Admission, options: Options
) -> dict[str, Any] | StreamingResponse:
    """Answers a question out of the documents."""
    request.state.caller.require("inference")
    asked: GenerateRequest = await read(request, GenerateRequest)
    question = _question(asked, [pb.Message(role="user", content=asked.query)])
    return await _respond(request, services, gate, options, question, asked, with_answer=True)


@router.post(
    "/chat",
    responses=AUTHENTICATED | SEARCH,
    operation_id="ragChat",
    openapi_extra=body_of(ChatRequest, query=False),
    response_model=None,
)
async def chat(
    request: Request, services: Services, gate: Admission, options: Options
) -> dict[str, Any] | StreamingResponse:
    """Goes on with a conversation, out of the documents."""
    request.state.caller.require("inference")
    asked: ChatRequest = await read(request, ChatRequest)
    question = _question(asked, [pb.Message(role=item.role, content=item.content) for item in asked.messages])
    return await _respond(request, services, gate, options, question, asked, with_answer=False)


async def _respond(
    request: Request,
    services: Services,
    gate: Admission,
    options: Options,
    question: pb.Question,
    asked: Asking,
    *,
    with_answer: bool,
) -> dict[str, Any] | StreamingResponse:
    spoken = sum(len(message.content) for message in question.messages) // BYTES_OF_A_TOKEN
    work = Work(
        "rag", model=asked.model or "", tokens=spoken + asked.top_k * PASSAGE_TOKENS,
        output_tokens=ANSWER_TOKENS, output_bounded=True,
    )  # fmt: skip
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


def _question(asked: GenerateRequest | ChatRequest, messages: list[pb.Message]) -> pb.Question:
    return pb.Question(
        messages=messages,
        collection=asked.collection,
        model=asked.model,
        top_k=asked.top_k,
        filter_json=_json(asked.filter),
        grounding=GROUNDING[asked.grounding],
        rerank=_reranking(asked.rerank),
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


def _json(document: dict[str, Any] | None) -> str:
    return orjson.dumps(document).decode() if document is not None else ""


def _passage(row: pb.Passage) -> dict[str, Any]:
    return {
        "document_id": row.document_id,
        "chunk_id": row.chunk_id,
        "title": row.title,
        "text": row.text,
        "score": row.score,
        "page": row.page or None,
        "start": row.start,
        "end": row.end,
        "metadata": orjson.loads(row.metadata_json or "{}"),
        "scores": {name.name: value for name, value in row.scores.ListFields()},
    }


def _reranking(asked: bool | str) -> str:
    """In a query true and false are texts."""
    if isinstance(asked, str) and asked.lower() not in ("true", "false"):
        return asked
    return "default" if str(asked).lower() == "true" else ""


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
        "usage": _usage(call),
    }
    if found.conversation_id:
        document["conversation_id"] = found.conversation_id
    return document | {"answer": found.content} if with_answer else document


def _usage(call: Call) -> dict[str, int]:
    totals = {"input_tokens": 0, "output_tokens": 0}
    for line in call.lines:
        if line.unit in READ:
            totals["input_tokens"] += line.amount
        elif line.unit in WRITTEN:
            totals["output_tokens"] += line.amount
    return totals | {"total_tokens": sum(totals.values())}
