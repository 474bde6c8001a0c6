"""API keys. The secret is in the answer to POST, and nowhere else."""

from typing import Annotated, Any

from aisp.auth.v1 import auth_service_pb2 as pb
from fastapi import APIRouter
from pydantic import AwareDatetime, Field

from gateway.admission import Call
from gateway.routes.common import (
    AUTHENTICATED,
    Body,
    Cursor,
    Limit,
    Services,
    StrictRoute,
    Whole,
    iso,
    iso_or_none,
    managed,
    page,
    problems,
)

router = APIRouter(route_class=StrictRoute, prefix="/api/v1/api-keys", tags=["API keys"])


class NewKey(Body):
    """A key to make."""

    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [
        {"name": "ci", "scopes": ["inference"], "limits": {"requests_per_minute": 60}, "networks": ["192.0.2.0/24"]}
    ]}}  # fmt: skip

    name: Annotated[str, Field(min_length=1, max_length=200)]
    scopes: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=32)] = []
    expires_at: AwareDatetime | None = None
    limits: Annotated[dict[str, Annotated[Whole, Field(ge=0, le=2**53)]], Field(max_length=16)] = {}
    models: Annotated[list[Annotated[str, Field(max_length=128)]], Field(max_length=64)] = []
    networks: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=64)] = []
    answer_cache_seconds: Annotated[int, Field(ge=0, le=2_592_000)] = 0


class Rotation(Body):
    """How long the old key works on."""

    overlap_seconds: Annotated[int, Field(ge=0, le=604_800)] = 0


@router.post("", status_code=201, responses=AUTHENTICATED | problems(422), operation_id="createApiKey")
async def create(body: NewKey, services: Services, call: Call = managed("keys:manage")) -> dict[str, Any]:
    """Makes a key. One that is made by a key may do no more than that. `models` and `networks` (CIDR) are the only ones
    that it may use, and be used from; without any, all. `answer_cache_seconds`: for so long answers of language models
    are kept and given again, unless a request's `x-aisp-cache` says otherwise.
    """
    request = pb.CreateApiKeyRequest(**body.model_dump(exclude={"expires_at"}))
    if body.expires_at is not None:
        request.expire_time.FromDatetime(body.expires_at)
    made = await services.auth.CreateApiKey(request, context=call.context)
    return _key(made.api_key) | {"key": made.secret}


@router.get("", responses=AUTHENTICATED | problems(400), operation_id="listApiKeys")
async def list_keys(
    services: Services, limit: Limit = 50, cursor: Cursor = "", call: Call = managed("keys:manage")
) -> dict[str, Any]:
    """The tenant's keys, newest first."""
    request = pb.ListApiKeysRequest(page_size=limit, page_token=cursor)
    found = await services.auth.ListApiKeys(request, context=call.context)
    return page([_key(key) for key in found.api_keys], found.next_page_token)


@router.get("/{key_id}", responses=AUTHENTICATED | problems(404), operation_id="getApiKey")
async def get(key_id: str, services: Services, call: Call = managed("keys:manage")) -> dict[str, Any]:
    """One key."""
    return _key((await services.auth.GetApiKey(pb.GetApiKeyRequest(id=key_id), context=call.context)).api_key)


@router.delete("/{key_id}", status_code=204, responses=AUTHENTICATED | problems(404), operation_id="deleteApiKey")
async def delete(key_id: str, services: Services, call: Call = managed("keys:manage")) -> None:
    """Revokes a key, within a second on every gateway."""
    await services.auth.RevokeApiKey(pb.RevokeApiKeyRequest(id=key_id), context=call.context)


@router.post(
    "/{key_id}/rotate", status_code=201, responses=AUTHENTICATED | problems(404, 422), operation_id="rotateApiKey"
)
async def rotate(
    key_id: str, services: Services, body: Rotation | None = None, call: Call = managed("keys:manage")
) -> dict[str, Any]:
    """Replaces a key by a new one like it."""
    overlap = body.overlap_seconds if body else 0
    request = pb.RotateApiKeyRequest(id=key_id, overlap_seconds=overlap)
    made = await services.auth.RotateApiKey(request, context=call.context)
    return _key(made.api_key) | {"key": made.secret}


def _key(key: pb.ApiKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "prefix": key.prefix,
        "scopes": list(key.scopes),
        "limits": dict(key.limits),
        "models": list(key.models),
        "networks": list(key.networks),
        "answer_cache_seconds": key.answer_cache_seconds,
        "created_at": iso(key.create_time),
        "expires_at": iso_or_none(key, "expire_time"),
        "last_used_at": iso_or_none(key, "last_use_time"),
    }
