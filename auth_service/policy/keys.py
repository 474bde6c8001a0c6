"""API keys: their form, limits and expiry."""

import binascii
import hmac
import re
import secrets
from collections.abc import Mapping
from datetime import datetime

from auth_service.policy.names import invalid

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
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_KEY = re.compile(r"aisp_(?:live|test)_([0-9A-Za-z]{16})_([0-9A-Za-z]{43})([0-9A-Za-z]{6})")


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
