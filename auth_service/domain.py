"""The nouns of identity, the ports through which the service reaches the world, and its errors.

Unauthenticated   BadCredentials, BadRefreshToken, BadApiKey
PermissionDenied  TenantSuspended, OperatorOnly, ScopeNotGrantable
NotFound          TenantNotFound, UserNotFound, ApiKeyNotFound
AlreadyExists     EmailTaken
InvalidArgument   WeakPassword
Unavailable       LoginBusy
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol

from chassis.errors import (
    AlreadyExists,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    Unauthenticated,
    Unavailable,
)


class EmailTaken(AlreadyExists):
    reason = "EMAIL_TAKEN"
    message = "A user with this e-mail address exists."


class BadCredentials(Unauthenticated):
    reason = "BAD_CREDENTIALS"
    message = "The e-mail address and the password do not match."


class BadRefreshToken(Unauthenticated):
    reason = "BAD_REFRESH_TOKEN"
    message = "The refresh token is not valid (any more); log in again."


class BadApiKey(Unauthenticated):
    reason = "BAD_API_KEY"
    message = "The API key is not valid."


class ApiKeyNotFound(NotFound):
    reason = "API_KEY_NOT_FOUND"
    message = "There is no such API key."


class TenantNotFound(NotFound):
    reason = "TENANT_NOT_FOUND"
    message = "There is no such tenant."


class UserNotFound(NotFound):
    reason = "USER_NOT_FOUND"
    message = "There is no such user."


class TenantSuspended(PermissionDenied):
    reason = "TENANT_SUSPENDED"
    message = "This tenant is suspended."


class WeakPassword(InvalidArgument):
    reason = "WEAK_PASSWORD"
    message = "The password is too weak."


class ScopeNotGrantable(PermissionDenied):
    reason = "SCOPE_NOT_GRANTABLE"
    message = "A key can only be given scopes that exist and that you have."


class OperatorOnly(PermissionDenied):
    reason = "OPERATOR_ONLY"
    message = "Only an operator may do this."


class LoginBusy(Unavailable):
    reason = "LOGIN_BUSY"
    message = "Too many people log in at this moment; try again in a second."


class TenantStatus(Enum):
    """Whether a tenant may call."""

    ACTIVE = "active"
    SUSPENDED = "suspended"


class Subject(Enum):
    """What a change is about."""

    TENANT = "tenant"
    USER = "user"
    SESSION = "session"
    API_KEY = "api_key"


@dataclass(frozen=True, slots=True)
class Tenant:
    """A customer. `version` grows with each change of plan, status or limits."""

    id: str
    name: str
    plan: str
    status: TenantStatus
    version: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class User:
    """A person, in one tenant."""

    id: str
    email: str
    full_name: str
    role: str
    created_at: datetime
    operator: bool = False


@dataclass(frozen=True, slots=True)
class Account:
    """What a log-in is checked against."""

    user_id: str
    password_hash: str


@dataclass(frozen=True, slots=True)
class Session:
    """A log-in of a user to a tenant; its refresh tokens are one family."""

    id: str
    tenant_id: str
    user_id: str


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A stored refresh token: its hash, when it was used, and whether its session lives."""

    hash: bytes
    session: Session
    expires_at: datetime
    used_at: datetime | None
    revoked: bool


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
    version: int
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class TokenPair:
    """An access token (JWT) and the refresh token that replaces it."""

    access_token: str
    refresh_token: str
    expires_in_seconds: int


@dataclass(frozen=True, slots=True)
class Principal:
    """Whose a key is, and what it may do."""

    tenant: Tenant
    key: ApiKey
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """Something about identity changed."""

    version: int
    subject: Subject
    id: str


@dataclass(frozen=True, slots=True)
class Claims:
    """What an access token says."""

    tenant: Tenant
    user: User
    session_id: str
    scopes: tuple[str, ...]


class PasswordHasher(Protocol):
    """Hashes passwords, slowly on purpose."""

    async def hash(self, password: str) -> str:
        """The hash; LoginBusy when too many wait."""

    async def verify(self, password: str, stored: str | None) -> bool:
        """Whether it matches. `stored` None costs the same and is False."""


class TokenSigner(Protocol):
    """Makes access tokens."""

    def sign(self, claims: Claims) -> tuple[str, int]:
        """The token and its life in seconds."""


class Repository(Protocol):
    """Queries of one transaction. Every method is bound to the transaction's tenant unless it says otherwise."""

    async def add_tenant(self, tenant: Tenant) -> None: ...

    async def add_user(self, user: User, password_hash: str) -> None:
        """EmailTaken if the address is."""

    async def add_membership(self, tenant_id: str, user_id: str, role: str) -> None: ...

    async def find_account(self, email: str) -> Account | None:
        """By address, in all tenants."""

    async def set_operator(self, user_id: str, password_hash: str) -> None: ...

    async def first_tenant_id(self, user_id: str, tenant_id: str) -> str | None:
        """The tenant of that id that the user belongs to; with no id, the first."""

    async def get_tenant(self, tenant_id: str) -> Tenant | None: ...

    async def list_tenants(self, size: int, after: tuple[str | int, ...] | None) -> list[Tenant]: ...

    async def update_tenant(
        self, tenant_id: str, *, name: str | None, plan: str | None, status: TenantStatus | None, grow: bool
    ) -> Tenant | None:
        """Changes what is not None; `grow` makes a new version."""

    async def get_user(self, tenant_id: str, user_id: str) -> User | None: ...

    async def password_hash(self, user_id: str) -> str: ...

    async def update_user(self, user_id: str, *, full_name: str | None, password_hash: str | None) -> None: ...

    async def add_session(self, session: Session) -> None: ...

    async def revoke_session(self, session_id: str) -> bool:
        """Whether it lived until now."""

    async def revoke_other_sessions(self, user_id: str, session_id: str) -> list[str]:
        """The ids of those revoked."""

    async def add_refresh_token(self, token_hash: bytes, session_id: str, expires_at: datetime) -> None: ...

    async def lock_refresh_token(self, token_hash: bytes) -> RefreshToken | None:
        """In all tenants; held until the transaction ends."""

    async def use_refresh_token(self, token_hash: bytes, at: datetime) -> None: ...

    async def add_api_key(self, key: ApiKey, secret_hash: bytes) -> None: ...

    async def get_api_key(self, tenant_id: str, key_id: str) -> ApiKey | None:
        """None if revoked."""

    async def list_api_keys(self, tenant_id: str, size: int, after: tuple[str | int, ...] | None) -> list[ApiKey]: ...

    async def end_api_key(self, tenant_id: str, key_id: str, at: datetime) -> bool:
        """Revokes it from `at` on; whether it was there."""

    async def find_api_key(self, key_id: str) -> tuple[ApiKey, bytes] | None:
        """With the hash of its secret; in all tenants."""

    async def touch_api_key(self, key_id: str, at: datetime) -> None: ...

    async def add_changes(self, changes: Sequence[tuple[Subject, str]]) -> None:
        """Told to every replica when the transaction commits."""

    async def changes_since(self, version: int, limit: int) -> tuple[list[Change], bool]:
        """The changes after `version`, oldest first, and whether some in between are forgotten already."""

    async def latest_version(self) -> int: ...

    async def trim_changes(self, before: datetime) -> None: ...


class Store(Protocol):
    """Opens transactions."""

    def transaction(self, tenant_id: str) -> AbstractAsyncContextManager[Repository]:
        """Sees one tenant's rows."""

    def platform(self) -> AbstractAsyncContextManager[Repository]:
        """Sees all rows: for log-ins, keys by id, operators."""
