"""Which passwords are taken, as far as their form says it; how easily one is guessed, the judge knows."""

import unicodedata

from auth_service.domain.errors import WeakPassword
from chassis.errors import Violation

MAX_CHARACTERS = 128
MAX_PRESENTED = 1024
"""Of a password that is only compared: longer ones cannot be right, and are not hashed whole."""


def normal(password: str) -> str:
    """One form for what keyboards of different systems send for the same password (NFKC, as NIST 800-63B asks)."""
    return unicodedata.normalize("NFKC", password[:MAX_PRESENTED])


def check_form(password: str, email: str, least: int) -> None:
    """WeakPassword if it is too short, too long, or says only the address or one character again and again."""
    lower, local = password.lower(), email.split("@", 1)[0]
    if not least <= len(password) <= MAX_CHARACTERS:
        raise weak(f"must have {least} to {MAX_CHARACTERS} characters")
    if lower in (email, local, email.split("@", 1)[-1]):
        raise weak("must not be the e-mail address")
    if len(set(lower)) < 4:
        raise weak("must have four different characters at least")


def weak(problem: str) -> WeakPassword:
    """The error of a password with this problem."""
    return WeakPassword(f"password: {problem}.", violations=[Violation("password", problem)])
