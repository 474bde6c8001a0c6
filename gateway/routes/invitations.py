"""Invitations into the tenant. The secret goes by mail; where no mail server is set, it is in the answer to POST."""

from typing import Annotated, Any

from aisp.auth.v1 import people_pb2 as pb
from fastapi import APIRouter, Request
from pydantic import Field

from gateway.admission import Call
from gateway.routes.auth import Secret, logged_in, nobody
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

router = APIRouter(route_class=StrictRoute, prefix="/api/v1/invitations", tags=["members"])


class NewInvitation(Body):
    """Who is invited, and with which role."""

    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [
        {"email": "grace@example.com", "role": "developer"}
    ]}}  # fmt: skip

    email: Annotated[str, Field(max_length=320)]
    role: Annotated[str, Field(min_length=1, max_length=32)]


class Acceptance(Secret):
    """The secret, and the password: of the account that the address has, or for a new one."""

    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [
        {"token": "the secret out of the link", "password": "correct horse battery", "full_name": "Grace"}
    ]}}  # fmt: skip

    password: Annotated[str, Field(max_length=1024)]
    full_name: Annotated[str, Field(max_length=400)] = ""


@router.post("", status_code=201, responses=AUTHENTICATED | problems(400, 409, 422), operation_id="createInvitation")
async def create(body: NewInvitation, services: Services, call: Call = managed("members:manage")) -> dict[str, Any]:
    """Invites somebody. `token` and `link` are null where a mail was sent."""
    request = pb.CreateInvitationRequest(email=body.email, role=body.role)
    made = await services.auth.CreateInvitation(request, context=call.context)
    return _invitation(made.invitation) | {"token": made.token or None, "link": made.link or None}


@router.get("", responses=AUTHENTICATED | problems(400), operation_id="listInvitations")
async def list_invitations(
    services: Services, limit: Limit = 50, cursor: Cursor = "", call: Call = managed("members:manage")
) -> dict[str, Any]:
    """The open invitations, newest first."""
    request = pb.ListInvitationsRequest(page_size=limit, page_token=cursor)
    found = await services.auth.ListInvitations(request, context=call.context)
    return page([_invitation(row) for row in found.invitations], found.next_page_token)


@router.delete(
    "/{invitation_id}", status_code=204, responses=AUTHENTICATED | problems(404), operation_id="revokeInvitation"
)
async def revoke(invitation_id: str, services: Services, call: Call = managed("members:manage")) -> None:
    """Takes an invitation back."""
    await services.auth.RevokeInvitation(pb.RevokeInvitationRequest(id=invitation_id), context=call.context)


@router.post(
    "/accept",
    status_code=201,
    responses=problems(400, 401, 403, 409, 422, 429, 503),
    operation_id="acceptInvitation",
)
async def accept(body: Acceptance, request: Request, services: Services) -> dict[str, Any]:
    """Joins the tenant, with an account that is made where the address has none, and logs in to it."""
    asked = pb.AcceptInvitationRequest(token=body.token, password=body.password, full_name=body.full_name)
    return logged_in(await services.auth.AcceptInvitation(asked, context=nobody(request)))


def _invitation(invitation: pb.Invitation) -> dict[str, Any]:
    return {
        "id": invitation.id,
        "email": invitation.email,
        "role": invitation.role,
        "invited_by": invitation.invited_by,
        "mailed": invitation.mailed,
        "created_at": iso(invitation.create_time),
        "expires_at": iso(invitation.expire_time),
    }
