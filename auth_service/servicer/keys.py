"""API keys."""

from typing import Any

from aisp.auth.v1 import auth_service_pb2 as pb
from aisp.auth.v1.auth_service_pb2_grpc import AuthServiceServicer

from auth_service.domain.keys import ApiKey, KeyWish
from auth_service.policy import roles
from auth_service.service.keys import Keys, Maker
from auth_service.service.principals import Principals
from auth_service.servicer.wire import caller, tenant_message, time_from, time_of
from chassis.pagination import PageRequest


class KeysServicer(AuthServiceServicer):
    """Translates."""

    _keys: Keys
    _principals: Principals

    async def CreateApiKey(self, request: pb.CreateApiKeyRequest, _: Any) -> pb.CreateApiKeyResponse:
        expires = time_from(request.expire_time) if request.HasField("expire_time") else None
        wish = KeyWish(
            request.name, request.scopes, expires, request.limits, request.models, request.networks,
            request.answer_cache_seconds,
        )  # fmt: skip
        key, secret = await self._keys.create(_maker(), wish)
        return pb.CreateApiKeyResponse(api_key=_api_key(key), secret=secret)

    async def ListApiKeys(self, request: pb.ListApiKeysRequest, _: Any) -> pb.ListApiKeysResponse:
        page = await self._keys.list(caller().tenant_id, PageRequest.parse(request.page_size, request.page_token))
        return pb.ListApiKeysResponse(api_keys=[_api_key(key) for key in page.items], next_page_token=page.next_cursor)

    async def GetApiKey(self, request: pb.GetApiKeyRequest, _: Any) -> pb.GetApiKeyResponse:
        return pb.GetApiKeyResponse(api_key=_api_key(await self._keys.get(caller().tenant_id, request.id)))

    async def RevokeApiKey(self, request: pb.RevokeApiKeyRequest, _: Any) -> pb.RevokeApiKeyResponse:
        await self._keys.revoke(caller().tenant_id, request.id)
        return pb.RevokeApiKeyResponse()

    async def RotateApiKey(self, request: pb.RotateApiKeyRequest, _: Any) -> pb.RotateApiKeyResponse:
        key, secret = await self._keys.rotate(_maker(), request.id, request.overlap_seconds)
        return pb.RotateApiKeyResponse(api_key=_api_key(key), secret=secret)

    async def VerifyApiKey(self, request: pb.VerifyApiKeyRequest, _: Any) -> pb.VerifyApiKeyResponse:
        verdict = await self._keys.verify(request.secret)
        principal = pb.Principal(
            tenant=tenant_message(verdict.tenant),
            user_id=verdict.key.user_id,
            key_id=verdict.key.id,
            scopes=verdict.scopes,
            key_version=verdict.key.version,
            key_limits=verdict.key.limits,
            models=verdict.key.models,
            networks=verdict.key.networks,
            answer_cache_seconds=verdict.key.answer_cache_seconds,
        )
        ends = [end for end in (verdict.key.expires_at, verdict.key.revoked_at) if end is not None]
        if ends:
            principal.expire_time.CopyFrom(time_of(min(ends)))
        return pb.VerifyApiKeyResponse(principal=principal)

    async def VerifySession(self, _request: pb.VerifySessionRequest, _: Any) -> pb.VerifySessionResponse:
        calling = caller()
        tenant, user = await self._principals.verify_session(calling.tenant_id, calling.user_id, calling.session_id)
        principal = pb.Principal(
            tenant=tenant_message(tenant),
            user_id=user.id,
            scopes=roles.scopes_of_role(user.role),
            operator=user.operator,
        )
        return pb.VerifySessionResponse(principal=principal)


def _maker() -> Maker:
    calling = caller()
    return Maker(calling.tenant_id, calling.user_id, calling.scopes, calling.key_id)


def _api_key(key: ApiKey) -> pb.ApiKey:
    wire = pb.ApiKey(
        id=key.id,
        name=key.name,
        prefix=key.prefix,
        scopes=key.scopes,
        limits=key.limits,
        models=key.models,
        networks=key.networks,
        answer_cache_seconds=key.answer_cache_seconds,
        create_time=time_of(key.created_at),
    )
    if key.expires_at is not None:
        wire.expire_time.CopyFrom(time_of(key.expires_at))
    if key.last_used_at is not None:
        wire.last_use_time.CopyFrom(time_of(key.last_used_at))
    return wire
