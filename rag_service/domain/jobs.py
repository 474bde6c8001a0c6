"""The kinds of jobs of this service, and how they are asked for."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

INGEST = "ingest"
"""Ingests a document. Named by the document: one worker at a time works on one."""
RELEASE = "release"
"""Removes the original of a version that is not needed (any more), and gives its bytes back."""
ERASE = "erase"
EXPIRE = "expire"
"""Deletes a file, or the documents of a collection, when its time is over."""
ANNOUNCE = "announce"
"""Tells the tenant's webhooks how an ingestion ended."""


class JobQueries(Protocol):
    """On jobs, under the calling context."""

    async def enqueue(
        self, kind: str, payload: Mapping[str, Any], *, name: str = "", delay_seconds: float = 0
    ) -> None: ...

    async def enqueue_all(self, kind: str, wanted: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """Several at once: (name, payload), each of another name, or all without."""

    async def is_asked_for(self, kind: str, name: str) -> bool:
        """Whether a job of that name waits or is done."""

    async def withdraw(self, kind: str, name: str) -> None: ...
