"""Of a request under an Idempotency-Key: the key, and what tells another request under it."""

import hashlib
from typing import Any

from chassis.idempotency import MAX_KEY_CHARACTERS
from gateway.errors import BadIdempotencyKey


def fingerprint(method: str, path: str, *parts: bytes) -> str:
    """What makes two requests under one Idempotency-Key the same."""
    digest = hashlib.sha256(f"{method} {path}".encode())
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def idempotency_key(headers: Any) -> str:
    """The header's value; empty if there is none. BadIdempotencyKey."""
    key = next((value for name, value in headers if name == b"idempotency-key"), None)
    if key is None:
        return ""
    if not 1 <= len(key) <= MAX_KEY_CHARACTERS or not all(32 < byte < 127 for byte in key):
        raise BadIdempotencyKey
    return str(key.decode())
