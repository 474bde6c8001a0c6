"""Providers' keys under another secret: both open while the old one is told; encrypted anew, they need it no more."""

import base64
from collections.abc import Callable
from uuid import uuid4

import pytest
from pydantic import SecretStr

from chassis.envelope import CannotOpen
from chassis.settings import DatabaseSettings, EncryptionSettings, RedisSettings
from llm_service.app import NAME, connected, reencrypt, use_cases
from llm_service.domain.tenancy import ProviderKey
from llm_service.policy.keys import binding
from llm_service.settings import Settings
from tests.integration.conftest import ROOT
from tests.standins import llm

OLD, NEW = (
    SecretStr("the secret before, of enough bytes to pass"),
    SecretStr("the secret after, of enough bytes to pass"),
)


@pytest.fixture
def settings(migrated: Callable[[str], DatabaseSettings], valkey: RedisSettings) -> Settings:
    return llm.settings(migrated("llm_service"), valkey, ROOT, "http://127.0.0.1:9/v1")


async def test_keys_are_encrypted_anew(settings: Settings) -> None:
    tenant = str(uuid4())
    before = settings.model_copy(update={"encryption": EncryptionSettings(secret=OLD)})
    async with connected(before) as parts:
        wanted = ProviderKey("", tenant, "openai", "ours", b"", "")
        made = await use_cases(before, parts).keys.create(wanted, "sk-secret")
    # What other tests left here is under the key that stands in for a secret that is not set.
    unset = SecretStr(base64.b64encode(settings.keyring(NAME).key(NAME, NAME) or b"").decode())
    both = settings.model_copy(update={"encryption": EncryptionSettings(secret=NEW, previous=(OLD, unset))})
    await reencrypt(both, [])
    after = settings.model_copy(update={"encryption": EncryptionSettings(secret=NEW)})
    async with connected(after) as parts:
        async with parts.store.transaction(tenant) as repository:
            (kept,) = await repository.provider_keys(tenant)
        assert kept.sealed != made.sealed
        assert parts.vault.open(kept.sealed, *binding(kept)) == b"sk-secret"
        # Bound to its row and its tenant: copied elsewhere it does not open.
        with pytest.raises(CannotOpen):
            parts.vault.open(kept.sealed, "provider_keys", str(uuid4()), kept.id)
