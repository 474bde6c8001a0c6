"""Tenants that are deleted: by their owner, by an operator; and how far it is, for whoever has the deletion's id."""

from typing import Annotated, Any

from aisp.auth.v1 import deletions_pb2 as pb
from fastapi import APIRouter, Request
from pydantic import Field

from gateway.admission import Call
from gateway.routes.auth import nobody
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

router = APIRouter(route_class=StrictRoute, prefix="/api/v1", tags=["identity"])

STATUS = {
    pb.DELETION_STATUS_WAITING: "waiting",
    pb.DELETION_STATUS_RUNNING: "running",
    pb.DELETION_STATUS_SETTLING: "settling",
    pb.DELETION_STATUS_DONE: "done",
}
Name = Annotated[str, Field(min_length=1, max_length=400)]


class OwnDeletion(Body):
    """That it is meant: the tenant's name, and the caller's password (not for those who log in elsewhere)."""

    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [
        {"confirm": "Analytical Engines", "password": "correct horse battery"}
    ]}}  # fmt: skip

    confirm: Name
    password: Annotated[str, Field(max_length=1024)] = ""


class AnyDeletion(Body):
    """That it is meant: the tenant's name."""

    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [{"confirm": "Analytical Engines"}]}}

    confirm: Name


@router.post(
    "/tenants/me/deletion", status_code=202, responses=AUTHENTICATED | problems(400, 422), operation_id="deleteTenant"
)
async def delete_own(body: OwnDeletion, services: Services, call: Call = managed("tenant:manage")) -> dict[str, Any]:
    """Deletes the caller's tenant with all that it has. Its tokens and keys are refused from now on; `id` is what
    `GET /deletions/{id}` takes.
    """
    request = pb.DeleteTenantRequest(confirm=body.confirm, password=body.password)
    return _deletion((await services.auth.DeleteTenant(request, context=call.context)).deletion)


@router.get("/deletions/{deletion_id}", responses=problems(404, 429, 503), operation_id="getDeletion")
async def get(deletion_id: str, request: Request, services: Services) -> dict[str, Any]:
    """How far a deletion is. Needs no credentials: whoever was deleted has none."""
    asked = pb.GetDeletionRequest(id=deletion_id)
    return _deletion((await services.auth.GetDeletion(asked, context=nobody(request))).deletion)


@router.get(
    "/admin/deletions",
    responses=AUTHENTICATED | problems(400),
    operation_id="adminListDeletions",
    tags=["operator"],
)
async def list_all(
    services: Services, limit: Limit = 50, cursor: Cursor = "", call: Call = managed("", operator=True)
) -> dict[str, Any]:
    """All deletions, newest first."""
    request = pb.ListDeletionsRequest(page_size=limit, page_token=cursor)
    found = await services.auth.ListDeletions(request, context=call.context)
    rows = [_deletion(row) | {"tenant_id": row.tenant_id} for row in found.deletions]
    return page(rows, found.next_page_token)


@router.post(
    "/admin/tenants/{tenant_id}/deletion",
    status_code=202,
    responses=AUTHENTICATED | problems(400, 404, 422),
    operation_id="adminDeleteTenant",
    tags=["operator"],
)
async def delete_any(
    tenant_id: str, body: AnyDeletion, services: Services, call: Call = managed("", operator=True)
) -> dict[str, Any]:
    """Deletes any tenant with all that it has."""
    request = pb.DeleteAnyTenantRequest(id=tenant_id, confirm=body.confirm)
    return _deletion((await services.auth.DeleteAnyTenant(request, context=call.context)).deletion)


@router.delete(
    "/admin/tenants/{tenant_id}/deletion",
    status_code=204,
    responses=AUTHENTICATED | problems(400, 404),
    operation_id="adminKeepTenant",
    tags=["operator"],
)
async def keep(tenant_id: str, services: Services, call: Call = managed("", operator=True)) -> None:
    """Takes a deletion back that only waits: nothing was removed."""
    await services.auth.KeepTenant(pb.KeepTenantRequest(id=tenant_id), context=call.context)


def _deletion(deletion: pb.Deletion) -> dict[str, Any]:
    return {
        "id": deletion.id,
        "status": STATUS[deletion.status],
        "requested_at": iso(deletion.request_time),
        "starts_at": iso(deletion.start_time),
        "erased_at": iso_or_none(deletion, "erase_time"),
        "services": [
            {
                "name": step.service,
                "done": step.done,
                "removed": dict(step.removed),
                "waiting_for": step.waiting_for or None,
                "error": step.error or None,
            }
            for step in deletion.steps
        ],
    }
