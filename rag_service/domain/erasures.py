"""Erasures: documents that are removed with everything that was made of them, and what was found afterwards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Erasure:
    """A deletion and how far it is. It holds ids and counts, nothing of what the documents said.

    `probes` searches were made with the deleted vectors, in the stores that held them; `found` counts what of the
    documents they still saw, and what of their keys and rows was still there.
    """

    id: str
    tenant_id: str
    created_at: datetime
    documents: int
    document_id: str = ""
    """Where it is of one."""
    ended_at: datetime | None = None
    counts: Mapping[str, int] = field(default_factory=dict)


REMOVED = ("documents", "objects", "chunks", "vectors", "cached", "quotes", "messages", "answers", "bytes")
"""What is counted of what goes: documents, objects (originals, texts), chunks, vectors, vectors by content in the
cache, answers' receipts with quotes, messages of conversations, answers that were stored for an Idempotency-Key, bytes.
"""
PLACES = ("objects", "vectors", "chunks", "cached", "quotes", "answers")
"""Where it was looked for afterwards."""
COUNTED = (*REMOVED, "probes", "found", *(f"found_{place}" for place in PLACES))
"""What `counts` has: beside that, searches with deleted vectors, and what was found: in all and at each place."""


@dataclass(frozen=True, slots=True)
class ErasedDocument:
    """What is needed to erase one."""

    id: str
    tenant_id: str
    collection_id: str
    titles: Sequence[str]
    """Under which its chunks were embedded."""
    vector_store: str
    embedding_model: str


class StoredAnswers(Protocol):
    """Answers that are kept for retries."""

    async def forget(self, tenant_id: str, about: str) -> int:
        """Those about a document; how many there were."""


class ErasureQueries(Protocol):
    """On a tenant's erasures."""

    async def add_erasure(self, tenant_id: str, erasure: Erasure) -> None: ...

    async def get_erasure(self, tenant_id: str, erasure_id: str) -> Erasure | None: ...

    async def next_erased(self, tenant_id: str, erasure_id: str) -> ErasedDocument | None:
        """A document of the erasure that is still there."""

    async def keep_probes(
        self, tenant_id: str, erasure_id: str, document_id: str, probes: Sequence[tuple[str, bytes]]
    ) -> None:
        """(chunk id, vector): kept until the document is gone, so that a worker that dies can still probe."""

    async def kept_probes(self, tenant_id: str, document_id: str) -> Sequence[tuple[str, bytes]]: ...

    async def add_counts(self, tenant_id: str, erasure_id: str, counts: Mapping[str, int]) -> None: ...

    async def erase_quotes(self, tenant_id: str, document_id: str) -> tuple[int, int]:
        """Of the document, in answers' receipts and in what conversations keep; how many of each."""

    async def count_quotes(self, tenant_id: str, document_id: str) -> int:
        """Those that are left, of both."""

    async def remove_document(self, tenant_id: str, document_id: str) -> bool:
        """Its row, and all rows that belong to it; whether it was there."""

    async def end_erasure(self, tenant_id: str, erasure_id: str, at: datetime) -> None: ...
