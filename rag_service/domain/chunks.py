"""Chunks of documents, and the queries on them: staged while a version is ingested, then swapped in at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from rag_service.domain.documents import Document


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a document's text; `start` and `end` count code points.

    `digest` tells what is embedded; the id follows from it, the document, its metadata and the place among equals.
    So a chunk that a new version does not change is the same chunk.
    """

    id: str
    ordinal: int
    text: str
    start: int
    end: int
    page: int
    heading: str
    digest: str
    terms: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Staged:
    """A chunk that waits for its vector; `like` is the id of a visible chunk that has the same one, or empty."""

    id: str
    ordinal: int
    text: str
    heading: str
    like: str


@dataclass(frozen=True, slots=True)
class Count:
    """How many chunks are staged, and how many of them have their vectors."""

    all: int
    embedded: int


@dataclass(frozen=True, slots=True)
class TextMark:
    """How far a document's texts are read."""

    place: int
    key: tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class EmbeddedText:
    """What was embedded of a chunk, but for its document's title; `mark` is where the next one follows."""

    chunk_id: str
    heading: str
    text: str
    mark: TextMark


class ChunkQueries(Protocol):
    """On the chunks of a tenant's documents. What takes a document does nothing (False, None) if its run is over."""

    async def one_writer(self, collection_id: str) -> None:
        """Nobody else changes what words find in the collection until the transaction ends. Before any lock on a
        document.
        """

    async def clear_staged(self, tenant_id: str, document_id: str, limit: int) -> int:
        """Forgets some of what is staged; vectors that were made for it are stale. How many."""

    async def clear_hidden(self, tenant_id: str, document: Document) -> bool:
        """Forgets some chunks that were written ahead, or replaced; their vectors are stale. False: there were none."""

    async def stage_chunks(self, tenant_id: str, document: Document, chunks: Sequence[Chunk]) -> bool:
        """Knows those that are visible already, or have the vector of one that is."""

    async def count_staged(self, tenant_id: str, document_id: str) -> Count: ...

    async def next_staged(self, tenant_id: str, document_id: str, after: int, limit: int) -> list[Staged]:
        """The next ones without a vector, after that ordinal."""

    async def mark_embedded(self, tenant_id: str, document: Document, ordinals: Sequence[int]) -> bool: ...

    async def write_ahead(self, tenant_id: str, document: Document) -> int:
        """Some of the staged chunks become chunks that no search sees before the swap; how many: none, where what is
        left is little.
        """

    async def swap_chunks(self, tenant_id: str, document: Document) -> Document | None:
        """Makes what is staged, and what was written ahead, the visible chunks, and the document ready. What they
        replace is stale, or hidden.
        """

    async def stale_vectors(self, tenant_id: str, document_id: str, limit: int) -> list[str]:
        """Ids of vectors that belong to no chunk any more."""

    async def disown(self, tenant_id: str, document_id: str, chunk_ids: Sequence[str]) -> None:
        """Of these, whose vectors were written, the ones that belong to no chunk are stale."""

    async def forget_stale(self, tenant_id: str, document_id: str, chunk_ids: Sequence[str]) -> None:
        """They are gone from the store."""

    async def embedded_texts(
        self, tenant_id: str, document_id: str, after: TextMark | None, limit: int
    ) -> list[EmbeddedText]:
        """Of all chunks, staged, visible or hidden, each once."""

    async def delete_chunks_of(self, tenant_id: str, document_id: str, limit: int) -> int:
        """Removes some of what is visible or staged, in order; how many."""
