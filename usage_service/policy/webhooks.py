"""Webhooks: secrets, signatures (standard-webhooks), pauses between attempts."""

import base64
import hashlib
import hmac
from collections.abc import Sequence

from usage_service.domain.errors import BadWebhook
from usage_service.domain.webhooks import EVENT_TYPES

PREFIX = "whsec_"
SECRET_BYTES = 32
MAX_DESCRIPTION = 500
MAX_DATA_CHARACTERS = 16 * 1024
MAX_PAUSE_SECONDS = 12 * 3600
GROWTH = 4
GONE = 410


def secret_text(secret: bytes) -> str:
    """A secret as it is told to people."""
    return PREFIX + base64.b64encode(secret).decode()


def signature(secrets: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> str:
    """The header `webhook-signature`: one signature for each secret that is still good."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    made = (hmac.new(secret, signed, hashlib.sha256).digest() for secret in secrets)
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in made)


def check_event_types(names: Sequence[str]) -> tuple[str, ...]:
    """The names, each once. BadWebhook for one that is none."""
    for name in names:
        if name not in EVENT_TYPES:
            raise BadWebhook(f"event_types: {name[:64]} is none; choose from {', '.join(EVENT_TYPES)}.")
    return tuple(dict.fromkeys(names))


def check_description(text: str) -> str:
    """The text. BadWebhook if it is too long."""
    if len(text) > MAX_DESCRIPTION:
        raise BadWebhook(f"description: at most {MAX_DESCRIPTION} characters.")
    return text


def pause_after(attempt: int, first_seconds: float) -> float:
    """Seconds until the next attempt: 5 s, 20 s, 80 s, 5 min, 21 min, 85 min, 6 h, 12 h … by default."""
    return float(min(first_seconds * GROWTH ** (attempt - 1), MAX_PAUSE_SECONDS))


def accepted(status: int) -> bool:
    """Whether the other side took a message."""
    return 200 <= status < 300
