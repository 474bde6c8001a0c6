"""Rows of the audit log. The runtime role may add them, and neither change nor remove them."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import BYTEA, JSONB, TIMESTAMP, UUID
from sqlalchemy.dialects.postgresql import insert as upsert

from auth_service.domain.audit import AuditEvent, AuditFilter, AuditHead, AuditTrail, Deed
from auth_service.repository.tables import Rows, metadata

audit_events = sa.Table(
    "audit_events",
    metadata,
    sa.Column("tenant_id", UUID(as_uuid=False), primary_key=True),
    sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", TIMESTAMP(timezone=True), nullable=False),
    # Text and not JSONB: the hash is of these very bytes.
    sa.Column("document", sa.Text, nullable=False),
    sa.Column("hash", BYTEA, nullable=False),
    sa.Index("ix_audit_events_tenant_id_at", "tenant_id", "at"),
)
audit_heads = sa.Table(
    "audit_heads",
    metadata,
    sa.Column("tenant_id", UUID(as_uuid=False), primary_key=True),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("hash", BYTEA, nullable=False),
    sa.Column("key_id", sa.Text, nullable=False),
    sa.Column("signature", BYTEA, nullable=False),
)


class AuditRows(Rows):
    """Queries on the audit log."""

    async def append_audit_events(self, tenant_id: str, deeds: Sequence[Deed], trail: AuditTrail) -> None:
        """Adds rows to the tenant's chain; its other writers wait until this transaction ends."""
        first = {"tenant_id": tenant_id, "sequence": 0, "hash": bytes(32), "key_id": "", "signature": b""}
        await self._db.execute(upsert(audit_heads).values(first).on_conflict_do_nothing())
        query = sa.select(audit_heads).where(audit_heads.c.tenant_id == tenant_id).with_for_update()
        row = (await self._db.execute(query)).one()
        events, head = trail.seal(AuditHead(row.tenant_id, row.sequence, bytes(row.hash)), deeds)
        rows = [
            {"tenant_id": one.tenant_id, "sequence": one.sequence, "at": one.at, "document": one.document}
            | {"hash": one.hash}
            for one in events
        ]
        await self._db.execute(audit_events.insert(), rows)
        change = audit_heads.update().where(audit_heads.c.tenant_id == tenant_id)
        await self._db.execute(
            change.values(sequence=head.sequence, hash=head.hash, key_id=head.key_id, signature=head.signature)
        )

    async def list_audit_events(self, tenant_id: str, which: AuditFilter, size: int, below: int) -> list[AuditEvent]:
        query = _narrowed(tenant_id, which)
        if below:
            query = query.where(audit_events.c.sequence < below)
        found = await self._db.execute(query.order_by(audit_events.c.sequence.desc()).limit(size + 1))
        return [_event(row) for row in found]

    async def read_audit_events(self, tenant_id: str, which: AuditFilter, size: int, above: int) -> list[AuditEvent]:
        query = _narrowed(tenant_id, which).where(audit_events.c.sequence > above)
        return [_event(row) for row in await self._db.execute(query.order_by(audit_events.c.sequence).limit(size))]

    async def audit_head(self, tenant_id: str) -> AuditHead | None:
        query = sa.select(audit_heads).where(audit_heads.c.tenant_id == tenant_id, audit_heads.c.sequence > 0)
        row = (await self._db.execute(query)).one_or_none()
        return (
            AuditHead(row.tenant_id, row.sequence, bytes(row.hash), row.key_id, bytes(row.signature)) if row else None
        )

    async def audit_chains(self) -> list[str]:
        return list(
            (await self._db.execute(sa.select(audit_heads.c.tenant_id).order_by(audit_heads.c.tenant_id))).scalars()
        )

    async def sign_audit_head(self, tenant_id: str, head: AuditHead) -> None:
        change = audit_heads.update().where(
            audit_heads.c.tenant_id == tenant_id, audit_heads.c.sequence == head.sequence
        )
        await self._db.execute(change.values(key_id=head.key_id, signature=head.signature))


def _narrowed(tenant_id: str, which: AuditFilter) -> sa.Select[Any]:
    query = sa.select(audit_events).where(audit_events.c.tenant_id == tenant_id)
    document = sa.cast(audit_events.c.document, JSONB)
    if which.action:
        action = document["action"].astext
        query = query.where(sa.or_(action == which.action, sa.func.split_part(action, ".", 1) == which.action))
    for value, path in (
        (which.resource_id, document["resource_id"]),
        (which.user_id, document["actor"]["user_id"]),
        (which.key_id, document["actor"]["key_id"]),
        (which.request_id, document["request_id"]),
    ):
        if value:
            query = query.where(path.astext == value)
    if which.since is not None:
        query = query.where(audit_events.c.at >= which.since)
    if which.until is not None:
        query = query.where(audit_events.c.at < which.until)
    return query


def _event(row: Any) -> AuditEvent:
    return AuditEvent(row.tenant_id, row.sequence, row.at, row.document, bytes(row.hash))
