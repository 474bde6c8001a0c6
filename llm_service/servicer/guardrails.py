"""Guardrails on the wire."""

from datetime import UTC, datetime
from typing import Any

import orjson
from aisp.llm.v1 import guardrails_pb2 as pb
from aisp.llm.v1.llm_service_pb2_grpc import LlmServiceServicer

from llm_service.domain.errors import GuardrailNotFound
from llm_service.domain.guardrails import Action, GuardKind, Guardrail, Phase
from llm_service.policy.guardrails import bad
from llm_service.service.guardrails import Guardrails
from llm_service.servicer.wire import is_id, tenant

KINDS = {pb.GuardKind.Value(f"GUARD_KIND_{kind.name}"): kind for kind in GuardKind}
PHASES = {pb.GuardPhase.Value(f"GUARD_PHASE_{phase.name}"): phase for phase in Phase}
ACTIONS = {pb.GuardAction.Value(f"GUARD_ACTION_{action.name}"): action for action in Action}
KINDS_BACK = {kind: wire for wire, kind in KINDS.items()}
PHASES_BACK = {phase: wire for wire, phase in PHASES.items()}
ACTIONS_BACK = {action: wire for wire, action in ACTIONS.items()}
MAX_RULES_BYTES = 64 * 1024
MAX_POSITION = 1_000_000
MAX_TEST_CHARACTERS = 100_000


class GuardrailsServicer(LlmServiceServicer):
    """A tenant's guardrails."""

    _guardrails: Guardrails

    async def CreateGuardrail(self, request: pb.CreateGuardrailRequest, _: Any) -> pb.CreateGuardrailResponse:
        made = await self._guardrails.create(_wanted(request.guardrail, ""), request.authorization)
        return pb.CreateGuardrailResponse(guardrail=_message(made))

    async def ListGuardrails(self, _request: pb.ListGuardrailsRequest, _: Any) -> pb.ListGuardrailsResponse:
        rows = await self._guardrails.list(tenant())
        return pb.ListGuardrailsResponse(guardrails=[_message(row) for row in rows])

    async def GetGuardrail(self, request: pb.GetGuardrailRequest, _: Any) -> pb.GetGuardrailResponse:
        return pb.GetGuardrailResponse(guardrail=_message(await self._guardrails.get(tenant(), _id(request.id))))

    async def UpdateGuardrail(self, request: pb.UpdateGuardrailRequest, _: Any) -> pb.UpdateGuardrailResponse:
        wanted = _wanted(request.guardrail, _id(request.guardrail.id))
        return pb.UpdateGuardrailResponse(
            guardrail=_message(await self._guardrails.update(wanted, request.authorization))
        )

    async def DeleteGuardrail(self, request: pb.DeleteGuardrailRequest, _: Any) -> pb.DeleteGuardrailResponse:
        await self._guardrails.delete(tenant(), _id(request.id))
        return pb.DeleteGuardrailResponse()

    async def TestGuardrails(self, request: pb.TestGuardrailsRequest, _: Any) -> pb.TestGuardrailsResponse:
        phase = PHASES.get(request.phase)
        if phase is None:
            raise bad("phase", "must be input or output")
        if len(request.text) > MAX_TEST_CHARACTERS:
            raise bad("text", f"must have at most {MAX_TEST_CHARACTERS} characters")
        report = await self._guardrails.test(tenant(), phase, request.text, request.model)
        return pb.TestGuardrailsResponse(action=ACTIONS_BACK[report.action], text=report.text, found=report.found)


def _id(text: str) -> str:
    if not is_id(text):
        raise GuardrailNotFound
    return text


def _wanted(message: pb.Guardrail, guardrail_id: str) -> Guardrail:
    kind, action = KINDS.get(message.kind), ACTIONS.get(message.action)
    if kind is None or action is None or not all(phase in PHASES for phase in message.phases):
        raise bad("kind, phases and action", "must be known")
    if not 0 <= message.position <= MAX_POSITION:
        raise bad("position", f"must be from 0 to {MAX_POSITION}")
    return Guardrail(
        id=guardrail_id,
        tenant_id=tenant(),
        name=message.name,
        kind=kind,
        phases=frozenset(PHASES[phase] for phase in message.phases),
        action=action,
        rules=_rules(message.rules_json),
        created_at=datetime.now(UTC),
        models=frozenset(message.models),
        position=message.position,
        enabled=message.enabled,
    )


def _rules(body: bytes) -> dict[str, Any]:
    if len(body) > MAX_RULES_BYTES:
        raise bad("rules", f"must have at most {MAX_RULES_BYTES} bytes")
    try:
        rules = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise bad("rules", "must be a JSON object") from error
    if not isinstance(rules, dict):
        raise bad("rules", "must be a JSON object")
    return rules


def _message(row: Guardrail) -> pb.Guardrail:
    message = pb.Guardrail(
        id=row.id,
        name=row.name,
        kind=KINDS_BACK[row.kind],
        phases=sorted(PHASES_BACK[phase] for phase in row.phases),
        action=ACTIONS_BACK[row.action],
        rules_json=orjson.dumps(row.rules),
        models=sorted(row.models),
        position=row.position,
        enabled=row.enabled,
        has_authorization=bool(row.credential),
    )
    message.create_time.FromDatetime(row.created_at)
    return message
