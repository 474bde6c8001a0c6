"""Where the calling user is logged in, and which tenants they belong to. For people only, no API key."""

from typing import Any

from aisp.auth.v1 import people_pb2 as pb
from fastapi import APIRouter

from gateway.admission import Call
from gateway.routes.common import AUTHENTICATED, Services, StrictRoute, iso, managed, problems

router = APIRouter(route_class=StrictRoute, prefix="/api/v1/users/me", tags=["identity"])


@router.get("/tenants", responses=AUTHENTICATED, operation_id="listMemberships")
async def memberships(services: Services, call: Call = managed("")) -> dict[str, Any]:
    """The tenants of the calling user, the first joined first: their ids are what `tenant_id` of auth/token takes."""
    found = await services.auth.ListMemberships(pb.ListMembershipsRequest(), context=call.context)
    rows = [
        {
            "id": membership.tenant_id,
            "name": membership.tenant_name,
            "role": membership.role,
            "status": "suspended" if membership.suspended else "active",
            "current": membership.tenant_id == call.context.tenant_id,
        }
        for membership in found.memberships
    ]
    return {"data": rows, "next_cursor": None}


@router.get("/sessions", responses=AUTHENTICATED, operation_id="listSessions")
async def sessions(services: Services, call: Call = managed("")) -> dict[str, Any]:
    """The living sessions of the calling user in all tenants, newest first, at most 200."""
    found = await services.auth.ListSessions(pb.ListSessionsRequest(), context=call.context)
    rows = [
        {
            "id": session.id,
            "tenant_id": session.tenant_id,
            "address": session.address,
            "current": session.current,
            "created_at": iso(session.create_time),
            "last_used_at": iso(session.last_use_time),
        }
        for session in found.sessions
    ]
    return {"data": rows, "next_cursor": None}


@router.delete(
    "/sessions/{session_id}", status_code=204, responses=AUTHENTICATED | problems(404), operation_id="revokeSession"
)
async def revoke(session_id: str, services: Services, call: Call = managed("")) -> None:
    """Ends one session: its refresh tokens, and within a second its access tokens."""
    await services.auth.RevokeUserSession(pb.RevokeUserSessionRequest(id=session_id), context=call.context)
