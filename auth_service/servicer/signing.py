"""Signing keys, and what is encrypted at rest."""

from typing import Any

from aisp.auth.v1 import signing_pb2 as pb
from aisp.auth.v1.auth_service_pb2_grpc import AuthServiceServicer

from auth_service.domain.signing import SigningKey
from auth_service.service.audit import Audit
from auth_service.service.signing import SigningKeys
from auth_service.servicer.wire import time_of
from chassis import context


class SigningServicer(AuthServiceServicer):
    """Translates."""

    _signing: SigningKeys
    _audit: Audit

    async def ListSigningKeys(self, _request: pb.ListSigningKeysRequest, _: Any) -> pb.ListSigningKeysResponse:
        return pb.ListSigningKeysResponse(keys=[_key(key) for key in await self._signing.living()])

    async def RotateSigningKeys(self, request: pb.RotateSigningKeysRequest, _: Any) -> pb.RotateSigningKeysResponse:
        context.current().require_operator()
        return pb.RotateSigningKeysResponse(key=_key(await self._signing.rotate(at_once=request.at_once)))

    async def ReencryptSecrets(self, _request: pb.ReencryptSecretsRequest, _: Any) -> pb.ReencryptSecretsResponse:
        context.current().require_operator()
        keys = await self._signing.encrypt_anew()
        return pb.ReencryptSecretsResponse(signing_keys=keys, audit_heads=await self._audit.sign_heads_anew())


def _key(key: SigningKey) -> pb.SigningKey:
    wire = pb.SigningKey(
        id=key.id, public_key=key.public, active_time=time_of(key.active_at), create_time=time_of(key.created_at)
    )
    if key.retires_at is not None:
        wire.retire_time.CopyFrom(time_of(key.retires_at))
    return wire
