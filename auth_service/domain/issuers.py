"""Issuers of OpenID Connect that a tenant trusts: its people log in with their own identity provider."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from auth_service.domain.people import User


@dataclass(frozen=True, slots=True)
class Issuer:
    """Whose tokens are taken, and what their claims mean."""

    id: str
    tenant_id: str
    issuer: str
    """Exactly as the claim `iss` says it."""
    audience: str
    jwks_url: str
    """Where its keys are; empty: where its discovery document says."""
    email_claim: str
    name_claim: str
    role_claim: str
    """Empty: everybody gets the default role."""
    roles: Mapping[str, str]
    """What a value of the role claim gives."""
    default_role: str
    """Of whom no value gives one; empty: they are refused."""
    created_at: datetime
    platform: bool = False
    """It is the whole platform's, and this row what it is to one tenant."""


@dataclass(frozen=True, slots=True)
class PlatformIssuer:
    """An issuer that the operator trusts for tenants. It must say, or be told, for which."""

    template: Issuer
    """Without an id and a tenant."""
    tenant_claim: str
    """The claim that holds the tenant's id; empty: who logs in says it."""
    tenants: frozenset[str]
    """The only ones that it may speak for; none: those that the claim names."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a verified token says."""

    subject: str
    email: str
    full_name: str
    role: str


class ForeignTokens(Protocol):
    """Reads tokens of other issuers."""

    def addressee(self, token: str) -> tuple[str, tuple[str, ...]]:
        """Issuer and audiences that a token names, not verified: only to find out whose keys to ask for.
        BadAssertion.
        """

    async def verify(self, token: str, issuer: Issuer) -> Mapping[str, object]:
        """Its claims. BadAssertion; IssuerUnavailable if its keys cannot be had."""


class IssuerQueries(Protocol):
    """Queries on issuers and on whom they vouch for."""

    async def add_issuer(self, issuer: Issuer) -> None: ...

    async def ensure_issuer(self, issuer: Issuer) -> None:
        """Adds it, or brings it up to date; it is locked until the transaction ends."""

    async def platform_issuers(self) -> list[Issuer]:
        """What issuers of the whole platform are to tenants; in all tenants."""

    async def list_issuers(self, tenant_id: str) -> list[Issuer]: ...

    async def lock_issuer(self, issuer_id: str) -> bool:
        """Held until the transaction ends, so that a first log-in makes one user; whether it is there."""

    async def find_issuers(self, issuer: str, tenant_id: str) -> list[Issuer]:
        """By the claim `iss`, of a tenant or, for "", of all."""

    async def end_issuer(self, tenant_id: str, issuer_id: str) -> Issuer | None:
        """What it was."""

    async def users_of_issuer(self, tenant_id: str, issuer_id: str) -> list[str]: ...

    async def user_of_identity(self, issuer_id: str, subject: str) -> str | None: ...

    async def add_identity(self, issuer: Issuer, subject: str, user: User) -> None:
        """Makes the user, who belongs to this issuer and has no password. AlreadyMember if the issuer's tenant has
        another such user of this address.
        """
