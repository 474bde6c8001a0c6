"""Queries on tenants' guardrails."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from llm_service.domain.guardrails import Action, GuardKind, Guardrail, Phase
from llm_service.repository.rows import Rows
from llm_service.repository.tables import guardrails


class GuardrailRows(Rows):
    """A tenant's guardrails."""

    async def list_guardrails(self, tenant_id: str) -> list[Guardrail]:
        query = sa.select(guardrails).where(guardrails.c.tenant_id == tenant_id)
        return [
            _guardrail(row) for row in await self._db.execute(query.order_by(guardrails.c.position, guardrails.c.id))
        ]

    async def get_guardrail(self, tenant_id: str, guardrail_id: str) -> Guardrail | None:
        row = (await self._db.execute(sa.select(guardrails).where(*_one(tenant_id, guardrail_id)))).one_or_none()
        return _guardrail(row) if row else None

    async def put_guardrail(self, guardrail: Guardrail) -> None:
        values = {name: getattr(guardrail, name) for name in guardrail.__slots__} | {
            "kind": guardrail.kind.value,
            "action": guardrail.action.value,
            "phases": sorted(phase.value for phase in guardrail.phases),
            "models": sorted(guardrail.models),
            "rules": dict(guardrail.rules),
        }
        changed = {name: value for name, value in values.items() if name not in ("id", "tenant_id", "created_at")}
        statement = insert(guardrails).values(**values)
        await self._db.execute(statement.on_conflict_do_update(index_elements=["id"], set_=changed))

    async def delete_guardrail(self, tenant_id: str, guardrail_id: str) -> bool:
        statement = guardrails.delete().where(*_one(tenant_id, guardrail_id))
        return (await self._db.execute(statement)).rowcount > 0


def _one(tenant_id: str, guardrail_id: str) -> tuple[Any, Any]:
    return guardrails.c.tenant_id == tenant_id, guardrails.c.id == guardrail_id


def _guardrail(row: Any) -> Guardrail:
    return Guardrail(
        id=row.id,
        tenant_id=row.tenant_id,
        name=row.name,
        kind=GuardKind(row.kind),
        phases=frozenset(map(Phase, row.phases)),
        action=Action(row.action),
        rules=row.rules,
        created_at=row.created_at,
        models=frozenset(row.models),
        position=row.position,
        enabled=row.enabled,
        credential=row.credential,
    )
