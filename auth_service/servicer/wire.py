"""What the parts of the servicer share: the caller, times, and the messages of tenants and users."""

from datetime import UTC, datetime

from aisp.auth.v1 import auth_service_pb2 as pb
from google.protobuf.timestamp_pb2 import Timestamp

from auth_service.domain.people import Actor, User, Visitor
from auth_service.domain.sessions import TokenPair
from auth_service.domain.tenants import Tenant, TenantStatus
from auth_service.policy import roles
from chassis import context
from chassis.errors import InvalidArgument, Unauthenticated

STATUS = {
    TenantStatus.ACTIVE: pb.TENANT_STATUS_ACTIVE,
    TenantStatus.SUSPENDED: pb.TENANT_STATUS_SUSPENDED,
    TenantStatus.DELETING: pb.TENANT_STATUS_DELETING,
}
STATUS_BACK = {STATUS[status]: status for status in (TenantStatus.ACTIVE, TenantStatus.SUSPENDED)}
"""What an operator may set by hand."""


def caller() -> context.RequestContext:
    """The caller's context; Unauthenticated for one without a tenant."""
    calling = context.current()
    if not calling.tenant_id:
        raise Unauthenticated
    return calling


def actor() -> Actor:
    """The caller, as one who acts on a tenant."""
    calling = caller()
    return Actor(calling.tenant_id, calling.user_id, calling.scopes, calling.session_id, calling.address)


def visitor() -> Visitor:
    """Whoever calls, known or not."""
    return Visitor(context.current().address)


def tokens_message(pair: TokenPair) -> pb.TokenPair:
    """Tokens on the wire."""
    return pb.TokenPair(
        access_token=pair.access_token, refresh_token=pair.refresh_token, expires_in_seconds=pair.expires_in_seconds
    )


def time_of(at: datetime) -> Timestamp:
    """A time on the wire."""
    stamp = Timestamp()
    stamp.FromDatetime(at)
    return stamp


def time_from(stamp: Timestamp) -> datetime:
    """A time off the wire; InvalidArgument if it is none."""
    try:
        return stamp.ToDatetime(UTC)  # type: ignore[no-any-return]  # protobuf ships no types
    except (ValueError, OverflowError) as error:
        raise InvalidArgument("expires_at is not a time.") from error


def tenant_message(tenant: Tenant) -> pb.Tenant:
    """A tenant on the wire."""
    return pb.Tenant(
        id=tenant.id,
        name=tenant.name,
        plan=tenant.plan,
        status=STATUS[tenant.status],
        version=tenant.version,
        create_time=time_of(tenant.created_at),
    )


def user_message(user: User) -> pb.User:
    """A user on the wire."""
    return pb.User(
        id=user.id,
        email=user.email,
        full_name=user.full_name,
        role=user.role,
        create_time=time_of(user.created_at),
        scopes=roles.scopes_of_role(user.role),
    )
