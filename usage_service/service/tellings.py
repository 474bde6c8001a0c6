"""Events for webhooks: put on their way in the transaction of what they tell of."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from usage_service.domain.ports import Repository
from usage_service.domain.webhooks import Delivery, DeliveryStatus, Webhook


class Tellings:
    """Tells the webhooks of a tenant. `new_id` makes ids in order of time."""

    def __init__(self, clock: Callable[[], datetime], new_id: Callable[[], str]) -> None:
        self._clock = clock
        self._new_id = new_id

    async def tell(
        self, repository: Repository, tenant_id: str, event_type: str, data: Mapping[str, Any], once: str = ""
    ) -> int:
        """Puts an event on its way to every webhook that wants it; how many. Under one name it is told once."""
        if once and not await repository.tell_once(tenant_id, once, self._clock()):
            return 0
        wanting = [
            webhook
            for webhook in await repository.webhooks_of(tenant_id)
            if webhook.enabled and (not webhook.event_types or event_type in webhook.event_types)
        ]
        await repository.add_deliveries([self.delivery(webhook, event_type, data) for webhook in wanting])
        return len(wanting)

    def delivery(self, webhook: Webhook, event_type: str, data: Mapping[str, Any]) -> Delivery:
        """A new delivery to one webhook."""
        now = self._clock()
        payload = {"type": event_type, "timestamp": now.isoformat().replace("+00:00", "Z"), "data": dict(data)}
        return Delivery(
            id=self._new_id(),
            tenant_id=webhook.tenant_id,
            webhook_id=webhook.id,
            event_type=event_type,
            payload=payload,
            status=DeliveryStatus.PENDING,
            attempts=0,
            response_status=0,
            error="",
            created_at=now,
            ended_at=None,
        )
