"""API keys and the verdict on one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from auth_service.domain.tenants import Tenant


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key, without its secret."""

    id: str
    tenant_id: str
    user_id: str
    name: str
    prefix: str
    scopes: tuple[str, ...]
    limits: Mapping[str, int]
    models: tuple[str, ...]
    """The only ones that it may use; none: any."""
    networks: tuple[str, ...]
    """The only ones that it may be used from, as CIDR; none: any."""
    answer_cache_seconds: int
    """For how long answers made with it are kept and given again, unless a request says otherwise; 0: not at all."""
    version: int
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class KeyWish:
    """What a new key shall be; what is empty is left to the rules."""

    name: str
    scopes: Sequence[str] = ()
    expires_at: datetime | None = None
    limits: Mapping[str, int] = field(default_factory=dict)
    models: Sequence[str] = ()
    networks: Sequence[str] = ()
    answer_cache_seconds: int = 0


@dataclass(frozen=True, slots=True)
class Principal:
    """Whose a key is, and what it may do."""

    tenant: Tenant
    key: ApiKey
    scopes: tuple[str, ...]


class ApiKeyQueries(Protocol):
    """Queries on API keys."""

    async def add_api_key(self, key: ApiKey, secret_hash: bytes) -> None: ...

    async def get_api_key(self, tenant_id: str, key_id: str) -> ApiKey | None:
        """None if revoked."""

    async def list_api_keys(self, tenant_id: str, size: int, after: tuple[str | int, ...] | None) -> list[ApiKey]: ...

    async def end_api_key(self, tenant_id: str, key_id: str, at: datetime) -> bool:
        """Revokes it from `at` on; whether it was there."""

    async def find_api_key(self, key_id: str) -> tuple[ApiKey, bytes] | None:
        """With the hash of its secret; in all tenants."""

    async def touch_api_keys(self, used: Mapping[str, datetime]) -> None:
        """When keys were used last, by their ids; in all tenants."""

    async def end_api_keys_of(self, tenant_id: str, user_id: str, at: datetime) -> list[str]:
        """Revokes all that a user made in a tenant; the ids of those that lived."""
