"""POST /api/v1/usage/preview: what a call would cost and which limit would refuse it. Nothing is consumed."""

import math
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from chassis.errors import InvalidArgument, Violation
from chassis.tokens import body_tokens
from gateway.admission import Call, Gate, Work, bare_context
from gateway.clients import Clients
from gateway.limits.quotas import MARK, Quota
from gateway.routes import audio, embeddings, estimates, evaluations, intake, rag, rerank, search, vector_stores
from gateway.routes.common import (
    AUTHENTICATED,
    Admission,
    Body,
    Options,
    Services,
    StrictRoute,
    managed,
    problems,
    read,
)
from gateway.routes.generation import FACES, stored_tokens
from gateway.settings import GatewaySection

router = APIRouter(route_class=StrictRoute, prefix="/api/v1/usage", tags=["usage"])


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
    services: Services,
    options: Options,
    _: Call = managed("usage:read"),
) -> dict[str, Any]:
    """What the call would cost at most, by its estimate; the limit that would bind, and when the call would pass: in
    `retry_after` seconds; where that is null and it is not allowed, never: less must be asked for, or the limit raised.
    """
    work = await _work(request, asked, gate, services, options)
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


async def _work(
    request: Request, asked: PreviewRequest, gate: Gate, services: Clients, options: GatewaySection
) -> Work:
    """What the call would be reserved as, by its route's own reading. NotPreviewed; BadBody."""
    path = asked.path.removeprefix("/api") if asked.path.startswith("/api/v1/") else asked.path
    body = orjson.dumps(asked.body)
    context = bare_context(request.scope["state"])
    if path == embeddings.PATH:
        return embeddings.estimate(asked.body, body)
    if face := FACES_BY_PATH.get(path):
        generation = face.read(asked.body)
        tokens = body_tokens(body, asked.body)
        if generation.previous:
            tokens += await stored_tokens(services, context, generation.previous)
        return estimates.generation(generation, tokens, options.default_output_tokens)
    for pattern, (form, estimate) in FORMS.items():
        if pattern.fullmatch(path):
            work = estimate(read(form, {}, body))
            if estimate is rag.estimate and not work.model:
                work = replace(work, model=await gate.models.answering(context))
            return work
    raise NotPreviewed(f"path: choose from {', '.join(KNOWN)}.", violations=[Violation("path", "unknown")])


OURS = "/v1/services/rag"
FACES_BY_PATH = {face.path: face for face in FACES}
BY_FORM: dict[str, tuple[type[BaseModel], Callable[[Any], Work]]] = {
    "/v1/rerank": (rerank.RerankRequest, rerank.estimate),
    "/v1/audio/speech": (audio.SpeechRequest, audio.estimate),
    "/v1/vector_stores/{vector_store_id}/search": (vector_stores.VectorStoreSearch, vector_stores.estimate),
    f"{OURS}/documents": (intake.NewDocument, intake.estimate),
    f"{OURS}/search": (search.SearchRequest, search.estimate),
    f"{OURS}/generate": (rag.GenerateRequest, rag.estimate),
    f"{OURS}/chat": (rag.ChatRequest, rag.estimate),
    f"{OURS}/evaluations": (evaluations.EvaluationRequest, evaluations.estimate),
}
"""What a body must be, and what it is reserved as, by path without the second base."""
FORMS = {re.compile(re.sub(r"\{\w+\}", "[^/]+", path)): how for path, how in BY_FORM.items()}
KNOWN = sorted(f"/api{path}" if path.startswith(OURS) else path for path in (embeddings.PATH, *FACES_BY_PATH, *BY_FORM))
