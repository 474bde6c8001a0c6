"""Deeds of services other than auth_service, told to the audit log: asked for before, done or refused after.

Nothing is done that is not recorded: without the first row the call is refused. The second is tried as well as can be;
where it is missing, the log says truthfully that the deed was asked for, and not how it ended.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import orjson
import structlog
from aisp.auth.v1 import audit_pb2 as pb

from chassis.context import RequestContext
from chassis.errors import PlatformError
from gateway.clients import Clients

log = structlog.get_logger()


@dataclass(slots=True)
class Audited:
    """What a route tells of its deed: never a secret."""

    action: str
    resource_id: str = ""
    before: Mapping[str, object] = field(default_factory=dict)
    after: Mapping[str, object] = field(default_factory=dict)
    chain: pb.AuditChain = field(default_factory=pb.AuditChain)


@asynccontextmanager
async def audited(clients: Clients, context: RequestContext, deed: Audited) -> AsyncIterator[Audited]:
    """Around a deed. PlatformError if it cannot be recorded; then it is not done."""
    await _record(clients, context, deed, pb.AUDIT_OUTCOME_REQUESTED)
    try:
        yield deed
    except PlatformError as error:
        deed.after = {"reason": error.reason}
        await _record_end(clients, context, deed, pb.AUDIT_OUTCOME_REFUSED)
        raise
    await _record_end(clients, context, deed, pb.AUDIT_OUTCOME_DONE)


async def _record_end(clients: Clients, context: RequestContext, deed: Audited, outcome: pb.AuditOutcome) -> None:
    try:
        await _record(clients, context, deed, outcome)
    except PlatformError as error:
        log.warning("how a deed ended was not recorded", action=deed.action, reason=error.reason)


async def _record(clients: Clients, context: RequestContext, deed: Audited, outcome: pb.AuditOutcome) -> None:
    request = pb.RecordAuditEventRequest(
        action=deed.action,
        resource_id="".join(letter if letter.isprintable() else "?" for letter in deed.resource_id[:255]),
        outcome=outcome,
        before_json=orjson.dumps(deed.before).decode(),
        after_json=orjson.dumps(deed.after).decode(),
        chain=deed.chain,
    )
    await clients.auth.RecordAuditEvent(request, context=context)
