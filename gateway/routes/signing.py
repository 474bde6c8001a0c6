"""The keys of access tokens: their public halves for everybody (JWKS, RFC 7517), their rotation for operators."""

from typing import Annotated, Any

from aisp.auth.v1 import signing_pb2 as pb
from aisp.encryption.v1.encryption_service_pb2 import ReencryptSecretsRequest
from fastapi import APIRouter, Request, Response
from pydantic import Field

from gateway.admission import Call
from gateway.routes.common import (
    AUTHENTICATED,
    Body,
    Services,
    StrictRoute,
    iso,
    iso_or_none,
    managed,
    problems,
)

router = APIRouter(route_class=StrictRoute, tags=["operator"])

PREFIX = "/api/v1/admin"
CACHED_SECONDS = 30
"""Shorter than the time from publishing a key to signing with it."""


class Rotation(Body):
    """Whether the old keys were stolen: then they end at once, with every token that they signed."""

    at_once: Annotated[bool, Field(strict=True)] = False


@router.get("/.well-known/jwks.json", responses=problems(503), operation_id="getJwks", tags=["identity"])
async def jwks(request: Request, response: Response) -> dict[str, Any]:
    """The public keys that verify access tokens; none where they are signed with a secret (HS256)."""
    response.headers["Cache-Control"] = f"public, max-age={CACHED_SECONDS}"
    return {"keys": await request.state.authenticator.tokens.keys.published()}


@router.get(f"{PREFIX}/signing-keys", responses=AUTHENTICATED, operation_id="adminListSigningKeys")
async def list_keys(services: Services, call: Call = managed("", operator=True)) -> dict[str, Any]:
    """The keys whose tokens are good, newest first; none where they are signed with a secret (HS256)."""
    found = await services.auth.ListSigningKeys(pb.ListSigningKeysRequest(), context=call.context)
    return {"data": [_key(key) for key in found.keys], "next_cursor": None}


@router.post(
    f"{PREFIX}/signing-keys/rotate",
    status_code=201,
    responses=AUTHENTICATED | problems(400, 422),
    operation_id="adminRotateSigningKeys",
)
async def rotate(
    services: Services, body: Rotation | None = None, call: Call = managed("", operator=True)
) -> dict[str, Any]:
    """Makes a new key. It is published first and signs later; tokens of the old ones stay good, unless `at_once`."""
    request = pb.RotateSigningKeysRequest(at_once=bool(body and body.at_once))
    return _key((await services.auth.RotateSigningKeys(request, context=call.context)).key)


@router.post(f"{PREFIX}/encryption/renew", responses=AUTHENTICATED, operation_id="adminReencrypt")
async def reencrypt(services: Services, call: Call = managed("", operator=True)) -> dict[str, Any]:
    """Encrypts under the current secret what is still under a previous one, in every service that keeps secrets. When
    it answers, the previous one can be thrown away; if a service is away, it is asked for again.
    """
    done = await services.auth.ReencryptSecrets(pb.ReencryptSecretsRequest(), context=call.context)
    renewed = {"signing_keys": done.signing_keys, "audit_heads": done.audit_heads}
    for stub in services.encryption.values():
        renewed |= (await stub.ReencryptSecrets(ReencryptSecretsRequest(), context=call.context)).renewed
    return renewed


def _key(key: pb.SigningKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "created_at": iso(key.create_time),
        "active_at": iso(key.active_time),
        "retires_at": iso_or_none(key, "retire_time"),
    }
