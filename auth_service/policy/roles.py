"""What each role may do, and what may be granted."""

from collections.abc import Collection, Mapping, Sequence

from auth_service.domain.errors import RoleNotGrantable, ScopeNotGrantable
from auth_service.policy.names import invalid
from chassis.errors import Violation

SCOPES = (
    "inference",
    "documents:read",
    "documents:write",
    "usage:read",
    "keys:manage",
    "members:manage",
    "tenant:manage",
    "audit:read",
)
ROLES: Mapping[str, tuple[str, ...]] = {
    "owner": SCOPES,
    "admin": SCOPES,
    "developer": ("inference", "documents:read", "documents:write", "usage:read", "keys:manage"),
    "viewer": ("documents:read", "usage:read"),
}
KEY_DEFAULT_SCOPES = ("inference", "documents:read", "documents:write", "usage:read")


def scopes_of_role(role: str) -> tuple[str, ...]:
    """What a role may do; nothing for one that does not exist."""
    return ROLES.get(role, ())


def grant_scopes(asked: Sequence[str], held: Collection[str]) -> tuple[str, ...]:
    """The scopes of a new key: those asked for, all of which its maker must hold; with none asked, the usual ones."""
    if not asked:
        return tuple(scope for scope in KEY_DEFAULT_SCOPES if scope in held)
    wrong = sorted({scope for scope in asked if scope not in SCOPES or scope not in held})
    if wrong:
        raise ScopeNotGrantable(violations=[Violation("scopes", f"{scope[:64]} cannot be granted") for scope in wrong])
    return tuple(scope for scope in SCOPES if scope in set(asked))


def check_role(role: str, actor_role: str, actor_scopes: Collection[str]) -> None:
    """RoleNotGrantable unless the role is at most the actor's own, and allows nothing that the call itself may not.

    A call by API key may hold less than its maker's role; owners are made by owners only. InvalidArgument for a role
    that does not exist.
    """
    if role not in ROLES:
        raise invalid("role", f"must be one of {', '.join(ROLES)}")
    if _rank(role) > _rank(actor_role) or not set(ROLES[role]) <= set(actor_scopes):
        raise RoleNotGrantable(violations=[Violation("role", f"{role} cannot be given by you")])


def check_reach(member_role: str, actor_role: str) -> None:
    """RoleNotGrantable if a member stands above who wants to change or remove them."""
    if _rank(member_role) > _rank(actor_role):
        raise RoleNotGrantable


def _rank(role: str) -> int:
    order = tuple(ROLES)
    return len(order) - order.index(role) if role in order else 0
