"""API keys: made, listed, rotated, revoked, and verified for the gateway."""

import hmac
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from auth_service.domain.audit import Deed
from auth_service.domain.changes import Subject
from auth_service.domain.errors import ApiKeyNotFound, BadApiKey, KeyTooWide
from auth_service.domain.keys import ApiKey, KeyWish, Principal
from auth_service.domain.store import Repository, Store
from auth_service.policy import keys, names, roles, tokens
from auth_service.policy.tenants import require_active
from auth_service.service.last_uses import LastUses
from chassis.pagination import Page, PageRequest


@dataclass(frozen=True, slots=True)
class Maker:
    """Who makes a key."""

    tenant_id: str
    user_id: str
    scopes: tuple[str, ...]
    key_id: str = ""
    """The key by which it is made, if it is by one: what that may not, the new one may not either."""


class Keys:
    """Keys are found by the id inside them and compared by hash, in constant time."""

    def __init__(self, store: Store, used: LastUses, clock: Callable[[], datetime], *, live: bool) -> None:
        """`live`: whether this is production; it stands in the keys."""
        self._store = store
        self._used = used
        self._clock = clock
        self._live = live

    async def create(self, maker: Maker, wish: KeyWish) -> tuple[ApiKey, str]:
        """The key and its secret. InvalidArgument, ScopeNotGrantable, KeyTooWide."""
        keys.check_expiry(wish.expires_at, self._clock())
        limits = keys.check_limits(wish.limits)
        key, secret = self._new(maker, names.normal_name("name", wish.name, least=1, most=100))
        key = replace(
            key,
            scopes=roles.grant_scopes(wish.scopes, maker.scopes),
            limits=limits,
            models=keys.check_models(wish.models),
            networks=keys.check_networks(wish.networks),
            answer_cache_seconds=keys.check_cache(wish.answer_cache_seconds),
            version=1 if limits else 0,
            expires_at=wish.expires_at,
        )
        async with self._store.transaction(maker.tenant_id) as repository:
            if maker.key_id:
                key = keys.within(await self._found(repository, maker.tenant_id, maker.key_id), key)
            await repository.add_api_key(key, tokens.secret_hash(secret))
            repository.record(maker.tenant_id, Deed("api_key.create", key.id, after=_told(key)))
        return key, secret

    async def list(self, tenant_id: str, request: PageRequest) -> Page[ApiKey]:
        """Newest first."""
        async with self._store.transaction(tenant_id) as repository:
            rows = await repository.list_api_keys(tenant_id, request.size, request.after)
        return request.page(rows, lambda key: (_micros(key.created_at), key.id))

    async def get(self, tenant_id: str, key_id: str) -> ApiKey:
        """ApiKeyNotFound if it is not there, revoked, or another tenant's."""
        async with self._store.transaction(tenant_id) as repository:
            return await self._found(repository, tenant_id, key_id)

    async def revoke(self, tenant_id: str, key_id: str) -> None:
        """From now on it does not work. ApiKeyNotFound."""
        async with self._store.transaction(tenant_id) as repository:
            if not await repository.end_api_key(tenant_id, key_id, self._clock()):
                raise ApiKeyNotFound
            repository.record(tenant_id, Deed("api_key.revoke", key_id))
            await repository.add_changes([(Subject.API_KEY, key_id)])

    async def rotate(self, maker: Maker, key_id: str, overlap_seconds: int) -> tuple[ApiKey, str]:
        """A new key like the old one, which works on for the overlap. ApiKeyNotFound, InvalidArgument."""
        if not 0 <= overlap_seconds <= keys.MAX_OVERLAP_SECONDS:
            raise names.invalid("overlap_seconds", f"must be from 0 to {keys.MAX_OVERLAP_SECONDS}")
        now = self._clock()
        async with self._store.transaction(maker.tenant_id) as repository:
            old = await self._found(repository, maker.tenant_id, key_id)
            roles.grant_scopes(old.scopes, maker.scopes)
            if maker.key_id:
                # What would be inherited makes another key than the one that is replaced.
                parent = await self._found(repository, maker.tenant_id, maker.key_id)
                if keys.within(parent, old) != old:
                    raise KeyTooWide
            fresh, secret = self._new(replace(maker, user_id=old.user_id), old.name)
            fresh = replace(
                old, id=fresh.id, prefix=fresh.prefix, created_at=fresh.created_at, last_used_at=None, revoked_at=None
            )
            await repository.add_api_key(fresh, tokens.secret_hash(secret))
            await repository.end_api_key(maker.tenant_id, key_id, now + timedelta(seconds=overlap_seconds))
            told = {"new_id": fresh.id, "overlap_seconds": overlap_seconds}
            repository.record(maker.tenant_id, Deed("api_key.rotate", key_id, after=told))
            await repository.add_changes([(Subject.API_KEY, key_id)])
        return fresh, secret

    async def verify(self, secret: str) -> Principal:
        """Whose the key is. BadApiKey for whatever is wrong with it; TenantSuspended."""
        key_id = keys.key_id_of(secret)
        if key_id is None:
            raise BadApiKey
        now = self._clock()
        async with self._store.platform() as repository:
            found = await repository.find_api_key(key_id)
            if found is None or not hmac.compare_digest(found[1], tokens.secret_hash(secret)):
                raise BadApiKey
            key = found[0]
            tenant = await repository.get_tenant(key.tenant_id)
            user = await repository.get_user(key.tenant_id, key.user_id)
            ended = any(end is not None and end <= now for end in (key.expires_at, key.revoked_at))
            if ended or tenant is None or user is None:
                raise BadApiKey
            require_active(tenant)
        self._used.note(key.id, now)
        # A key never does more than its maker may do now.
        held = roles.scopes_of_role(user.role)
        return Principal(tenant, key, tuple(scope for scope in key.scopes if scope in held))

    def _new(self, maker: Maker, name: str) -> tuple[ApiKey, str]:
        key_id = keys.new_key_id()
        secret = keys.new_key_secret(key_id, live=self._live)
        prefix = secret[: secret.index(key_id) + len(key_id)]
        key = ApiKey(key_id, maker.tenant_id, maker.user_id, name, prefix, (), {}, (), (), 0, 0, self._clock(), None)
        return key, secret

    @staticmethod
    async def _found(repository: Repository, tenant_id: str, key_id: str) -> ApiKey:
        key = await repository.get_api_key(tenant_id, key_id)
        if key is None:
            raise ApiKeyNotFound
        return key


def _told(key: ApiKey) -> dict[str, object]:
    """What the audit log tells of a key."""
    expires = key.expires_at.isoformat() if key.expires_at else None
    told: dict[str, object] = {name: list(getattr(key, name)) for name in ("scopes", "models", "networks")}
    told |= {"limits": dict(key.limits), "answer_cache_seconds": key.answer_cache_seconds}
    return {"name": key.name, **told, "expires_at": expires}


def _micros(at: datetime) -> int:
    return round(at.timestamp() * 1_000_000)
