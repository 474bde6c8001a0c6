"""Addresses and names of people and tenants: their normal forms and bounds."""

import re
import unicodedata

from chassis.errors import InvalidArgument, Violation

_EMAIL = re.compile(r"[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+\.[^@\s\x00-\x1f]+")
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


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


def tenant_name_from(email: str) -> str:
    """The name of a tenant that was not given one."""
    return f"{email.split('@', 1)[0][:150]}'s workspace"


def is_id(value: str) -> bool:
    """Whether it has the form of an id of a user, tenant, session or invitation (UUID)."""
    return bool(_ID.fullmatch(value))
