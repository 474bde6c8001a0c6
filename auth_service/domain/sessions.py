"""Log-ins: sessions, their refresh tokens, and access tokens."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from auth_service.domain.people import User
from auth_service.domain.tenants import Tenant


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
class TokenPair:
    """An access token (JWT) and the refresh token that replaces it."""

    access_token: str
    refresh_token: str
    expires_in_seconds: int


@dataclass(frozen=True, slots=True)
class Claims:
    """What an access token says."""

    tenant: Tenant
    user: User
    session_id: str
    scopes: tuple[str, ...]


class TokenSigner(Protocol):
    """Makes access tokens."""

    def sign(self, claims: Claims) -> tuple[str, int]:
        """The token and its life in seconds."""


class SessionQueries(Protocol):
    """Queries on sessions and refresh tokens."""

    async def add_session(self, session: Session) -> None: ...

    async def revoke_session(self, session_id: str) -> bool:
        """Whether it lived until now."""

    async def revoke_other_sessions(self, user_id: str, session_id: str) -> list[str]:
        """The ids of those revoked."""

    async def add_refresh_token(self, token_hash: bytes, session_id: str, expires_at: datetime) -> None: ...

    async def lock_refresh_token(self, token_hash: bytes) -> RefreshToken | None:
        """In all tenants; held until the transaction ends."""

    async def use_refresh_token(self, token_hash: bytes, at: datetime) -> None: ...
