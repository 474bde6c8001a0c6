"""Webhooks: addresses that are told of events, signed by the standard-webhooks scheme. The secret is told once."""

from typing import Annotated, Any

import orjson
from aisp.usage.v1 import webhooks_pb2 as pb
from fastapi import APIRouter
from pydantic import Field

from gateway.admission import Call
from gateway.routes.common import (
    AUTHENTICATED,
    Body,
    Cursor,
    Limit,
    Services,
    StrictRoute,
    iso,
    iso_or_none,
    managed,
    page,
    problems,
)

router = APIRouter(route_class=StrictRoute, prefix="/api/v1/webhooks", tags=["webhooks"])

STATUS = {
    pb.DELIVERY_STATUS_PENDING: "pending",
    pb.DELIVERY_STATUS_DELIVERED: "delivered",
    pb.DELIVERY_STATUS_FAILED: "failed",
}
Url = Annotated[str, Field(min_length=1, max_length=2048, description="https, a public address")]
Types = Annotated[
    list[Annotated[str, Field(max_length=64)]], Field(max_length=16, description="Types of events; none means all")
]
Description = Annotated[str, Field(max_length=500)]


class NewWebhook(Body):
    """A webhook to make."""

    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [
        {"url": "https://example.com/hooks", "event_types": ["budget.threshold", "budget.exhausted"]}
    ]}}  # fmt: skip

    url: Url
    event_types: Types = []
    description: Description = ""


class WebhookChange(Body):
    """What is to be changed; the rest stays."""

    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [{"enabled": True}]}}

    url: Url | None = None
    event_types: Types | None = None
    description: Description | None = None
    enabled: bool | None = None


class SecretRotation(Body):
    """How long messages are signed with the old secret, too."""

    overlap_seconds: Annotated[int, Field(ge=0, le=604_800)] = 0


@router.post("", status_code=201, responses=AUTHENTICATED | problems(400, 422), operation_id="createWebhook")
async def create(
    body: NewWebhook, services: Services, call: Call = managed("tenant:manage", audit="webhook.create")
) -> dict[str, Any]:
    """Makes a webhook; `secret` is in this answer only."""
    request = pb.CreateWebhookRequest(url=body.url, event_types=body.event_types, description=body.description)
    made = await services.usage.CreateWebhook(request, context=call.context)
    return _told(call, made.webhook) | {"secret": made.secret}


@router.get("", responses=AUTHENTICATED | problems(400), operation_id="listWebhooks")
async def list_webhooks(
    services: Services, limit: Limit = 50, cursor: Cursor = "", call: Call = managed("tenant:manage")
) -> dict[str, Any]:
    """The tenant's webhooks, newest first."""
    request = pb.ListWebhooksRequest(page_size=limit, page_token=cursor)
    found = await services.usage.ListWebhooks(request, context=call.context)
    return page([_webhook(webhook) for webhook in found.webhooks], found.next_page_token)


@router.get("/{webhook_id}", responses=AUTHENTICATED | problems(404), operation_id="getWebhook")
async def get(webhook_id: str, services: Services, call: Call = managed("tenant:manage")) -> dict[str, Any]:
    """One webhook."""
    found = await services.usage.GetWebhook(pb.GetWebhookRequest(id=webhook_id), context=call.context)
    return _webhook(found.webhook)


@router.patch("/{webhook_id}", responses=AUTHENTICATED | problems(404, 422), operation_id="updateWebhook")
async def update(
    webhook_id: str,
    body: WebhookChange,
    services: Services,
    call: Call = managed("tenant:manage", audit="webhook.update"),
) -> dict[str, Any]:
    """Changes a webhook. To enable it forgets its failures."""
    request = pb.UpdateWebhookRequest(id=webhook_id, url=body.url, description=body.description)
    if body.enabled is not None:
        request.enabled = body.enabled
    if body.event_types is not None:
        request.event_types.CopyFrom(pb.EventTypes(names=body.event_types))
    return _told(call, (await services.usage.UpdateWebhook(request, context=call.context)).webhook)


@router.delete("/{webhook_id}", status_code=204, responses=AUTHENTICATED | problems(404), operation_id="deleteWebhook")
async def delete(
    webhook_id: str, services: Services, call: Call = managed("tenant:manage", audit="webhook.delete")
) -> None:
    """Takes a webhook away, with its deliveries."""
    await services.usage.DeleteWebhook(pb.DeleteWebhookRequest(id=webhook_id), context=call.context)


@router.post(
    "/{webhook_id}/rotate-secret", responses=AUTHENTICATED | problems(404, 422), operation_id="rotateWebhookSecret"
)
async def rotate(
    webhook_id: str,
    services: Services,
    body: SecretRotation | None = None,
    call: Call = managed("tenant:manage", audit="webhook.rotate"),
) -> dict[str, Any]:
    """Replaces the secret; the new one is in this answer only."""
    request = pb.RotateWebhookSecretRequest(id=webhook_id, overlap_seconds=body.overlap_seconds if body else 0)
    return {"secret": (await services.usage.RotateWebhookSecret(request, context=call.context)).secret}


@router.post(
    "/{webhook_id}/test", status_code=202, responses=AUTHENTICATED | problems(404, 422), operation_id="testWebhook"
)
async def send_test(
    webhook_id: str, services: Services, call: Call = managed("tenant:manage", audit="webhook.test")
) -> dict[str, Any]:
    """Sends an event of the type webhook.test; see its delivery."""
    answer = await services.usage.TestWebhook(pb.TestWebhookRequest(id=webhook_id), context=call.context)
    return _delivery(answer.delivery)


@router.get("/{webhook_id}/deliveries", responses=AUTHENTICATED | problems(400, 404), operation_id="listDeliveries")
async def deliveries(
    webhook_id: str,
    services: Services,
    limit: Limit = 50,
    cursor: Cursor = "",
    call: Call = managed("tenant:manage"),
) -> dict[str, Any]:
    """What the webhook was told, newest first."""
    request = pb.ListDeliveriesRequest(webhook_id=webhook_id, page_size=limit, page_token=cursor)
    found = await services.usage.ListDeliveries(request, context=call.context)
    return page([_delivery(row) for row in found.deliveries], found.next_page_token)


def _told(call: Call, webhook: pb.Webhook) -> dict[str, Any]:
    if call.deed:
        call.deed.resource_id = webhook.id
        # The address may hold a token of the other side's: the log has only where to find it.
        call.deed.after = {"event_types": list(webhook.event_types), "enabled": webhook.enabled}
    return _webhook(webhook)


def _webhook(webhook: pb.Webhook) -> dict[str, Any]:
    return {
        "id": webhook.id,
        "url": webhook.url,
        "event_types": list(webhook.event_types),
        "description": webhook.description,
        "enabled": webhook.enabled,
        "disabled_reason": webhook.disabled_reason or None,
        "failures": webhook.failures,
        "created_at": iso(webhook.create_time),
    }


def _delivery(row: pb.Delivery) -> dict[str, Any]:
    return {
        "id": row.id,
        "webhook_id": row.webhook_id,
        "type": row.event_type,
        "payload": orjson.loads(row.payload),
        "status": STATUS[row.status],
        "attempts": row.attempts,
        "response_status": row.response_status or None,
        "error": row.error or None,
        "created_at": iso(row.create_time),
        "ended_at": iso_or_none(row, "end_time"),
    }
