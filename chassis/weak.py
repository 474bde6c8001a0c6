"""Which secrets are none: those of examples and defaults, and those that a keyboard makes. Knows no setting."""

import re

_PHRASES = (
    "changeme",
    "changethis",
    "replaceme",
    "replacethis",
    "yoursecret",
    "yourpassword",
    "yourapikey",
    "mysecret",
    "secretkey",
    "supersecret",
    "topsecret",
    "donotuse",
    "notasecret",
    "placeholder",
    "insecure",
    "default",
    "example",
    "password",
    "qwerty",
    "letmein",
    "correcthorse",
    "helloworld",
    "loremipsum",
)
_WELL_KNOWN = frozenset(
    ("postgres", "redis", "valkey", "admin", "root", "secret", "test", "guest", "user", "aisp", "local", "dev", "none")
)
LEAST_DIFFERENT = 8
"""Characters that a secret of the usual length has at least; a random one has far more."""


def why_weak(secret: str) -> str:
    """What is wrong with a secret, for a sentence that begins with its name; empty if nothing is."""
    letters = re.sub(r"[^a-z]", "", secret.lower())
    if letters in _WELL_KNOWN and len(letters) >= len(secret) - 4:
        return "is a well-known value"
    if any(phrase in letters for phrase in _PHRASES):
        return "is a default or an example"
    if secret in (secret + secret)[1:-1]:
        return "repeats itself"
    if len(secret) >= 2 * LEAST_DIFFERENT and len(set(secret)) < LEAST_DIFFERENT:
        return f"has fewer than {LEAST_DIFFERENT} different characters"
    return ""
