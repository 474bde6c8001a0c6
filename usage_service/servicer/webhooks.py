"""Webhooks."""

from typing import Any

import orjson
from aisp.usage.v1 import webhooks_pb2 as pb
from aisp.usage.v1.usage_service_pb2_grpc import UsageServiceServicer

from chassis.pagination import PageRequest
from usage_service.domain.errors import BadWebhook, WebhookNotFound
from usage_service.domain.webhooks import Delivery, DeliveryStatus, Webhook
from usage_service.policy.webhooks import MAX_DATA_CHARACTERS
from usage_service.service.webhooks import Changes, Webhooks
from usage_service.servicer import wire

STATUS = {
    DeliveryStatus.PENDING: pb.DELIVERY_STATUS_PENDING,
    DeliveryStatus.DELIVERED: pb.DELIVERY_STATUS_DELIVERED,
    DeliveryStatus.FAILED: pb.DELIVERY_STATUS_FAILED,
}
MAX_OVERLAP_SECONDS = 604_800


class WebhooksServicer(UsageServiceServicer):
    """Translates."""

    _webhooks: Webhooks

    async def CreateWebhook(self, request: pb.CreateWebhookRequest, _: Any) -> pb.CreateWebhookResponse:
        webhook, secret = await self._webhooks.create(
            wire.caller().tenant_id, request.url, request.event_types, request.description
        )
        return pb.CreateWebhookResponse(webhook=_message(webhook), secret=secret)

    async def ListWebhooks(self, request: pb.ListWebhooksRequest, _: Any) -> pb.ListWebhooksResponse:
        paging = PageRequest.parse(request.page_size, request.page_token, key_length=1)
        page = await self._webhooks.list(wire.caller().tenant_id, wire.after_an_id(paging))
        return pb.ListWebhooksResponse(webhooks=[_message(row) for row in page.items], next_page_token=page.next_cursor)

    async def GetWebhook(self, request: pb.GetWebhookRequest, _: Any) -> pb.GetWebhookResponse:
        return pb.GetWebhookResponse(
            webhook=_message(await self._webhooks.get(wire.caller().tenant_id, _id(request.id)))
        )

    async def UpdateWebhook(self, request: pb.UpdateWebhookRequest, _: Any) -> pb.UpdateWebhookResponse:
        changes = Changes(
            url=request.url if request.HasField("url") else None,
            event_types=list(request.event_types.names) if request.HasField("event_types") else None,
            description=request.description if request.HasField("description") else None,
            enabled=request.enabled if request.HasField("enabled") else None,
        )
        webhook = await self._webhooks.update(wire.caller().tenant_id, _id(request.id), changes)
        return pb.UpdateWebhookResponse(webhook=_message(webhook))

    async def DeleteWebhook(self, request: pb.DeleteWebhookRequest, _: Any) -> pb.DeleteWebhookResponse:
        await self._webhooks.delete(wire.caller().tenant_id, _id(request.id))
        return pb.DeleteWebhookResponse()

    async def RotateWebhookSecret(
        self, request: pb.RotateWebhookSecretRequest, _: Any
    ) -> pb.RotateWebhookSecretResponse:
        if not 0 <= request.overlap_seconds <= MAX_OVERLAP_SECONDS:
            raise BadWebhook(f"overlap_seconds: from 0 to {MAX_OVERLAP_SECONDS}.")
        secret = await self._webhooks.rotate(wire.caller().tenant_id, _id(request.id), request.overlap_seconds)
        return pb.RotateWebhookSecretResponse(secret=secret)

    async def TestWebhook(self, request: pb.TestWebhookRequest, _: Any) -> pb.TestWebhookResponse:
        delivery = await self._webhooks.test(wire.caller().tenant_id, _id(request.id))
        return pb.TestWebhookResponse(delivery=_delivery(delivery))

    async def ListDeliveries(self, request: pb.ListDeliveriesRequest, _: Any) -> pb.ListDeliveriesResponse:
        paging = wire.after_an_id(PageRequest.parse(request.page_size, request.page_token, key_length=1))
        page = await self._webhooks.deliveries(wire.caller().tenant_id, _id(request.webhook_id), paging)
        return pb.ListDeliveriesResponse(
            deliveries=[_delivery(row) for row in page.items], next_page_token=page.next_cursor
        )

    async def PublishEvent(self, request: pb.PublishEventRequest, _: Any) -> pb.PublishEventResponse:
        try:
            data = orjson.loads(request.data_json)
        except orjson.JSONDecodeError as error:
            raise BadWebhook("data_json: is no JSON.") from error
        if not isinstance(data, dict) or len(request.data_json) > MAX_DATA_CHARACTERS:
            raise BadWebhook(f"data_json: an object of at most {MAX_DATA_CHARACTERS} characters.")
        await self._webhooks.publish(wire.caller().tenant_id, request.event_type, data, request.once)
        return pb.PublishEventResponse()


def _id(text: str) -> str:
    if not wire.is_id(text):
        raise WebhookNotFound
    return text


def _message(webhook: Webhook) -> pb.Webhook:
    return pb.Webhook(
        id=webhook.id,
        url=webhook.url,
        event_types=webhook.event_types,
        description=webhook.description,
        enabled=webhook.enabled,
        disabled_reason=webhook.disabled_reason,
        failures=webhook.failures,
        create_time=wire.time(webhook.created_at),
    )


def _delivery(row: Delivery) -> pb.Delivery:
    message = pb.Delivery(
        id=row.id,
        webhook_id=row.webhook_id,
        event_type=row.event_type,
        payload=orjson.dumps(row.payload),
        status=STATUS[row.status],
        attempts=row.attempts,
        response_status=row.response_status,
        error=row.error,
        create_time=wire.time(row.created_at),
    )
    if row.ended_at:
        message.end_time.CopyFrom(wire.time(row.ended_at))
    return message
