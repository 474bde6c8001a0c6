"""Keys of providers: a tenant's own (what it calls with them has no price here), and the platform's, for operators.

The secret goes in and never comes out.
"""

from typing import Annotated, Any

from aisp.llm.v1 import catalogue_pb2 as pb
from fastapi import APIRouter
from pydantic import Field, SecretStr

from gateway.admission import Call
from gateway.routes.common import AUTHENTICATED, Body, Paged, Services, StrictRoute, iso, managed, problems

ORDER = ("provider", "name", "id")

router = APIRouter(route_class=StrictRoute, tags=["provider keys"])

OWN = "/api/v1/provider-keys"
PLATFORM = "/api/v1/admin/provider-keys"
Secret = Annotated[SecretStr, Field(max_length=4096, description="The provider's key")]


class NewProviderKey(Body):
    """A key of a provider."""

    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [
        {"provider": "openai", "key": "your-key", "name": "ours"},
        {"provider": "vllm", "key": "", "base_url": "https://models.example.com/v1"},
    ]}}  # fmt: skip

    provider: Annotated[str, Field(min_length=1, max_length=64)]
    key: Secret
    name: Annotated[str, Field(max_length=200)] = ""
    base_url: Annotated[str | None, Field(max_length=2048, description="Where it is used: a public address")] = None
    api_version: Annotated[str | None, Field(max_length=64)] = None
    falls_back: Annotated[
        bool, Field(description="Whether the platform's deployments serve, at their price, where the provider fails")
    ] = False


class KeyRotation(Body):
    """Another secret."""

    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [{"key": "your-new-key"}]}}

    key: Secret


@router.post(OWN, status_code=201, responses=AUTHENTICATED | problems(409, 422), operation_id="createProviderKey")
async def create(
    body: NewProviderKey, services: Services, call: Call = managed("tenant:manage", audit="provider_key.create")
) -> dict[str, Any]:
    """Adds a key of the tenant's own; calls of models at this provider use it from now on."""
    return await _create(body, services, call, platform=False)


@router.get(OWN, responses=AUTHENTICATED | problems(400), operation_id="listProviderKeys")
async def list_keys(services: Services, part: Paged, call: Call = managed("tenant:manage")) -> dict[str, Any]:
    """The tenant's keys, without their secrets."""
    return part.of(await _list(services, call, platform=False), *ORDER)


@router.post(OWN + "/{key_id}/rotate", responses=AUTHENTICATED | problems(404, 422), operation_id="rotateProviderKey")
async def rotate(
    key_id: str,
    body: KeyRotation,
    services: Services,
    call: Call = managed("tenant:manage", audit="provider_key.rotate"),
) -> dict[str, Any]:
    """Sets another secret, in force within a second."""
    return await _rotate(key_id, body, services, call, platform=False)


@router.delete(
    OWN + "/{key_id}", status_code=204, responses=AUTHENTICATED | problems(404), operation_id="deleteProviderKey"
)
async def delete(
    key_id: str, services: Services, call: Call = managed("tenant:manage", audit="provider_key.delete")
) -> None:
    """Deletes a key; the platform's own serve, and cost, again."""
    await _delete(key_id, services, call, platform=False)


@router.post(PLATFORM, status_code=201, responses=AUTHENTICATED | problems(422), operation_id="adminCreateProviderKey")
async def create_for_platform(
    body: NewProviderKey,
    services: Services,
    call: Call = managed("", operator=True, audit="provider_key.create", platform=True),
) -> dict[str, Any]:
    """Adds a key of the platform's, for deployments that name it."""
    return await _create(body, services, call, platform=True)


@router.get(PLATFORM, responses=AUTHENTICATED | problems(400), operation_id="adminListProviderKeys")
async def list_of_platform(services: Services, part: Paged, call: Call = managed("", operator=True)) -> dict[str, Any]:
    """The platform's keys, without their secrets."""
    return part.of(await _list(services, call, platform=True), *ORDER)


@router.post(
    PLATFORM + "/{key_id}/rotate", responses=AUTHENTICATED | problems(404, 422), operation_id="adminRotateProviderKey"
)
async def rotate_of_platform(
    key_id: str,
    body: KeyRotation,
    services: Services,
    call: Call = managed("", operator=True, audit="provider_key.rotate", platform=True),
) -> dict[str, Any]:
    """Sets another secret, in force within a second."""
    return await _rotate(key_id, body, services, call, platform=True)


@router.delete(
    PLATFORM + "/{key_id}",
    status_code=204,
    responses=AUTHENTICATED | problems(400, 404),
    operation_id="adminDeleteProviderKey",
)
async def delete_of_platform(
    key_id: str, services: Services, call: Call = managed("", operator=True, audit="provider_key.delete", platform=True)
) -> None:
    """Deletes a key that no deployment names."""
    await _delete(key_id, services, call, platform=True)


async def _create(body: NewProviderKey, services: Services, call: Call, *, platform: bool) -> dict[str, Any]:
    wanted = pb.ProviderKey(
        provider=body.provider,
        name=body.name,
        base_url=body.base_url or "",
        api_version=body.api_version or "",
        falls_back=body.falls_back,
    )
    request = pb.CreateProviderKeyRequest(key=wanted, secret=body.key.get_secret_value(), platform=platform)
    return _deed(call, (await services.llm.CreateProviderKey(request, context=call.context)).key)


async def _list(services: Services, call: Call, *, platform: bool) -> list[dict[str, Any]]:
    found = await services.llm.ListProviderKeys(pb.ListProviderKeysRequest(platform=platform), context=call.context)
    return [_told(key) for key in found.keys]


async def _rotate(key_id: str, body: KeyRotation, services: Services, call: Call, *, platform: bool) -> dict[str, Any]:
    request = pb.RotateProviderKeyRequest(id=key_id, secret=body.key.get_secret_value(), platform=platform)
    return _deed(call, (await services.llm.RotateProviderKey(request, context=call.context)).key)


async def _delete(key_id: str, services: Services, call: Call, *, platform: bool) -> None:
    request = pb.DeleteProviderKeyRequest(id=key_id, platform=platform)
    gone = (await services.llm.DeleteProviderKey(request, context=call.context)).key
    if call.deed:
        call.deed.before = _told(gone)


def _deed(call: Call, key: pb.ProviderKey) -> dict[str, Any]:
    document = _told(key)
    if call.deed:
        call.deed.resource_id, call.deed.after = key.id, document
    return document


def _told(key: pb.ProviderKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "provider": key.provider,
        "name": key.name,
        "hint": key.hint,
        "base_url": key.base_url or None,
        "api_version": key.api_version or None,
        "falls_back": key.falls_back,
        "created_at": iso(key.create_time),
        "rotated_at": iso(key.rotate_time),
    }
