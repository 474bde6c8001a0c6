"""Jobs, asked for in the transaction of what they belong to."""

from collections.abc import Mapping, Sequence
from typing import Any

from chassis import context
from rag_service.repository.rows import Rows

AT_ONCE = 500
"""In one statement."""


class JobRows(Rows):
    """Queries on jobs."""

    async def enqueue(self, kind: str, payload: Mapping[str, Any], *, name: str = "", delay_seconds: float = 0) -> None:
        await self._jobs.enqueue(self._db, kind, context.current(), payload, name=name, delay_seconds=delay_seconds)

    async def enqueue_all(self, kind: str, wanted: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        for start in range(0, len(wanted), AT_ONCE):
            await self._jobs.enqueue_all(self._db, kind, context.current(), wanted[start : start + AT_ONCE])

    async def is_asked_for(self, kind: str, name: str) -> bool:
        return await self._jobs.exists(self._db, kind, name)

    async def withdraw(self, kind: str, name: str) -> None:
        await self._jobs.withdraw(self._db, kind, name)
