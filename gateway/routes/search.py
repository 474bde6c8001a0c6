"""POST /api/v1/services/rag/search, raw ASGI: what is found in the tenant's documents. Also how this route and those
of answers are asked: with parameters in the query, in a JSON body, or both.
"""

from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, urlencode

import orjson
from aisp.rag.v1 import rag_service_pb2 as pb
from pydantic import BaseModel, BeforeValidator, Field

from gateway.admission import Call, Gate, Work, ahead, bare_context
from gateway.clients import Clients
from gateway.edge import Receive, Scope, Send
from gateway.idempotency import fingerprint, idempotency_key
from gateway.routes import estimates, raw
from gateway.routes.common import AUTHENTICATED, FILTER, Body, problems, read
from gateway.settings import GatewaySection
from gateway.sse import until_disconnect

PATH = "/api/v1/services/rag/search"
DEFAULT_RERANKER = "default"
READ = frozenset(("input_tokens", "cached_input_tokens", "cache_write_tokens"))
WRITTEN = frozenset(("output_tokens", "reasoning_tokens"))
MODES = {
    None: pb.SEARCH_MODE_UNSPECIFIED,
    "dense": pb.SEARCH_MODE_DENSE,
    "lexical": pb.SEARCH_MODE_LEXICAL,
    "hybrid": pb.SEARCH_MODE_HYBRID,
}
MODE_NAMES = {number: name for name, number in MODES.items() if name}


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


class SearchRoute:
    """The hot route."""

    def __init__(self, gate: Gate, clients: Clients, settings: GatewaySection) -> None:
        self._gate = gate
        self._clients = clients
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        state = scope["state"]
        state["caller"].require("inference")
        key = idempotency_key(scope["headers"])
        body = await raw.read_bytes(scope, receive, self._settings.max_body_bytes)
        given = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        asked: SearchRequest = read(SearchRequest, dict(given), body)
        marks = (key, fingerprint("POST", PATH, body, urlencode(given).encode())) if key else ("", "")
        request, search = _request(asked), self._clients.rag.SearchPassages
        await check_reranker(self._gate, state, request.rerank)

        async def serve() -> None:
            begin = ahead(search, request)
            async with self._gate.admitted(state, "", estimate(asked), marks, begin) as call:
                found = await search(request, **call.options)
                call.use(found.usage)
            await raw.answer(scope, send, _answer(found, call), [])

        await until_disconnect(scope, receive, serve())


def filter_json(document: dict[str, Any] | None) -> str:
    """A filter on the wire."""
    return orjson.dumps(document).decode() if document is not None else ""


def reranking(asked: bool | str) -> str:
    """The model that is asked for. In a query true and false are texts."""
    if isinstance(asked, str) and asked.lower() not in ("true", "false"):
        return asked
    return DEFAULT_RERANKER if str(asked).lower() == "true" else ""


async def check_reranker(gate: Gate, state: Any, named: str) -> None:
    """ModelNotAllowed for one that is named and that the caller may not use."""
    if named not in ("", DEFAULT_RERANKER):
        state["caller"].require_model(named, chosen=True)
        await gate.models.check(bare_context(state), named)


def used(call: Call) -> dict[str, int]:
    """A call's tokens, as they are told to its caller."""
    totals = {"input_tokens": 0, "output_tokens": 0}
    for line in call.lines:
        if line.unit in READ:
            totals["input_tokens"] += line.amount
        elif line.unit in WRITTEN:
            totals["output_tokens"] += line.amount
    return totals | {"total_tokens": sum(totals.values())}


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


def operation() -> dict[str, Any]:
    """The route in the OpenAPI document."""
    answer = {"application/json": {"schema": {"type": "object", "additionalProperties": True}}}
    failures = {str(status): told for status, told in (AUTHENTICATED | problems(404, 422)).items()}
    return {
        "operationId": "ragSearch",
        "tags": ["retrieval"],
        "summary": "Search",
        "description": "Finds passages.",
        "responses": {"200": {"description": "What was found", "content": answer}} | failures,
    } | body_of(SearchRequest, query=True)


def _request(asked: SearchRequest) -> pb.SearchPassagesRequest:
    return pb.SearchPassagesRequest(
        query=asked.query,
        top_k=asked.top_k,
        collection=asked.collection,
        filter_json=filter_json(asked.filter),
        mode=MODES[asked.mode],
        score_threshold=asked.score_threshold,
        diversity=asked.diversity,
        by_document=asked.group_by == "document",
        rewrite=asked.rewrite,
        rerank=reranking(asked.rerank),
    )


def estimate(asked: SearchRequest) -> Work:
    """What a search is reserved as."""
    return estimates.search((asked.query,), rewritten=asked.rewrite, reranked=bool(reranking(asked.rerank)))


def _answer(found: pb.SearchPassagesResponse, call: Call) -> bytes:
    return orjson.dumps(
        {
            "results": [_passage(row) for row in found.passages],
            "query": found.query,
            "mode": MODE_NAMES.get(found.mode),
            "usage": used(call),
        }
    )


def _passage(row: pb.Passage) -> dict[str, Any]:
    return {
        "document_id": row.document_id,
        "chunk_id": row.chunk_id,
        "title": row.title,
        "text": row.text,
        "score": row.score,
        "page": row.page or None,
        "heading": row.heading or None,
        "start": row.start,
        "end": row.end,
        "metadata": orjson.Fragment(row.metadata_json or "{}"),
        "scores": {name.name: value for name, value in row.scores.ListFields()},
    }
