"""Guardrails: what a tenant lets into its models and out of them, and the ports through which texts are judged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, Protocol


class GuardKind(Enum):
    """How a text is judged."""

    PATTERN = "pattern"
    WORDS = "words"
    PII = "pii"
    SIZE = "size"
    LANGUAGE = "language"
    HTTP = "http"


class Phase(Enum):
    """When: what goes into a model, or what comes out of it."""

    INPUT = "input"
    OUTPUT = "output"


class Action(Enum):
    """What happens to a text in which something was found. ALLOW: it is only counted and logged."""

    ALLOW = "allow"
    REWRITE = "rewrite"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Guardrail:
    """One rule of a tenant. Rules are asked in the order of their positions; each sees what the one before left."""

    id: str
    tenant_id: str
    name: str
    kind: GuardKind
    phases: frozenset[Phase]
    action: Action
    rules: Mapping[str, Any]
    """What is looked for; its shape is the kind's."""
    created_at: datetime
    models: frozenset[str] = frozenset()
    """Public names that it is for; none means all."""
    position: int = 0
    enabled: bool = True
    credential: bytes = b""
    """Sealed; what an external judge is shown."""


@dataclass(frozen=True, slots=True)
class Span:
    """A place in a text, in code points, and what is put there."""

    start: int
    end: int
    replacement: str


@dataclass(frozen=True, slots=True)
class Passage:
    """A text, or a part of one that is still being written."""

    text: str
    phase: Phase
    model: str = ""
    request_id: str = ""
    before: int = 0
    """Code points that went out before it."""
    final: bool = True
    """Whether nothing follows."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a guard says. `spans` are in order and apart; they matter where the action is to rewrite."""

    action: Action = Action.ALLOW
    spans: Sequence[Span] = ()
    found: int = 0
    """How many things."""


@dataclass(frozen=True, slots=True)
class Report:
    """What guardrails did to a text that was tried: which found something, and what is left of the text."""

    action: Action
    text: str
    found: Mapping[str, int] = field(default_factory=dict)
    """By the name of the guardrail."""


class Guard(Protocol):
    """A guardrail, ready to judge."""

    async def judge(self, passage: Passage) -> Judgement:
        """GuardrailUnavailable where a judge elsewhere does not answer, and the rule is to refuse then."""


class GuardMaker(Protocol):
    """Makes guards out of rows."""

    def check(self, guardrail: Guardrail) -> None:
        """BadGuardrail says what is wrong with its rules."""

    def make(self, guardrail: Guardrail) -> Guard:
        """Of a row that was checked when it was written."""


class GuardrailQueries(Protocol):
    """On a tenant's guardrails."""

    async def list_guardrails(self, tenant_id: str) -> list[Guardrail]:
        """All of them, in the order in which they are asked."""

    async def get_guardrail(self, tenant_id: str, guardrail_id: str) -> Guardrail | None: ...

    async def put_guardrail(self, guardrail: Guardrail) -> None: ...

    async def delete_guardrail(self, tenant_id: str, guardrail_id: str) -> bool:
        """Whether it was there."""
