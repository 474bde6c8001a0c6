"""Which secrets are none: those of examples and defaults, and those that a keyboard makes. Knows no setting."""

import re

_PHRASES = (
    "change me", "change this", "replace me", "replace this", "your secret", "your password", "your api key",
    "my secret", "secret key", "super secret", "top secret", "do not use", "not a secret", "place holder", "insecure",
    "default", "example", "password", "p@ssword", "passw0rd", "qwerty", "let me in", "correct horse", "hello world",
    "lorem ipsum",
)  # fmt: skip
_WELL_KNOWN = frozenset(
    ("postgres", "redis", "valkey", "admin", "root", "secret", "test", "guest", "user", "aisp", "local", "dev", "none")
)


def _as_written(phrase: str) -> str:
    """A pattern of its words in small, in capital and in initial letters, together or parted."""
    return "[^A-Za-z0-9]?".join(f"(?:{word}|{word.upper()}|{word.capitalize()})" for word in phrase.split())


_WRITTEN = re.compile("|".join(map(_as_written, _PHRASES)))
"""The phrases as a person writes them. In letters of any size (tqWeRTy) chance spells a short one in one of some
hundred thousand random secrets; in these it takes hundreds of millions."""
LEAST_DIFFERENT = 8
"""Characters that a secret of the usual length has at least; a random one has far more."""


def why_weak(secret: str) -> str:
    """What is wrong with a secret, for a sentence that begins with its name; empty if nothing is."""
    letters = re.sub(r"[^a-z]", "", secret.lower())
    if letters in _WELL_KNOWN and len(letters) >= len(secret) - 4:
        return "is a well-known value"
    if _WRITTEN.search(secret):
        return "is a default or an example"
    if secret in (secret + secret)[1:-1]:
        return "repeats itself"
    if len(secret) >= 2 * LEAST_DIFFERENT and len(set(secret)) < LEAST_DIFFERENT:
        return f"has fewer than {LEAST_DIFFERENT} different characters"
    return ""
