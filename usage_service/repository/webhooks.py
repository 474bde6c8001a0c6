"""Webhooks, deliveries, and what was told once."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from chassis.context import RequestContext
from usage_service.domain.webhooks import DELIVER, Delivery, DeliveryStatus, Webhook
from usage_service.repository.rows import Rows
from usage_service.repository.tables import deliveries, tellings, webhooks


class WebhookRows(Rows):
    """Queries on webhooks."""

    async def put_webhook(self, webhook: Webhook) -> None:
        values = {name: getattr(webhook, name) for name in webhook.__slots__} | {"event_types": [*webhook.event_types]}
        changed = {name: value for name, value in values.items() if name not in ("id", "tenant_id", "created_at")}
        statement = insert(webhooks).values(**values)
        await self._db.execute(statement.on_conflict_do_update(index_elements=["id"], set_=changed))

    async def get_webhook(self, tenant_id: str, webhook_id: str, *, lock: bool = False) -> Webhook | None:
        query = sa.select(webhooks).where(webhooks.c.tenant_id == tenant_id, webhooks.c.id == webhook_id)
        row = (await self._db.execute(query.with_for_update() if lock else query)).one_or_none()
        return _webhook(row) if row else None

    async def webhooks_of(self, tenant_id: str) -> list[Webhook]:
        rows = await self._db.execute(sa.select(webhooks).where(webhooks.c.tenant_id == tenant_id))
        return [_webhook(row) for row in rows]

    async def list_webhooks(self, tenant_id: str, size: int, after: tuple[str | int, ...] | None) -> list[Webhook]:
        query = sa.select(webhooks).where(webhooks.c.tenant_id == tenant_id)
        if after is not None:
            query = query.where(webhooks.c.id < sa.cast(str(after[0]), webhooks.c.id.type))
        return [_webhook(row) for row in await self._db.execute(query.order_by(webhooks.c.id.desc()).limit(size + 1))]

    async def delete_webhook(self, tenant_id: str, webhook_id: str) -> bool:
        statement = webhooks.delete().where(webhooks.c.tenant_id == tenant_id, webhooks.c.id == webhook_id)
        return (await self._db.execute(statement)).rowcount > 0

    async def add_deliveries(self, rows: Sequence[Delivery]) -> None:
        for row in rows:
            await self._db.execute(deliveries.insert().values(**_values(row)))
            asking = RequestContext(f"webhook-{row.id}", tenant_id=row.tenant_id)
            await self._jobs.enqueue(self._db, DELIVER, asking, {"delivery_id": row.id})

    async def get_delivery(self, tenant_id: str, delivery_id: str) -> Delivery | None:
        query = sa.select(deliveries).where(deliveries.c.tenant_id == tenant_id, deliveries.c.id == delivery_id)
        row = (await self._db.execute(query)).one_or_none()
        return _delivery(row) if row else None

    async def put_delivery(self, row: Delivery) -> None:
        await self._db.execute(deliveries.update().where(deliveries.c.id == row.id).values(**_values(row)))

    async def list_deliveries(
        self, tenant_id: str, webhook_id: str, size: int, after: tuple[str | int, ...] | None
    ) -> list[Delivery]:
        query = sa.select(deliveries).where(deliveries.c.tenant_id == tenant_id, deliveries.c.webhook_id == webhook_id)
        if after is not None:
            query = query.where(deliveries.c.id < sa.cast(str(after[0]), deliveries.c.id.type))
        rows = await self._db.execute(query.order_by(deliveries.c.id.desc()).limit(size + 1))
        return [_delivery(row) for row in rows]

    async def tell_once(self, tenant_id: str, once: str, at: datetime) -> bool:
        statement = insert(tellings).values(tenant_id=tenant_id, once=once, told_at=at).on_conflict_do_nothing()
        return (await self._db.execute(statement)).rowcount > 0

    async def forget_tellings(self, before: datetime) -> int:
        """Deliveries that ended, and what was told once, of a time that has passed; how many rows."""
        old = await self._db.execute(
            deliveries.delete().where(deliveries.c.created_at < before, deliveries.c.ended_at.is_not(None))
        )
        told = await self._db.execute(tellings.delete().where(tellings.c.told_at < before))
        return int(old.rowcount + told.rowcount)


def _values(row: Delivery) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in row.__slots__}
    return values | {"status": row.status.value, "payload": dict(row.payload)}


def _webhook(row: Any) -> Webhook:
    values = {name: getattr(row, name) for name in Webhook.__slots__}
    return Webhook(**values | {"event_types": tuple(row.event_types)})


def _delivery(row: Any) -> Delivery:
    values = {name: getattr(row, name) for name in Delivery.__slots__}
    return Delivery(**values | {"status": DeliveryStatus(row.status)})
