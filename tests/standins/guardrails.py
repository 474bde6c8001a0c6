"""Guardrails without a database: rows in memory, which may be away, and the book that is made of them."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from chassis.database import DatabaseUnavailable
from chassis.outbound import Outbound
from chassis.settings import OutboundSettings
from llm_service.adapters.guards.makers import Guards
from llm_service.domain.guardrails import Action, GuardKind, Guardrail, Phase
from llm_service.service.screens import Meant, ScreenBook


class Rows:
    """A store of guardrails, which may be away."""

    def __init__(self, *rows: Guardrail) -> None:
        self.rows = list(rows)
        self.away = False
        self.read = 0

    @asynccontextmanager
    async def transaction(self, tenant_id: str) -> AsyncGenerator["Rows", None]:
        if self.away:
            raise DatabaseUnavailable
        yield self

    async def list_guardrails(self, tenant_id: str) -> list[Guardrail]:
        self.read += 1
        return [row for row in self.rows if row.tenant_id == tenant_id]


def row(action: Action = Action.REWRITE, phases: Any = frozenset(Phase), **changes: Any) -> Guardrail:
    rules = changes.pop("rules", {"patterns": [r"\bsecret-\d+"], "replacement": "[x]"})
    made = Guardrail("g", "t", "rule", GuardKind.PATTERN, phases, action, rules, datetime(2026, 1, 1, tzinfo=UTC))
    return replace(made, **changes)


async def itself(_tenant_id: str, name: str) -> frozenset[str]:
    """A model has one name."""
    return frozenset((name,))


def book(rows: Rows, clock: Any = lambda: 0.0, meant: Meant = itself) -> ScreenBook:
    outbound = OutboundSettings()
    guards = Guards(Outbound(outbound), outbound, None)  # type: ignore[arg-type]  # no secrets here
    return ScreenBook(rows, guards, meant, 0.5, clock)  # type: ignore[arg-type]  # a twin
