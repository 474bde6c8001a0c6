"""Who belongs to the tenant, and as what."""

from typing import Annotated, Any

from aisp.auth.v1 import people_pb2 as pb
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
    managed,
    page,
    problems,
)

router = APIRouter(route_class=StrictRoute, prefix="/api/v1", tags=["members"])


class RoleChange(Body):
    """A member's new role: owner, admin, developer or viewer."""

    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [{"role": "developer"}]}}

    role: Annotated[str, Field(min_length=1, max_length=32)]


class Transfer(Body):
    """Who becomes the owner."""

    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [
        {"user_id": "8b0b4f1e-7f35-4c38-9d38-2f8f0f4b1c55"}
    ]}}  # fmt: skip

    user_id: Annotated[str, Field(min_length=1, max_length=64)]


@router.get("/users", responses=AUTHENTICATED | problems(400), operation_id="listMembers")
async def list_members(
    services: Services, limit: Limit = 50, cursor: Cursor = "", call: Call = managed("members:manage")
) -> dict[str, Any]:
    """The tenant's members, newest first."""
    request = pb.ListMembersRequest(page_size=limit, page_token=cursor)
    found = await services.auth.ListMembers(request, context=call.context)
    return page([_member(member) for member in found.members], found.next_page_token)


@router.get("/users/{user_id}", responses=AUTHENTICATED | problems(404), operation_id="getMember")
async def get_member(user_id: str, services: Services, call: Call = managed("members:manage")) -> dict[str, Any]:
    """One member."""
    return _member((await services.auth.GetMember(pb.GetMemberRequest(user_id=user_id), context=call.context)).member)


@router.patch("/users/{user_id}", responses=AUTHENTICATED | problems(400, 404, 422), operation_id="changeMemberRole")
async def change_role(
    user_id: str, body: RoleChange, services: Services, call: Call = managed("members:manage")
) -> dict[str, Any]:
    """Changes a member's role, within a second on every gateway. Nobody gives a role above their own."""
    request = pb.ChangeMemberRoleRequest(user_id=user_id, role=body.role)
    return _member((await services.auth.ChangeMemberRole(request, context=call.context)).member)


@router.delete(
    "/users/{user_id}", status_code=204, responses=AUTHENTICATED | problems(400, 404), operation_id="removeMember"
)
async def remove(user_id: str, services: Services, call: Call = managed("members:manage")) -> None:
    """Removes a member: their sessions and keys in this tenant end within a second. The last owner stays."""
    await services.auth.RemoveMember(pb.RemoveMemberRequest(user_id=user_id), context=call.context)


@router.post("/tenants/me/leave", status_code=204, responses=AUTHENTICATED | problems(400), operation_id="leaveTenant")
async def leave(services: Services, call: Call = managed("")) -> None:
    """The calling user leaves the tenant. The last owner cannot."""
    await services.auth.RemoveMember(pb.RemoveMemberRequest(user_id=call.context.user_id), context=call.context)


@router.post("/tenants/me/transfer", responses=AUTHENTICATED | problems(404, 422), operation_id="transferOwnership")
async def transfer(body: Transfer, services: Services, call: Call = managed("tenant:manage")) -> dict[str, Any]:
    """Makes another member the owner and the calling owner an admin. The answer is the new owner."""
    request = pb.TransferOwnershipRequest(user_id=body.user_id)
    return _member((await services.auth.TransferOwnership(request, context=call.context)).member)


def _member(member: pb.Member) -> dict[str, Any]:
    return {
        "id": member.user_id,
        "email": member.email,
        "full_name": member.full_name,
        "role": member.role,
        "joined_at": iso(member.join_time),
    }
