"""Addresses and names of people and tenants: their normal forms and bounds."""

import re
import unicodedata

import idna

from chassis.errors import InvalidArgument, Violation

_EMAIL = re.compile(r"[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+\.[^@\s\x00-\x1f]+")
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_WORDS = re.compile(r"[^\W_]+")
_ALIKE = frozenset(("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "LISU", "DESERET"))
"""Scripts with letters that look the same; a word is in one of them."""


def invalid(field: str, description: str) -> InvalidArgument:
    """The error of one field that is wrong."""
    return InvalidArgument(f"{field}: {description}.", violations=[Violation(field, description)])


def normal_email(email: str) -> str:
    """The address as it is compared, stored and written to; InvalidArgument if it is none.

    Letters are made small, and not folded further: `ß` and `ss` are two people's mailboxes. A domain is as DNS has it.
    """
    normal = unicodedata.normalize("NFKC", email).strip().lower()
    if not 3 <= len(normal) <= 254 or not _EMAIL.fullmatch(normal) or not normal.isprintable():
        raise invalid("email", "must be an e-mail address of at most 254 characters")
    local, _, domain = normal.rpartition("@")
    _check_words("email", normal)
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True, transitional=False).decode()
        except idna.IDNAError as error:
            raise invalid("email", "must have a domain that exists in DNS") from error
    # Small letters can have become decomposed ones (İ), and other ones composed.
    return f"{unicodedata.normalize('NFKC', local)}@{domain}"


def normal_name(field: str, name: str, *, least: int, most: int) -> str:
    """A name for people, without control characters; InvalidArgument if it is too short or too long."""
    normal = unicodedata.normalize("NFC", name).strip()
    if not least <= len(normal) <= most:
        raise invalid(field, f"must have {least} to {most} characters")
    if any(unicodedata.category(character).startswith("C") for character in normal):
        raise invalid(field, "must not contain control characters")
    _check_words(field, normal)
    return normal


def _check_words(field: str, text: str) -> None:
    """InvalidArgument for a word of letters from several scripts that look alike: p\u0430ypal with a Cyrillic letter.

    A word that is all of another script is what it is: it is not told from a Latin one that looks the same.
    """
    if text.isascii():
        return
    for word in _WORDS.findall(text):
        scripts = {unicodedata.name(letter, "").partition(" ")[0] for letter in word if letter.isalpha()}
        if len(scripts & _ALIKE) > 1:
            raise invalid(field, f"mixes letters of {' and '.join(sorted(scripts & _ALIKE)).title()} in one word")


def tenant_name_from(email: str) -> str:
    """The name of a tenant that was not given one."""
    return f"{email.split('@', 1)[0][:150]}'s workspace"


def is_id(value: str) -> bool:
    """Whether it has the form of an id of a user, tenant, session or invitation (UUID)."""
    return bool(_ID.fullmatch(value))
