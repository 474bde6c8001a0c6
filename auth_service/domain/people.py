"""People: users, what they log in with, and the queries on them."""

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


class PasswordHasher(Protocol):
    """Hashes passwords, slowly on purpose."""

    async def hash(self, password: str) -> str:
        """The hash; LoginBusy when too many wait."""

    async def verify(self, password: str, stored: str | None) -> bool:
        """Whether it matches. `stored` None costs the same and is False."""


class PeopleQueries(Protocol):
    """Queries on users and their memberships."""

    async def add_user(self, user: User, password_hash: str) -> None:
        """EmailTaken if the address is."""

    async def add_membership(self, tenant_id: str, user_id: str, role: str) -> None: ...

    async def find_account(self, email: str) -> Account | None:
        """By address, in all tenants."""

    async def set_operator(self, user_id: str, password_hash: str) -> None: ...

    async def first_tenant_id(self, user_id: str, tenant_id: str) -> str | None:
        """The tenant of that id that the user belongs to; with no id, the first."""

    async def get_user(self, tenant_id: str, user_id: str) -> User | None: ...

    async def password_hash(self, user_id: str) -> str: ...

    async def update_user(self, user_id: str, *, full_name: str | None, password_hash: str | None) -> None: ...
