"""Answers that are kept, where a caller asked for it: the same question by the same tenant gets the same answer."""

from dataclasses import dataclass
from typing import Protocol

from llm_service.domain.calls import Ending


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer, or a stream's events in one piece, and how it came about."""

    body: bytes
    ending: Ending
    model: str
    provider: str
    upstream_model: str
    made_at: float
    """Seconds since 1970."""


class AnswerCache(Protocol):
    """Keeps answers. A name is a tenant's: there is none without one. It may forget at any time, and never fails."""

    async def get(self, tenant_id: str, name: str) -> KeptAnswer | None: ...

    async def put(self, tenant_id: str, name: str, answer: KeptAnswer, seconds: int) -> None: ...
