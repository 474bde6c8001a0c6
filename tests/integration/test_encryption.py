"""Secrets at rest, under an old secret and then under a new one: what was sealed is what opens, row by row."""

from collections.abc import Callable
from uuid import uuid4

import pytest
import sqlalchemy as sa

from chassis.database import Database
from chassis.envelope import CannotOpen, Envelope
from chassis.sealed_rows import Sealed, SealedRows
from chassis.settings import DatabaseSettings
from llm_service.repository.tables import deployments, provider_keys

OLD, NEW = b"o" * 40, b"n" * 40


def bound(row: sa.Row[tuple[object, ...]]) -> tuple[str, str, str]:
    return "provider_keys", row.tenant_id or "", row.id


def rows(database: Database, vault: Envelope) -> SealedRows:
    return SealedRows(database, vault, [Sealed(provider_keys.c.sealed, bound)])


async def test_every_secret_is_under_the_new_one_and_is_what_it_was(
    migrated: Callable[[str], DatabaseSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.sealed_rows.BATCH", 3)
    old, both, new = Envelope("t", OLD), Envelope("t", NEW, [OLD]), Envelope("t", NEW)
    secrets = {str(uuid4()): f"sk-{uuid4().hex}" for _ in range(8)}
    async with Database(migrated("llm_service"), "llm") as database:
        async with database.platform() as connection:
            # What other tests left is sealed otherwise.
            await connection.execute(deployments.update().values(credential_id=None))
            await connection.execute(provider_keys.delete())
            for number, (key_id, secret) in enumerate(secrets.items()):
                # The platform's own, too, which belong to no tenant.
                tenant_id = str(uuid4()) if number else None
                sealed = old.seal(secret.encode(), "provider_keys", tenant_id or "", key_id)
                row = {"id": key_id, "tenant_id": tenant_id, "provider": "openai", "name": "a", "hint": ""}
                await connection.execute(provider_keys.insert().values(row | {"sealed": sealed}))
        with pytest.raises(CannotOpen):
            await rows(database, new).reencrypt()
        assert await rows(database, both).reencrypt() == {"provider_keys": 8}
        assert await rows(database, both).reencrypt() == {"provider_keys": 0}
        async with database.platform() as connection:
            found = (await connection.execute(sa.select(provider_keys))).all()
            opened = {row.id: new.open(bytes(row.sealed), *bound(row)).decode() for row in found}
            await connection.execute(provider_keys.delete())
        assert opened == secrets
