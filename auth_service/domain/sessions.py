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
    address: str = ""
    """That it was opened from."""


@dataclass(frozen=True, slots=True)
class LivingSession:
    """A session that was not ended, and whose newest refresh token is still good."""

    session: Session
    created_at: datetime
    last_used_at: datetime


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
class LoggedIn:
    """A user in a tenant, with first tokens for it."""

    tenant: Tenant
    user: User
    tokens: TokenPair


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

    async def session_lives(self, tenant_id: str, user_id: str, session_id: str) -> bool:
        """Whether it is the user's in the tenant, and not revoked."""

    async def session_opened_at(self, tenant_id: str, session_id: str) -> datetime | None: ...

    async def add_session(self, session: Session) -> None: ...

    async def revoke_session(self, session_id: str) -> bool:
        """Whether it lived until now."""

    async def list_sessions(self, user_id: str, now: datetime, most: int) -> list[LivingSession]:
        """A user's, in all tenants, newest first."""

    async def revoke_user_session(self, user_id: str, session_id: str) -> str | None:
        """The id of its tenant; None if it is not the user's, or had ended."""

    async def revoke_other_sessions(self, user_id: str, session_id: str) -> list[str]:
        """All of a user's in all tenants but one (or none, for ""); the ids of those revoked."""

    async def revoke_sessions_in(self, tenant_id: str, user_id: str) -> list[str]:
        """All of a user's in one tenant; the ids of those revoked."""

    async def add_refresh_token(self, token_hash: bytes, session_id: str, expires_at: datetime) -> None: ...

    async def lock_refresh_token(self, token_hash: bytes) -> RefreshToken | None:
        """In all tenants; held until the transaction ends."""

    async def use_refresh_token(self, token_hash: bytes, at: datetime) -> None: ...

    async def trim_sessions(self, before: datetime) -> None:
        """Forgets refresh tokens that expired before then, and sessions that have none left."""
