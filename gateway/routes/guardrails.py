"""Guardrails: what a tenant lets into its models and out of them."""

from typing import Annotated, Any, Literal

import orjson
from aisp.llm.v1 import guardrails_pb2 as pb
from fastapi import APIRouter
from pydantic import Field

from gateway.admission import Call
from gateway.routes.common import AUTHENTICATED, Body, Paged, Services, StrictRoute, iso, managed, problems

router = APIRouter(route_class=StrictRoute, prefix="/api/v1/guardrails", tags=["guardrails"])

Kind = Literal["pattern", "words", "pii", "size", "language", "http"]
PhaseName = Literal["input", "output"]
ActionName = Literal["allow", "rewrite", "refuse"]


class NewGuardrail(Body):
    """A guardrail as it is to be. `rules` are the kind's.

    `pattern`: patterns (RE2), replacement, case_sensitive. `words`: words, replacement, whole_words. `pii`: entities
    (email, phone, credit_card, iban, us_ssn, ip_address), region, replacement. `size`: max_characters. `language`:
    allowed (ISO 639-1), min_characters. `http`: url, timeout_seconds, on_error (refuse or allow).
    """

    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [
        {"name": "no personal data", "kind": "pii", "phases": ["input", "output"], "action": "rewrite",
         "rules": {"entities": ["email", "credit_card"]}}
    ]}}  # fmt: skip

    name: Annotated[str, Field(min_length=1, max_length=100)]
    kind: Kind
    phases: Annotated[list[PhaseName], Field(min_length=1, max_length=2)] = ["input", "output"]
    action: Annotated[ActionName, Field(description="What happens where something is found; allow: it is counted")]
    rules: dict[str, Any]
    models: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=200)]],
        Field(max_length=100, description="Models that it is for; none means all"),
    ] = []
    position: Annotated[int, Field(ge=0, le=1_000_000, description="Where in the order it is asked")] = 0
    enabled: bool = True
    authorization: Annotated[
        str, Field(max_length=1000, description="What a judge elsewhere is shown as Authorization; never told again")
    ] = ""


class Trial(Body):
    """A text that is tried."""

    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [{"text": "Write to ada@example.com."}]}}

    text: Annotated[str, Field(max_length=100_000)]
    phase: PhaseName = "input"
    model: Annotated[str, Field(max_length=200)] = ""


@router.post("", status_code=201, responses=AUTHENTICATED | problems(400, 422), operation_id="createGuardrail")
async def create(
    body: NewGuardrail, services: Services, call: Call = managed("tenant:manage", audit="guardrail.create")
) -> dict[str, Any]:
    """Makes a guardrail; it is in force within a second."""
    request = pb.CreateGuardrailRequest(guardrail=_message(body, ""), authorization=body.authorization)
    return _told(call, (await services.llm.CreateGuardrail(request, context=call.context)).guardrail)


@router.get("", responses=AUTHENTICATED | problems(400), operation_id="listGuardrails")
async def list_guardrails(services: Services, part: Paged, call: Call = managed("tenant:manage")) -> dict[str, Any]:
    """All of the tenant's, in the order in which they are asked."""
    found = await services.llm.ListGuardrails(pb.ListGuardrailsRequest(), context=call.context)
    return part.of([_guardrail(row) for row in found.guardrails], "position", "id")


@router.post("/test", responses=AUTHENTICATED | problems(400, 422), operation_id="testGuardrails")
async def try_out(body: Trial, services: Services, call: Call = managed("tenant:manage")) -> dict[str, Any]:
    """What the enabled ones would do to a text; nothing is kept."""
    request = pb.TestGuardrailsRequest(phase=_phase(body.phase), text=body.text, model=body.model)
    report = await services.llm.TestGuardrails(request, context=call.context)
    return {"action": _name(pb.GuardAction, report.action), "text": report.text, "found": dict(report.found)}


@router.get("/{guardrail_id}", responses=AUTHENTICATED | problems(404), operation_id="getGuardrail")
async def get(guardrail_id: str, services: Services, call: Call = managed("tenant:manage")) -> dict[str, Any]:
    """One guardrail."""
    found = await services.llm.GetGuardrail(pb.GetGuardrailRequest(id=guardrail_id), context=call.context)
    return _guardrail(found.guardrail)


@router.put("/{guardrail_id}", responses=AUTHENTICATED | problems(400, 404, 422), operation_id="updateGuardrail")
async def update(
    guardrail_id: str,
    body: NewGuardrail,
    services: Services,
    call: Call = managed("tenant:manage", audit="guardrail.update"),
) -> dict[str, Any]:
    """Puts another in its place; without `authorization` the one that is there stays."""
    request = pb.UpdateGuardrailRequest(guardrail=_message(body, guardrail_id), authorization=body.authorization)
    return _told(call, (await services.llm.UpdateGuardrail(request, context=call.context)).guardrail)


@router.delete(
    "/{guardrail_id}", status_code=204, responses=AUTHENTICATED | problems(404), operation_id="deleteGuardrail"
)
async def delete(
    guardrail_id: str, services: Services, call: Call = managed("tenant:manage", audit="guardrail.delete")
) -> None:
    """Takes a guardrail away."""
    await services.llm.DeleteGuardrail(pb.DeleteGuardrailRequest(id=guardrail_id), context=call.context)


def _message(body: NewGuardrail, guardrail_id: str) -> pb.Guardrail:
    return pb.Guardrail(
        id=guardrail_id,
        name=body.name,
        kind=pb.GuardKind.Value(f"GUARD_KIND_{body.kind.upper()}"),
        phases=[_phase(name) for name in body.phases],
        action=pb.GuardAction.Value(f"GUARD_ACTION_{body.action.upper()}"),
        rules_json=orjson.dumps(body.rules),
        models=body.models,
        position=body.position,
        enabled=body.enabled,
    )


def _phase(name: str) -> pb.GuardPhase:
    found: pb.GuardPhase = pb.GuardPhase.Value(f"GUARD_PHASE_{name.upper()}")
    return found


def _name(enum: Any, number: int) -> str:
    """`GUARD_KIND_PII` is `pii`."""
    return str(enum.Name(number).split("_", 2)[2].lower())


def _guardrail(row: pb.Guardrail) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "kind": _name(pb.GuardKind, row.kind),
        "phases": [_name(pb.GuardPhase, phase) for phase in row.phases],
        "action": _name(pb.GuardAction, row.action),
        "rules": orjson.loads(row.rules_json),
        "models": list(row.models),
        "position": row.position,
        "enabled": row.enabled,
        "has_authorization": row.has_authorization,
        "created_at": iso(row.create_time),
    }


def _told(call: Call, row: pb.Guardrail) -> dict[str, Any]:
    document = _guardrail(row)
    if call.deed is not None:
        call.deed.resource_id = row.id
        call.deed.after = {key: document[key] for key in ("name", "kind", "phases", "action", "models", "enabled")}
    return document
