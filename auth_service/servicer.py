"""AuthService on the wire: protobuf <-> domain. Decides nothing."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from aisp.auth.v1 import auth_service_pb2 as pb
from aisp.auth.v1.auth_service_pb2_grpc import AuthServiceServicer
from google.protobuf.timestamp_pb2 import Timestamp

from auth_service import domain
from auth_service.service.changes import Changes
from auth_service.service.keys import Keys, Maker
from auth_service.service.profiles import Profiles
from auth_service.service.sessions import Sessions
from auth_service.service.tenants import Tenants
from chassis import context
from chassis.errors import InvalidArgument, Unauthenticated
from chassis.pagination import PageRequest

STATUS = {
    domain.TenantStatus.ACTIVE: pb.TENANT_STATUS_ACTIVE,
    domain.TenantStatus.SUSPENDED: pb.TENANT_STATUS_SUSPENDED,
}
STATUS_BACK = {wire: status for status, wire in STATUS.items()}
SUBJECT = {
    domain.Subject.TENANT: pb.SUBJECT_TENANT,
    domain.Subject.USER: pb.SUBJECT_USER,
    domain.Subject.SESSION: pb.SUBJECT_SESSION,
    domain.Subject.API_KEY: pb.SUBJECT_API_KEY,
}


class AuthServicer(AuthServiceServicer):
    """Translates."""

    def __init__(self, sessions: Sessions, profiles: Profiles, keys: Keys, tenants: Tenants, changes: Changes) -> None:
        self._sessions = sessions
        self._profiles = profiles
        self._keys = keys
        self._tenants = tenants
        self._changes = changes

    async def Register(self, request: pb.RegisterRequest, _: Any) -> pb.RegisterResponse:
        made = await self._sessions.register(request.email, request.password, request.full_name, request.tenant_name)
        return pb.RegisterResponse(tenant=_tenant(made[0]), user=_user(made[1]), tokens=_tokens(made[2]))

    async def IssueToken(self, request: pb.IssueTokenRequest, _: Any) -> pb.IssueTokenResponse:
        match request.WhichOneof("grant"):
            case "password":
                grant = request.password
                pair = await self._sessions.log_in(grant.email, grant.password, request.tenant_id)
            case "refresh_token":
                pair = await self._sessions.refresh(request.refresh_token)
            case _:
                raise InvalidArgument("A password or a refresh token is needed.")
        return pb.IssueTokenResponse(tokens=_tokens(pair))

    async def RevokeSession(self, _request: pb.RevokeSessionRequest, _: Any) -> pb.RevokeSessionResponse:
        calling = _caller()
        await self._sessions.log_out(calling.tenant_id, calling.session_id)
        return pb.RevokeSessionResponse()

    async def GetTenant(self, _request: pb.GetTenantRequest, _: Any) -> pb.GetTenantResponse:
        return pb.GetTenantResponse(tenant=_tenant(await self._profiles.get_tenant(_caller().tenant_id)))

    async def UpdateTenant(self, request: pb.UpdateTenantRequest, _: Any) -> pb.UpdateTenantResponse:
        name = request.name if request.HasField("name") else None
        return pb.UpdateTenantResponse(tenant=_tenant(await self._profiles.update_tenant(_caller().tenant_id, name)))

    async def GetUser(self, _request: pb.GetUserRequest, _: Any) -> pb.GetUserResponse:
        calling = _caller()
        return pb.GetUserResponse(user=_user(await self._profiles.get_user(calling.tenant_id, calling.user_id)))

    async def UpdateUser(self, request: pb.UpdateUserRequest, _: Any) -> pb.UpdateUserResponse:
        calling = _caller()
        given = {name: getattr(request, name) if request.HasField(name) else None for name in _USER_FIELDS}
        user = await self._profiles.update_user(calling.tenant_id, calling.user_id, calling.session_id, **given)
        return pb.UpdateUserResponse(user=_user(user))

    async def CreateApiKey(self, request: pb.CreateApiKeyRequest, _: Any) -> pb.CreateApiKeyResponse:
        expires = _time_back(request.expire_time) if request.HasField("expire_time") else None
        key, secret = await self._keys.create(_maker(), request.name, request.scopes, expires, request.limits)
        return pb.CreateApiKeyResponse(api_key=_api_key(key), secret=secret)

    async def ListApiKeys(self, request: pb.ListApiKeysRequest, _: Any) -> pb.ListApiKeysResponse:
        page = await self._keys.list(_caller().tenant_id, PageRequest.parse(request.page_size, request.page_token))
        return pb.ListApiKeysResponse(api_keys=[_api_key(key) for key in page.items], next_page_token=page.next_cursor)

    async def GetApiKey(self, request: pb.GetApiKeyRequest, _: Any) -> pb.GetApiKeyResponse:
        return pb.GetApiKeyResponse(api_key=_api_key(await self._keys.get(_caller().tenant_id, request.id)))

    async def RevokeApiKey(self, request: pb.RevokeApiKeyRequest, _: Any) -> pb.RevokeApiKeyResponse:
        await self._keys.revoke(_caller().tenant_id, request.id)
        return pb.RevokeApiKeyResponse()

    async def RotateApiKey(self, request: pb.RotateApiKeyRequest, _: Any) -> pb.RotateApiKeyResponse:
        key, secret = await self._keys.rotate(_maker(), request.id, request.overlap_seconds)
        return pb.RotateApiKeyResponse(api_key=_api_key(key), secret=secret)

    async def VerifyApiKey(self, request: pb.VerifyApiKeyRequest, _: Any) -> pb.VerifyApiKeyResponse:
        verdict = await self._keys.verify(request.secret)
        principal = pb.Principal(
            tenant=_tenant(verdict.tenant),
            user_id=verdict.key.user_id,
            key_id=verdict.key.id,
            scopes=verdict.scopes,
            key_version=verdict.key.version,
            key_limits=verdict.key.limits,
        )
        ends = [end for end in (verdict.key.expires_at, verdict.key.revoked_at) if end is not None]
        if ends:
            principal.expire_time.CopyFrom(_time(min(ends)))
        return pb.VerifyApiKeyResponse(principal=principal)

    async def WatchChanges(self, request: pb.WatchChangesRequest, _: Any) -> AsyncIterator[pb.WatchChangesResponse]:
        async for version, changes, missed in self._changes.watch(request.since_version):
            told = [pb.Change(subject=SUBJECT[change.subject], id=change.id) for change in changes]
            yield pb.WatchChangesResponse(version=version, changes=told, reset=missed)

    async def ListTenants(self, request: pb.ListTenantsRequest, _: Any) -> pb.ListTenantsResponse:
        context.current().require_operator()
        page = await self._tenants.list(PageRequest.parse(request.page_size, request.page_token))
        return pb.ListTenantsResponse(
            tenants=[_tenant(tenant) for tenant in page.items], next_page_token=page.next_cursor
        )

    async def AdministerTenant(self, request: pb.AdministerTenantRequest, _: Any) -> pb.AdministerTenantResponse:
        context.current().require_operator()
        plan = request.plan if request.HasField("plan") else None
        status = STATUS_BACK.get(request.status) if request.HasField("status") else None
        tenant = await self._tenants.administer(
            request.id, plan=plan, status=status, limits_changed=request.limits_changed
        )
        return pb.AdministerTenantResponse(tenant=_tenant(tenant))


_USER_FIELDS = ("full_name", "password", "current_password")


def _caller() -> context.RequestContext:
    calling = context.current()
    if not calling.tenant_id:
        raise Unauthenticated
    return calling


def _maker() -> Maker:
    calling = _caller()
    return Maker(calling.tenant_id, calling.user_id, calling.scopes)


def _time(at: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(at)
    return stamp


def _time_back(stamp: Timestamp) -> datetime:
    try:
        return stamp.ToDatetime(UTC)  # type: ignore[no-any-return]  # protobuf ships no types
    except (ValueError, OverflowError) as error:
        raise InvalidArgument("expires_at is not a time.") from error


def _tenant(tenant: domain.Tenant) -> pb.Tenant:
    return pb.Tenant(
        id=tenant.id,
        name=tenant.name,
        plan=tenant.plan,
        status=STATUS[tenant.status],
        version=tenant.version,
        create_time=_time(tenant.created_at),
    )


def _user(user: domain.User) -> pb.User:
    return pb.User(
        id=user.id, email=user.email, full_name=user.full_name, role=user.role, create_time=_time(user.created_at)
    )


def _tokens(pair: domain.TokenPair) -> pb.TokenPair:
    return pb.TokenPair(
        access_token=pair.access_token, refresh_token=pair.refresh_token, expires_in_seconds=pair.expires_in_seconds
    )


def _api_key(key: domain.ApiKey) -> pb.ApiKey:
    wire = pb.ApiKey(
        id=key.id,
        name=key.name,
        prefix=key.prefix,
        scopes=key.scopes,
        limits=key.limits,
        create_time=_time(key.created_at),
    )
    if key.expires_at is not None:
        wire.expire_time.CopyFrom(_time(key.expires_at))
    if key.last_used_at is not None:
        wire.last_use_time.CopyFrom(_time(key.last_used_at))
    return wire
