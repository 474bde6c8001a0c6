"""Secrets with full entropy: how they are made, what is stored of them."""

import binascii
import hashlib
import hmac
import secrets


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
