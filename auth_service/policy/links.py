"""The secrets of links: computed from the link's id under a key, so that what is stored gives nobody anything."""

import base64
import binascii
import hmac
from uuid import UUID, uuid4

from auth_service.domain.links import Purpose

_MAC_BYTES = 32


def new_id() -> str:
    """A random id: 122 bits."""
    return str(uuid4())


def token_of(link_id: str, purpose: Purpose, key: bytes) -> str:
    """The secret: 64 characters that are safe in a URL."""
    raw = UUID(link_id).bytes
    return base64.urlsafe_b64encode(raw + _mac(raw, purpose, key)).decode()


def id_of(token: str, purpose: Purpose, key: bytes) -> str | None:
    """The id of the link, if this is a secret that we made for this purpose; else None, without a look-up."""
    if len(token) != 64 or not token.isascii():
        return None
    try:
        raw = base64.b64decode(token, altchars=b"-_", validate=True)
    except binascii.Error:
        return None
    link_id, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
    return str(UUID(bytes=link_id)) if hmac.compare_digest(mac, _mac(link_id, purpose, key)) else None


def page(base_url: str, purpose: Purpose, token: str) -> str:
    """The link; the secret stands in the fragment, which browsers send to nobody. Empty without a page."""
    return f"{base_url.rstrip('/')}/{purpose.value}#token={token}" if base_url else ""


def _mac(raw: bytes, purpose: Purpose, key: bytes) -> bytes:
    return hmac.digest(key, f"aisp/link/v1/{purpose.value}/".encode() + raw, "sha256")
