"""What the usage service is asked and told about limits: to compile them, and that one is used up."""

from typing import Any

import orjson
import structlog
from aisp.usage.v1 import usage_service_pb2 as usage_pb
from aisp.usage.v1.webhooks_pb2 import PublishEventRequest

from chassis.context import RequestContext
from chassis.errors import PlatformError
from gateway.clients import Clients
from gateway.limits.exhausted import Publish
from gateway.limits.leases import Admission

log = structlog.get_logger()


def publish_event(clients: Clients) -> Publish:
    """How tenants' webhooks are told of what the gateway sees."""

    async def publish(tenant_id: str, event_type: str, data: dict[str, Any], once: str) -> None:
        request = PublishEventRequest(event_type=event_type, data_json=orjson.dumps(data).decode(), once=once)
        await clients.usage.PublishEvent(request, context=RequestContext(f"gateway-{once[:64]}", tenant_id=tenant_id))

    return publish


def ensure_limits(clients: Clients) -> Any:
    """What the meter asks when limits are not in its store."""

    async def ensure(admission: Admission) -> None:
        request = usage_pb.EnsureLimitsRequest(
            plan=admission.plan,
            tenant_version=admission.tenant_version,
            key_id=admission.key_id,
            key_version=admission.key_version,
            key_limits=admission.key_limits,
        )
        asking = RequestContext(admission.request_id, tenant_id=admission.tenant_id, user_id=admission.user_id)
        try:
            await clients.usage.EnsureLimits(request, context=asking)
        except PlatformError as error:
            log.warning("limits were not compiled", reason=error.reason, request_id=admission.request_id)
            raise

    return ensure
