"""The audit log: who did what to what, from where. Rows are listed as they were hashed."""

import csv
import io
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

import orjson
from aisp.auth.v1 import audit_pb2 as pb
from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime

from gateway.admission import Call
from gateway.routes.common import AUTHENTICATED, Cursor, Limit, Services, StrictRoute, managed, page, problems

router = APIRouter(route_class=StrictRoute, prefix="/api/v1", tags=["audit"])

Word = Annotated[str, Query(max_length=255)]
COLUMNS = ("sequence", "at", "action", "resource_id", "outcome", "address", "request_id", "before", "after", "previous")
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet would calculate, if a cell began with it."""


def asked(
    action: Annotated[str, Query(max_length=64, description="An action (api_key.create), or its noun")] = "",
    resource_id: Word = "",
    user_id: Word = "",
    key_id: Word = "",
    request_id: Word = "",
    since: Annotated[AwareDatetime | None, Query(alias="from", description="From this time on")] = None,
    until: Annotated[AwareDatetime | None, Query(alias="to", description="Before this time")] = None,
) -> pb.AuditFilter:
    """Which rows, from the query."""
    found = pb.AuditFilter(
        action=action, resource_id=resource_id, user_id=user_id, key_id=key_id, request_id=request_id
    )
    if since is not None:
        found.since_time.FromDatetime(since)
    if until is not None:
        found.until_time.FromDatetime(until)
    return found


Which = Annotated[pb.AuditFilter, Depends(asked)]
Format = Annotated[Literal["jsonl", "csv"], Query(alias="format", description="JSON Lines, or CSV")]
Tenant = Annotated[str, Query(max_length=64, description="Whose log; without it, the platform's own")]
EXPORT: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {"application/jsonl": {"schema": {"type": "string"}}, "text/csv": {"schema": {"type": "string"}}},
        "description": "A line a row, oldest first; as JSON Lines the last one is the signed head of the chain",
    }
}


@router.get("/audit", responses=AUTHENTICATED | problems(400), operation_id="listAuditEvents")
async def list_events(
    services: Services, which: Which, limit: Limit = 50, cursor: Cursor = "", call: Call = managed("audit:read")
) -> dict[str, Any]:
    """The tenant's audit log, newest first."""
    return await _listed(services, call, pb.ListAuditEventsRequest(page_size=limit, page_token=cursor, filter=which))


@router.get(
    "/audit/export",
    responses=AUTHENTICATED | problems(400) | EXPORT,
    operation_id="exportAuditEvents",
    response_class=StreamingResponse,
)
async def export(
    services: Services,
    which: Which,
    form: Format = "jsonl",
    call: Call = managed("audit:read"),
) -> StreamingResponse:
    """All of it, streamed, oldest first. A row's hash is the SHA-256 of its line without `,"hash":…`."""
    return _exported(services, call, pb.ExportAuditEventsRequest(filter=which), form)


@router.get("/admin/audit", responses=AUTHENTICATED | problems(400), operation_id="adminListAuditEvents")
async def list_for_operators(
    services: Services,
    which: Which,
    tenant_id: Tenant = "",
    limit: Limit = 50,
    cursor: Cursor = "",
    call: Call = managed("", operator=True),
) -> dict[str, Any]:
    """The audit log of a tenant, or of the platform itself, newest first."""
    request = pb.ListAuditEventsRequest(page_size=limit, page_token=cursor, filter=which, chain=chain_of(tenant_id))
    return await _listed(services, call, request)


def chain_of(tenant_id: str) -> pb.AuditChain:
    """A tenant's chain, or the platform's."""
    return pb.AuditChain(tenant_id=tenant_id) if tenant_id else pb.AuditChain(platform=True)


async def _listed(services: Services, call: Call, request: pb.ListAuditEventsRequest) -> dict[str, Any]:
    found = await services.auth.ListAuditEvents(request, context=call.context)
    rows = [orjson.loads(event.document) | {"hash": event.hash.hex()} for event in found.events]
    return page(rows, found.next_page_token)


def _exported(services: Services, call: Call, request: pb.ExportAuditEventsRequest, form: str) -> StreamingResponse:
    parts = services.auth.ExportAuditEvents(request, context=call.context)
    if form == "csv":
        return StreamingResponse(_csv(parts), media_type="text/csv; charset=utf-8")
    return StreamingResponse(_lines(parts), media_type="application/jsonl")


async def _lines(parts: AsyncIterator[pb.ExportAuditEventsResponse]) -> AsyncIterator[bytes]:
    async for part in parts:
        # The document's own bytes, so that whoever has the line can compute the hash.
        yield b"".join(
            event.document[:-1] + b',"hash":"' + event.hash.hex().encode() + b'"}\n' for event in part.events
        )
        if part.HasField("head"):
            head = part.head
            told = {"tenant_id": head.tenant_id, "sequence": head.sequence, "hash": head.hash.hex()}
            yield orjson.dumps({"head": told | {"key_id": head.key_id, "signature": head.signature.hex()}}) + b"\n"


async def _csv(parts: AsyncIterator[pb.ExportAuditEventsResponse]) -> AsyncIterator[bytes]:
    yield _row([*COLUMNS[:3], "actor_kind", "actor_user_id", "actor_key_id", *COLUMNS[3:], "hash"])
    async for part in parts:
        yield b"".join(_row(_cells(orjson.loads(event.document), event.hash.hex())) for event in part.events)


def _cells(document: dict[str, Any], hashed: str) -> list[str]:
    actor = document["actor"]
    flat = [document[name] for name in COLUMNS]
    texts = [*flat[:3], actor["kind"], actor["user_id"], actor["key_id"], *flat[3:], hashed]
    cells = [orjson.dumps(text).decode() if isinstance(text, dict) else str(text) for text in texts]
    return [f"'{cell}" if cell.startswith(FORMULA) else cell for cell in cells]


def _row(cells: list[str]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer).writerow(cells)
    return buffer.getvalue().encode()
