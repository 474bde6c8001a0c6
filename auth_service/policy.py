"""Decisions about identity without I/O: addresses, passwords, scopes, and the form of secrets."""

import binascii
import hashlib
import hmac
import re
import secrets
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from auth_service.domain import ScopeNotGrantable, WeakPassword
from chassis.errors import InvalidArgument, Violation

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
LIMIT_NAMES = (
    "requests_per_minute",
    "tokens_per_minute",
    "requests_per_day",
    "tokens_per_day",
    "concurrent_requests",
    "storage_bytes",
)
MAX_LIMIT = 2**53
MAX_OVERLAP_SECONDS = 604_800
_EMAIL = re.compile(r"[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+\.[^@\s\x00-\x1f]+")
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_KEY = re.compile(r"aisp_(?:live|test)_([0-9A-Za-z]{16})_([0-9A-Za-z]{43})([0-9A-Za-z]{6})")


def invalid(field: str, description: str) -> InvalidArgument:
    """The error of one field that is wrong."""
    return InvalidArgument(f"{field}: {description}.", violations=[Violation(field, description)])


def normal_email(email: str) -> str:
    """The address as it is compared and stored; InvalidArgument if it is none."""
    normal = unicodedata.normalize("NFKC", email).strip().lower()
    if not 3 <= len(normal) <= 254 or not _EMAIL.fullmatch(normal):
        raise invalid("email", "must be an e-mail address of at most 254 characters")
    return normal


def normal_name(field: str, name: str, *, least: int, most: int) -> str:
    """A name for people, without control characters; InvalidArgument if it is too short or too long."""
    normal = unicodedata.normalize("NFC", name).strip()
    if not least <= len(normal) <= most:
        raise invalid(field, f"must have {least} to {most} characters")
    if any(unicodedata.category(character).startswith("C") for character in normal):
        raise invalid(field, "must not contain control characters")
    return normal


def check_password(password: str, email: str) -> None:
    """WeakPassword if it is too short, too long, or easily guessed from itself or the address."""
    problem = ""
    if not 8 <= len(password) <= 128:
        problem = "must have 8 to 128 characters"
    elif password.lower() in (email, email.split("@", 1)[0]):
        problem = "must not be the e-mail address"
    elif len(set(password.lower())) < 4 or password.lower() in _SEQUENCES:
        problem = "is one of the first that anybody would try"
    if problem:
        raise WeakPassword(f"password: {problem}.", violations=[Violation("password", problem)])


_SEQUENCES = frozenset(
    row[start : start + length]
    for row in ("01234567890123456789", "abcdefghijklmnopqrstuvwxyz", "qwertyuiop1234567890", "passwordpassword123456")
    for length in range(8, len(row) + 1)
    for start in range(len(row) - length + 1)
)


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


def check_limits(limits: Mapping[str, int]) -> dict[str, int]:
    """A key's own limits; InvalidArgument for an unknown name or a number out of bounds."""
    for name, value in limits.items():
        if name not in LIMIT_NAMES:
            raise invalid("limits", f"{name[:64]} is not a limit; choose from {', '.join(LIMIT_NAMES)}")
        if not 0 <= value <= MAX_LIMIT:
            raise invalid("limits", f"{name} must be from 0 to 2^53")
    return dict(limits)


def check_expiry(expires_at: datetime | None, now: datetime) -> None:
    """InvalidArgument if a key would be born dead."""
    if expires_at is not None and expires_at <= now:
        raise invalid("expires_at", "must lie in the future")


def new_key_id() -> str:
    """16 random characters: 95 bits."""
    return "".join(secrets.choice(_BASE62) for _ in range(16))


def new_key_secret(key_id: str, *, live: bool) -> str:
    """A whole key: aisp_<env>_<id>_<secret><checksum>. The secret has 256 bits."""
    head = f"aisp_{'live' if live else 'test'}_{key_id}_"
    body = head + "".join(secrets.choice(_BASE62) for _ in range(43))
    return body + checksum(body)


def checksum(body: str) -> str:
    """Six characters by which typing errors and secret scanners recognise a key without a lookup (CRC-32)."""
    number, digits = binascii.crc32(body.encode()), ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        digits = _BASE62[digit] + digits
    return digits


def key_id_of(secret: str) -> str | None:
    """The id inside a presented key, or None if it is not of our form."""
    match = _KEY.fullmatch(secret) if len(secret) <= 200 else None
    if match is None or not hmac.compare_digest(checksum(secret[:-6]), match[3]):
        return None
    return match[1]


def secret_hash(secret: str) -> bytes:
    """What is stored of a secret with full entropy: SHA-256 (a slow hash would protect nothing more)."""
    return hashlib.sha256(secret.encode()).digest()


def new_refresh_token() -> str:
    """A first refresh token: 256 random bits."""
    return secrets.token_urlsafe(32)


def successor(token: str, key: bytes) -> str:
    """The token that replaces `token`. Derived: a repeated refresh gets the same one, and nothing need be kept."""
    digest = hmac.digest(key, b"aisp/refresh/v1" + token.encode(), "sha256")
    return binascii.b2a_base64(digest, newline=False).decode().rstrip("=").translate(str.maketrans("+/", "-_"))


def tenant_name_from(email: str) -> str:
    """The name of a tenant that was not given one."""
    return f"{email.split('@', 1)[0][:150]}'s workspace"
