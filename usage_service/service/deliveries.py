"""Messages to webhooks: signed, sent, tried again with growing pauses, given up; a webhook that never answers is
disabled.

A message may arrive twice (a worker that dies after it was taken sends it again): `webhook-id` is the same.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import orjson
import structlog

from chassis.errors import InvalidArgument, PlatformError, Unavailable
from chassis.job import Job
from usage_service.domain.ports import Messenger, Store, Vault
from usage_service.domain.webhooks import Delivery, DeliveryStatus, Webhook
from usage_service.policy import webhooks as policy

log = structlog.get_logger()

USER_AGENT = "AI-Service-Platform-Webhooks/1"


class NotDelivered(Unavailable):
    """An attempt failed, and there will be another."""


@dataclass(frozen=True, slots=True)
class DeliveryRules:
    """`attempts`: of one message; `first_pause`: seconds, each further one is longer; `disable_after`: so many failed
    attempts on end disable a webhook; `kept`: how long deliveries are listed.
    """

    attempts: int
    first_pause: float
    disable_after: int
    kept: timedelta


class Deliveries:
    """Does the jobs."""

    def __init__(
        self, store: Store, messenger: Messenger, vault: Vault, clock: Callable[[], datetime], rules: DeliveryRules
    ) -> None:
        self._store = store
        self._messenger = messenger
        self._vault = vault
        self._clock = clock
        self._rules = rules

    async def run(self, job: Job) -> None:
        """One attempt. NotDelivered."""
        found = await self._find(job)
        if found is None:
            return
        delivery, webhook = found
        if not webhook.enabled:
            await self._end(delivery, DeliveryStatus.FAILED, 0, "the webhook is disabled")
            return
        status, error, final = await self._attempt(delivery, webhook)
        delivery = replace(delivery, attempts=job.attempt)
        if not error:
            await self._end(delivery, DeliveryStatus.DELIVERED, status, "", webhook)
            return
        gone = status == policy.GONE
        if final or gone or job.attempt >= self._rules.attempts:
            await self._end(delivery, DeliveryStatus.FAILED, status, error, webhook, gone=gone)
            return
        await self._note(replace(delivery, response_status=status, error=error), webhook)
        raise NotDelivered(retry_after=policy.pause_after(job.attempt, self._rules.first_pause))

    async def failed(self, job: Job, error: PlatformError) -> None:
        """A job that is given up otherwise."""
        found = await self._find(job)
        if found:
            await self._end(found[0], DeliveryStatus.FAILED, 0, error.message)

    async def forget_old(self) -> int:
        """Deliveries that ended long ago; how many rows."""
        async with self._store.platform() as repository:
            return await repository.forget_tellings(self._clock() - self._rules.kept)

    async def _find(self, job: Job) -> tuple[Delivery, Webhook] | None:
        async with self._store.transaction(job.tenant_id) as repository:
            delivery = await repository.get_delivery(job.tenant_id, str(job.payload["delivery_id"]))
            webhook = delivery and await repository.get_webhook(job.tenant_id, delivery.webhook_id)
        if not delivery or not webhook or delivery.status is not DeliveryStatus.PENDING:
            return None
        return delivery, webhook

    async def _attempt(self, delivery: Delivery, webhook: Webhook) -> tuple[int, str, bool]:
        """The answer's status, what was wrong, and whether trying again is of no use."""
        body = orjson.dumps(delivery.payload)
        now = self._clock()
        sealed = [webhook.secret]
        if webhook.old_secret and webhook.old_until and now < webhook.old_until:
            sealed.append(webhook.old_secret)
        known = [self._vault.open(one, webhook.tenant_id, webhook.id) for one in sealed]
        timestamp = int(now.timestamp())
        headers = {
            "content-type": "application/json",
            "user-agent": USER_AGENT,
            "webhook-id": delivery.id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": policy.signature(known, delivery.id, timestamp, body),
        }
        try:
            status = await self._messenger.post(webhook.url, headers, body)
        except InvalidArgument as error:
            return 0, error.message, True
        except PlatformError as error:
            return 0, error.message, False
        return status, "" if policy.accepted(status) else f"The other side answered {status}.", False

    async def _end(
        self,
        delivery: Delivery,
        status: DeliveryStatus,
        answered: int,
        error: str,
        webhook: Webhook | None = None,
        *,
        gone: bool = False,
    ) -> None:
        ended = replace(delivery, status=status, response_status=answered, error=error, ended_at=self._clock())
        await self._note(ended, webhook, gone=gone)

    async def _note(self, delivery: Delivery, told: Webhook | None, *, gone: bool = False) -> None:
        """Writes down how an attempt ended, and counts it for the webhook."""
        async with self._store.transaction(delivery.tenant_id) as repository:
            await repository.put_delivery(delivery)
            if told is None:
                return
            webhook = await repository.get_webhook(told.tenant_id, told.id, lock=True)
            if webhook is None:
                return
            failures = webhook.failures + 1 if delivery.error else 0
            webhook = replace(webhook, failures=failures)
            if webhook.enabled and (gone or failures >= self._rules.disable_after):
                reason = "the other side says that it is gone" if gone else f"{failures} attempts failed on end"
                webhook = replace(webhook, enabled=False, disabled_reason=reason)
                log.warning("a webhook was disabled", webhook_id=webhook.id, reason=reason)
            await repository.put_webhook(webhook)
