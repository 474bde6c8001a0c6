"""What a provider's key may be, and how people know it again without seeing it."""

from llm_service.domain.tenancy import ProviderKey

SHOWN = 4


def binding(key: ProviderKey) -> tuple[str, str, str]:
    """What the ciphertext is bound to: a row that is copied to another tenant, or another id, does not open."""
    return "provider_keys", key.tenant_id, key.id


def hint(secret: str) -> str:
    """The last characters of a long secret; of a short one nothing."""
    return secret[-SHOWN:] if len(secret) >= 4 * SHOWN else ""
