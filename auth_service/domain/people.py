"""People: users, what they log in with, and the queries on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


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
class Actor:
    """Who acts: a user of a tenant, with the scopes of the token or key that calls."""

    tenant_id: str
    user_id: str
    scopes: tuple[str, ...]
    session_id: str = ""
    """Empty for a call by API key."""
    address: str = ""
    """The client's network address."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who is not known yet."""

    address: str = ""
    """The client's network address."""


@dataclass(frozen=True, slots=True)
class Member:
    """A user's place in a tenant."""

    user_id: str
    email: str
    full_name: str
    role: str
    joined_at: datetime


@dataclass(frozen=True, slots=True)
class Membership:
    """A tenant that a user belongs to."""

    tenant_id: str
    tenant_name: str
    role: str
    suspended: bool


class PasswordHasher(Protocol):
    """Hashes passwords, slowly on purpose."""

    async def hash(self, password: str) -> str:
        """The hash; LoginBusy when too many wait."""

    async def verify(self, password: str, stored: str | None) -> bool:
        """Whether it matches. `stored` None costs the same and is False."""


class PasswordJudge(Protocol):
    """Knows which passwords are the first that anybody would try."""

    async def problem(self, password: str, known: Sequence[str]) -> str:
        """What is wrong with it, for a sentence that begins with "password"; empty if nothing is. `known`: what one
        who guesses knows of the person.
        """


class PeopleQueries(Protocol):
    """Queries on users and their memberships."""

    async def add_user(self, user: User, password_hash: str) -> None:
        """EmailTaken if the address is."""

    async def add_membership(self, tenant_id: str, user_id: str, role: str) -> None: ...

    async def find_account(self, email: str) -> Account | None:
        """By address, in all tenants."""

    async def set_operator(self, user_id: str, password_hash: str) -> None: ...

    async def first_tenant_id(self, user_id: str, tenant_id: str) -> str | None:
        """The tenant of that id that the user belongs to; with no id, the first that is not suspended."""

    async def get_user(self, tenant_id: str, user_id: str) -> User | None: ...

    async def password_hash(self, user_id: str) -> str: ...

    async def update_user(self, user_id: str, *, full_name: str | None, password_hash: str | None) -> None: ...


class MemberQueries(Protocol):
    """Queries on who belongs to a tenant."""

    async def list_members(self, tenant_id: str, size: int, after: tuple[str | int, ...] | None) -> list[Member]: ...

    async def get_member(self, tenant_id: str, user_id: str) -> Member | None: ...

    async def count_members(self, tenant_id: str, role: str | None = None) -> int:
        """Of one role, or of all."""

    async def set_role(self, tenant_id: str, user_id: str, role: str) -> None: ...

    async def remove_membership(self, tenant_id: str, user_id: str) -> None: ...

    async def list_memberships(self, user_id: str) -> list[Membership]:
        """In all tenants, the first joined first."""
