"""What a provider's key may be, and how people know it again without seeing it."""

import re

from chassis.errors import Violation
from llm_service.domain.errors import BadProviderKey
from llm_service.domain.providers import Providers
from llm_service.domain.tenancy import ProviderKey

SHOWN = 4
MAX_SECRET, MAX_NAME, MAX_VERSION = 4096, 200, 64
_VISIBLE = re.compile(r"[!-~]*")
_VERSION = re.compile(r"[a-z0-9.-]*")


def binding(key: ProviderKey) -> tuple[str, str, str]:
    """What the ciphertext is bound to: a row that is copied to another tenant, or another id, does not open."""
    return "provider_keys", key.tenant_id, key.id


def hint(secret: str) -> str:
    """The last characters of a long secret; of a short one nothing."""
    return secret[-SHOWN:] if len(secret) >= 4 * SHOWN else ""


def check_key(key: ProviderKey, secret: str, providers: Providers) -> None:
    """BadProviderKey. Says nothing of the address: whether it may be called is another question."""
    if key.provider not in providers.keyed:
        _refuse("provider", f"must be one of {', '.join(sorted(providers.keyed))}")
    if key.provider in providers.without_address and not key.base_url:
        _refuse("base_url", f"is needed: {key.provider} has no address of its own")
    if len(key.name) > MAX_NAME or not key.name.isprintable():
        _refuse("name", f"must have at most {MAX_NAME} printable characters")
    if len(key.api_version) > MAX_VERSION or not _VERSION.fullmatch(key.api_version):
        _refuse("api_version", f"must have at most {MAX_VERSION} of a-z, 0-9, . -")
    check_secret(secret, empty=bool(key.base_url))


def check_secret(secret: str, *, empty: bool) -> None:
    """BadProviderKey. `empty`: whether a server of one's own may want none."""
    if not secret and not empty:
        _refuse("key", "is needed")
    if len(secret) > MAX_SECRET or not _VISIBLE.fullmatch(secret):
        _refuse("key", f"must have at most {MAX_SECRET} visible ASCII characters, without spaces")


def _refuse(field: str, description: str) -> None:
    raise BadProviderKey(f"{field} {description}.", violations=[Violation(field, description)])
