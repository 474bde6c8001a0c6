"""Addresses that are told of events, and what they were told."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

BUDGET_THRESHOLD = "budget.threshold"
BUDGET_EXHAUSTED = "budget.exhausted"
LIMIT_EXHAUSTED = "limit.exhausted"
DOCUMENT_READY = "document.ready"
DOCUMENT_FAILED = "document.failed"
DOCUMENT_CANCELLED = "document.cancelled"
WEBHOOK_TEST = "webhook.test"
EVENT_TYPES = (
    BUDGET_THRESHOLD,
    BUDGET_EXHAUSTED,
    LIMIT_EXHAUSTED,
    DOCUMENT_READY,
    DOCUMENT_FAILED,
    DOCUMENT_CANCELLED,
    WEBHOOK_TEST,
)
DELIVER = "webhook.deliver"
"""The kind of job."""


class DeliveryStatus(Enum):
    """How far a delivery is."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Webhook:
    """An address. `secret` and `old_secret` are sealed; the old one signs too until its time."""

    id: str
    tenant_id: str
    url: str
    event_types: tuple[str, ...]
    description: str
    secret: bytes
    old_secret: bytes
    old_until: datetime | None
    enabled: bool
    disabled_reason: str
    failures: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one webhook. `payload`: the message, as it is sent."""

    id: str
    tenant_id: str
    webhook_id: str
    event_type: str
    payload: Mapping[str, Any]
    status: DeliveryStatus
    attempts: int
    response_status: int
    error: str
    created_at: datetime
    ended_at: datetime | None
