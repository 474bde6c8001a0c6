"""POST /api/v1/usage/preview: what a call would cost and which limit would refuse it. Nothing is consumed."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Request
from pydantic import Field

from chassis.errors import InvalidArgument, Violation
from chassis.tokens import BYTES_OF_A_TOKEN, body_tokens
from gateway.admission import Call, Work
from gateway.limits.quotas import MARK, Quota
from gateway.routes import raw
from gateway.routes.common import AUTHENTICATED, Admission, Body, Options, StrictRoute, managed, problems
from gateway.routes.rag import ANSWER_TOKENS, PASSAGE_TOKENS
from gateway.settings import GatewaySection

router = APIRouter(route_class=StrictRoute, prefix="/api/v1/usage", tags=["usage"])

MAX_MODEL = 200
BOUNDS = ("max_completion_tokens", "max_tokens", "max_output_tokens")


class NotPreviewed(InvalidArgument):
    reason = "NOT_PREVIEWED"
    message = "This route cannot be previewed."


class PreviewRequest(Body):
    """A call that is not made: its path and its JSON body."""

    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [{
        "path": "/v1/chat/completions",
        "body": {"model": "local/smollm2-135m-instruct", "messages": [{"role": "user", "content": "Hello!"}],
                 "max_tokens": 100},
    }]}}  # fmt: skip

    path: Annotated[str, Field(min_length=1, max_length=200)]
    body: dict[str, Any]


@router.post("/preview", responses=AUTHENTICATED | problems(400, 422), operation_id="previewUsage")
async def preview(
    asked: PreviewRequest,
    request: Request,
    gate: Admission,
    options: Options,
    call: Call = managed("usage:read"),
) -> dict[str, Any]:
    """What the call would cost at most, by its estimate; the limit that would bind, and when the call would pass: in
    `retry_after` seconds; where that is null and it is not allowed, never: less must be asked for, or the limit raised.
    """
    path = asked.path.removeprefix("/api") if asked.path.startswith("/api/v1/") else asked.path
    estimate = ESTIMATES.get(path)
    if estimate is None:
        known = sorted(f"/api{one}" if one.startswith(OURS) else one for one in ESTIMATES)
        raise NotPreviewed(f"path: choose from {', '.join(known)}.", violations=[Violation("path", "unknown")])
    work = estimate(asked.body, options)
    if estimate is _answer and not work.model:
        work = replace(work, model=await gate.models.answering(call.context))
    found = await gate.preview(request.scope["state"], work)
    waits = {quota: _wait(quota, work, found.cost_nano_usd) for quota in found.binding}
    longest = max(waits, key=waits.__getitem__, default=None)
    return {
        "allowed": longest is None,
        "binding": longest.name if longest else None,
        "scope": longest.scope if longest else None,
        "retry_after": max(1, math.ceil(waits[longest])) if longest and waits[longest] < math.inf else None,
        "cost_nano_usd": found.cost_nano_usd,
        "estimate": {
            "input_tokens": work.tokens, "output_tokens": work.output_tokens, "characters": work.characters,
            "storage_bytes": work.storage_bytes,
        },
        "limits": [_limit(quota) for quota in found.binding or found.quotas if not quota.name.endswith(MARK)],
    }  # fmt: skip


def _wait(quota: Quota, work: Work, cost_nano_usd: int) -> float:
    """Seconds until a limit that binds lets the call through; infinite where no waiting helps."""
    asked = {
        "requests": 1,
        "tokens": work.tokens + work.output_tokens * work.output_bounded,
        "characters": work.characters,
        "cost": cost_nano_usd,
    }.get(quota.name.split("_")[0], 0)
    if quota.name == "concurrent_requests":
        return 1
    return quota.reset_seconds if quota.reset_seconds and asked <= quota.limit else math.inf


def _limit(quota: Quota) -> dict[str, Any]:
    return {
        "name": quota.name,
        "scope": quota.scope,
        "limit": quota.limit,
        "used": quota.used,
        "remaining": quota.remaining,
    }


def _generation(body: Mapping[str, Any], options: GatewaySection) -> Work:
    document = dict(body)
    bound = next((count for key in BOUNDS if (count := raw.bound_key(document, key))), None)
    return Work(
        "llm",
        model=raw.text_key(document, "model", MAX_MODEL),
        tokens=_tokens(body),
        output_tokens=(bound or options.default_output_tokens) * (raw.count_key(document, "n") or 1),
        output_bounded=bound is not None,
    )


def _embedding(body: Mapping[str, Any], _: GatewaySection) -> Work:
    model = raw.text_key(dict(body), "model", MAX_MODEL)
    return Work("embedding", model=model, tokens=_tokens(body), output_bounded=True)


def _speech(body: Mapping[str, Any], _: GatewaySection) -> Work:
    document = dict(body)
    text = document.get("input")
    if not isinstance(text, str):
        raise raw.wrong("input", "must be a text")
    return Work("speech", model=raw.text_key(document, "model", MAX_MODEL), characters=len(text))


def _rerank(body: Mapping[str, Any], _: GatewaySection) -> Work:
    model = body.get("model", "")
    if not isinstance(body.get("documents"), list):
        raise raw.wrong("documents", "must be a list")
    tokens = _tokens({"query": body.get("query"), "documents": body["documents"]})
    return Work("embedding", model=model if isinstance(model, str) else "", tokens=tokens, output_bounded=True)


def _document(body: Mapping[str, Any], _: GatewaySection) -> Work:
    """Its passages are embedded behind the answer, at the pace that the minute allows."""
    text = body.get("text")
    if not isinstance(text, str):
        raise raw.wrong("text", "must be a text")
    return Work("rag", storage_bytes=len(text.encode()), output_bounded=True)


def _search(body: Mapping[str, Any], _: GatewaySection) -> Work:
    query = body.get("query")
    if not isinstance(query, str):
        raise raw.wrong("query", "must be a text")
    return Work("rag", tokens=len(query) // BYTES_OF_A_TOKEN + 1, output_bounded=True)


def _answer(body: Mapping[str, Any], _: GatewaySection) -> Work:
    document = dict(body)
    passages = raw.count_key(document, "top_k") or DEFAULT_PASSAGES
    model = document.get("model")
    return Work(
        "rag",
        model=model if isinstance(model, str) else "",
        tokens=_spoken(body) // BYTES_OF_A_TOKEN + passages * PASSAGE_TOKENS,
        output_tokens=ANSWER_TOKENS,
        output_bounded=True,
    )


def _spoken(body: Mapping[str, Any]) -> int:
    """Characters of a question, or of the messages of a conversation."""
    messages = body.get("messages")
    said = (
        [message.get("content") for message in messages if isinstance(message, dict)]
        if isinstance(messages, list)
        else []
    )
    return sum(len(text) for text in (body.get("query"), *said) if isinstance(text, str))


def _tokens(body: Mapping[str, Any]) -> int:
    return body_tokens(orjson.dumps(body), body)


DEFAULT_PASSAGES = 5
OURS = "/v1/services/"
ESTIMATES: dict[str, Callable[[Mapping[str, Any], GatewaySection], Work]] = {
    "/v1/chat/completions": _generation,
    "/v1/completions": _generation,
    "/v1/responses": _generation,
    "/v1/messages": _generation,
    "/v1/embeddings": _embedding,
    "/v1/rerank": _rerank,
    "/v1/audio/speech": _speech,
    "/v1/services/rag/documents": _document,
    "/v1/services/rag/search": _search,
    "/v1/services/rag/generate": _answer,
    "/v1/services/rag/chat": _answer,
}
"""By path, without the second base."""
