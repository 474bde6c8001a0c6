"""Webhooks: made, changed, rotated, tested; events published by other services."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from chassis.pagination import Page, PageRequest
from usage_service.domain.errors import BadWebhook, TooManyWebhooks, WebhookNotFound
from usage_service.domain.ports import Messenger, Repository, Store, Vault
from usage_service.domain.webhooks import EVENT_TYPES, WEBHOOK_TEST, Delivery, Webhook
from usage_service.policy import webhooks as policy
from usage_service.service.tellings import Tellings

MAX_ONCE = 200


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to be changed of a webhook; None stays."""

    url: str | None = None
    event_types: Sequence[str] | None = None
    description: str | None = None
    enabled: bool | None = None


class Webhooks:
    """`most`: how many a tenant may have; `new_id` makes ids in order of time."""

    def __init__(
        self,
        store: Store,
        tellings: Tellings,
        messenger: Messenger,
        vault: Vault,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
        most: int,
    ) -> None:
        self._store = store
        self._tellings = tellings
        self._messenger = messenger
        self._vault = vault
        self._clock = clock
        self._new_id = new_id
        self._most = most

    async def create(
        self, tenant_id: str, url: str, event_types: Sequence[str], description: str
    ) -> tuple[Webhook, str]:
        """The webhook and its secret, as people get it. UrlRefused, AddressRefused, BadWebhook, TooManyWebhooks."""
        webhook_id, secret = self._new_id(), secrets.token_bytes(policy.SECRET_BYTES)
        webhook = Webhook(
            id=webhook_id,
            tenant_id=tenant_id,
            url=self._messenger.check(url),
            event_types=policy.check_event_types(event_types),
            description=policy.check_description(description),
            secret=self._vault.seal(secret, tenant_id, webhook_id),
            old_secret=b"",
            old_until=None,
            enabled=True,
            disabled_reason="",
            failures=0,
            created_at=self._clock(),
        )
        async with self._store.transaction(tenant_id) as repository:
            if len(await repository.webhooks_of(tenant_id)) >= self._most:
                raise TooManyWebhooks
            await repository.put_webhook(webhook)
        return webhook, policy.secret_text(secret)

    async def list(self, tenant_id: str, request: PageRequest) -> Page[Webhook]:
        """Newest first."""
        async with self._store.transaction(tenant_id) as repository:
            rows = await repository.list_webhooks(tenant_id, request.size, request.after)
        return request.page(rows, lambda row: (row.id,))

    async def get(self, tenant_id: str, webhook_id: str) -> Webhook:
        """WebhookNotFound."""
        async with self._store.transaction(tenant_id) as repository:
            return await _found(repository, tenant_id, webhook_id)

    async def update(self, tenant_id: str, webhook_id: str, changes: Changes) -> Webhook:
        """To enable it forgets its failures. WebhookNotFound, UrlRefused, AddressRefused, BadWebhook."""
        url = None if changes.url is None else self._messenger.check(changes.url)
        types = None if changes.event_types is None else policy.check_event_types(changes.event_types)
        async with self._store.transaction(tenant_id) as repository:
            webhook = await _found(repository, tenant_id, webhook_id, lock=True)
            webhook = replace(
                webhook,
                url=webhook.url if url is None else url,
                event_types=webhook.event_types if types is None else types,
                description=webhook.description
                if changes.description is None
                else policy.check_description(changes.description),
            )
            if changes.enabled is not None:
                failures = 0 if changes.enabled else webhook.failures
                webhook = replace(webhook, enabled=changes.enabled, disabled_reason="", failures=failures)
            await repository.put_webhook(webhook)
        return webhook

    async def delete(self, tenant_id: str, webhook_id: str) -> None:
        """With its deliveries. WebhookNotFound."""
        async with self._store.transaction(tenant_id) as repository:
            if not await repository.delete_webhook(tenant_id, webhook_id):
                raise WebhookNotFound

    async def rotate(self, tenant_id: str, webhook_id: str, overlap_seconds: int) -> str:
        """The new secret, as people get it; the old one signs too for a while. WebhookNotFound."""
        secret = secrets.token_bytes(policy.SECRET_BYTES)
        async with self._store.transaction(tenant_id) as repository:
            webhook = await _found(repository, tenant_id, webhook_id, lock=True)
            until = self._clock() + timedelta(seconds=overlap_seconds) if overlap_seconds else None
            sealed = self._vault.seal(secret, tenant_id, webhook_id)
            old = webhook.secret if until else b""
            await repository.put_webhook(replace(webhook, secret=sealed, old_secret=old, old_until=until))
        return policy.secret_text(secret)

    async def test(self, tenant_id: str, webhook_id: str) -> Delivery:
        """Sends an event of its own, whatever types are wanted. WebhookNotFound; BadWebhook if it is disabled."""
        async with self._store.transaction(tenant_id) as repository:
            webhook = await _found(repository, tenant_id, webhook_id)
            if not webhook.enabled:
                raise BadWebhook("The webhook is disabled; enable it first.")
            delivery = self._tellings.delivery(webhook, WEBHOOK_TEST, {"webhook_id": webhook_id})
            await repository.add_deliveries([delivery])
        return delivery

    async def deliveries(self, tenant_id: str, webhook_id: str, request: PageRequest) -> Page[Delivery]:
        """Newest first. WebhookNotFound."""
        async with self._store.transaction(tenant_id) as repository:
            await _found(repository, tenant_id, webhook_id)
            rows = await repository.list_deliveries(tenant_id, webhook_id, request.size, request.after)
        return request.page(rows, lambda row: (row.id,))

    async def publish(self, tenant_id: str, event_type: str, data: Mapping[str, Any], once: str) -> int:
        """Tells of what another service did; how many webhooks. BadWebhook for a type that is none."""
        if event_type not in EVENT_TYPES or len(once) > MAX_ONCE:
            raise BadWebhook(f"event_type: one of {', '.join(EVENT_TYPES)}; once: at most {MAX_ONCE} characters.")
        async with self._store.transaction(tenant_id) as repository:
            return await self._tellings.tell(repository, tenant_id, event_type, data, once)


async def _found(repository: Repository, tenant_id: str, webhook_id: str, *, lock: bool = False) -> Webhook:
    webhook = await repository.get_webhook(tenant_id, webhook_id, lock=lock)
    if webhook is None:
        raise WebhookNotFound
    return webhook
