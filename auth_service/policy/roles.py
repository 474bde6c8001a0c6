"""What each role may do, and what may be granted."""

from collections.abc import Collection, Mapping, Sequence

from auth_service.domain.errors import ScopeNotGrantable
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
