"""A collection of any size, put into the tables by COPY as ingestion leaves it: documents, chunks, postings, vectors.

Its texts are words drawn from a Zipf distribution, so that a question has common and rare ones; its vectors lie about
topics, as those of texts do. The same at each run. It tells what search costs, not what it finds.
"""

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import numpy as np
import numpy.typing as npt

from rag_service.repository.postings import FOLD, RUN

WORDS = 200_000
TOPICS = 300
BLOCK = RUN * FOLD
"""Chunks whose postings are folded into one run."""
_CHANCES = np.cumsum(1 / (np.arange(WORDS) + 2.7))
POSTING = ("tenant_id", "collection_id", "term", "run", "data")
RUNS = ("tenant_id", "collection_id", "run", "home", "used", "alive", "words", "folded")
VECTOR = ("lane", "chunk_id", "tenant_id", "collection_id", "document_id", "metadata", "embedding")
CHUNK = (
    "id", "tenant_id", "collection_id", "document_id", "ordinal", "text", "start", "end", "page", "heading", "length",
    "number",
)  # fmt: skip
DOCUMENTS = """
    INSERT INTO documents (id, tenant_id, collection_id, title, file_name, media_type, metadata, bytes, sha256, status,
        stage, progress, error, chunks, version, ready_version, created_at)
    SELECT id, $1, $2, 'a title', '', 'text/plain', metadata, 1, '', 'ready', 'done', 100, '', $5, 1, 1, now()
    FROM unnest($3::uuid[], $4::jsonb[]) AS told(id, metadata)
"""
HNSW = "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = $1 AND indexdef LIKE '%hnsw%'"


def words(count: int, rng: np.random.Generator, most: int = WORDS) -> npt.NDArray[np.int64]:
    """Numbers of words, small ones most often; word 7 is `t7`."""
    return np.asarray(np.searchsorted(_CHANCES[:most], rng.random(count) * _CHANCES[most - 1]), np.int64)


def questions(count: int, seed: int, most: int = WORDS) -> list[str]:
    """Of eight words each."""
    rng = np.random.default_rng(seed)
    return [" ".join(f"t{word}" for word in words(8, rng, most).tolist()) for _ in range(count)]


def about(number: int) -> str:
    """The metadata of a document: parts of the collection of many sizes."""
    told = {"number": number, "batch": f"b{number // 5}", "year": 1950 + number % 100, "ten": number % 10}
    return json.dumps(told | {"about": "what documents have"})


@dataclass(frozen=True)
class Library:
    """A collection of so many documents, of `each` chunks; its vectors have `size` numbers."""

    tenant: str
    collection: str
    documents: int
    each: int = 1
    size: int = 384
    words: int = WORDS
    patterns: int = 0
    """So many blocks of texts differ, where it is not 0; the others repeat theirs: a million are written in minutes."""

    def vectors(self, count: int, seed: int) -> npt.NDArray[np.float32]:
        """Of length 1, about the library's topics."""
        rng = np.random.default_rng(seed)
        topics = np.random.default_rng(1).standard_normal((TOPICS, self.size), np.float32)
        noise = rng.standard_normal((count, self.size), np.float32)
        made = topics[rng.integers(0, TOPICS, count)] + noise * np.float32(0.8)
        return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), np.float32)

    async def fill(self, owner: asyncpg.Connection, memory: str = "1GB") -> int:
        """Writes all of it, the vectors into a lane of their own; the lane's number. The connection is the owner's."""
        await owner.execute("SELECT set_config('aisp.tenant', '*', false)")
        await owner.set_type_codec("vector", encoder=_vector, decoder=bytes, format="binary", schema="public")
        ids, chunks = [uuid4() for _ in range(self.documents)], [uuid4() for _ in range(self.documents * self.each)]
        for start in range(0, len(ids), BLOCK):
            some = ids[start : start + BLOCK]
            metadata = [about(start + at) for at in range(len(some))]
            await owner.execute(DOCUMENTS, self.tenant, self.collection, some, metadata, self.each)
        for first in range(0, len(chunks), BLOCK):
            await self._write_texts(owner, ids, chunks[first : first + BLOCK], first)
        lane = await self._write_vectors(owner, ids, chunks, memory)
        for table in ("documents", "facets", "chunks", "postings", "runs", f"vectors_{lane}"):
            # As it is once the database has looked after it: what an index has is not looked up in the table, too.
            await owner.execute(f"VACUUM (ANALYZE) {table}")
        return lane

    async def _write_texts(self, owner: asyncpg.Connection, ids: list[UUID], chunks: list[UUID], first: int) -> None:
        count, seed = len(chunks), first // BLOCK
        texts, lengths, told = _block(count, seed % self.patterns if self.patterns else seed, self.words)
        await self._write_postings(owner, told, lengths, first)
        records = []
        for at, text in enumerate(texts):
            document, ordinal = divmod(first + at, self.each)
            place = chunks[at], self.tenant, self.collection, ids[document], ordinal
            records.append((*place, text, 0, len(text), 0, "", int(lengths[at]), first + at))
        await _copied(owner, "chunks", CHUNK, records)

    async def _write_postings(
        self,
        owner: asyncpg.Connection,
        told: Sequence[tuple[int, npt.NDArray[np.void]]],
        lengths: npt.NDArray[np.int64],
        first: int,
    ) -> None:
        """A whole block as one folded run, what is left over as runs."""
        whole, place, records = len(lengths) == BLOCK, (self.tenant, self.collection), []
        for word, rows in told:
            moved = rows.copy()
            moved["number"] += first
            bounds = [0, len(rows)] if whole else np.searchsorted(rows["number"], np.arange(0, BLOCK + 1, RUN)).tolist()
            for part, (start, end) in enumerate(pairwise(bounds)):
                if start < end:
                    records.append((*place, f"t{word}", first // RUN + part, moved[start:end].tobytes()))
        await _copied(owner, "postings", POSTING, records)
        runs = []
        for low in range(0, len(lengths), RUN):
            some, run = lengths[low : low + RUN], (first + low) // RUN
            runs.append((*place, run, first // RUN if whole else run, len(some), len(some), int(some.sum()), whole))
        await _copied(owner, "runs", RUNS, runs)

    async def _write_vectors(self, owner: asyncpg.Connection, ids: list[UUID], chunks: list[UUID], memory: str) -> int:
        """The lane is made with one row, and indexed when all are there: that is fastest."""
        place = self.tenant, self.collection
        await owner.execute("INSERT INTO vector_lanes (tenant_id, collection_id) VALUES ($1, $2)", *place)
        lane, index = 0, ("", "")
        for first in range(0, len(chunks), BLOCK):
            made, records = self.vectors(BLOCK, 10 + first), []
            for at, chunk in enumerate(chunks[first : first + BLOCK]):
                document = (first + at) // self.each
                records.append((lane, chunk, *place, ids[document], about(document), made[at]))
            if not first:
                await _copied(owner, "vectors_0", VECTOR, records[:1])
                lane = await owner.fetchval("SELECT own_lane($1, $2)", *place)
                index = await owner.fetchrow(HNSW, f"vectors_{lane}")
                await owner.execute(f"DROP INDEX {index[0]}")
                records = [(lane, *row[1:]) for row in records[1:]]
            await _copied(owner, f"vectors_{lane}", VECTOR, records)
        await owner.execute(f"SET maintenance_work_mem = '{memory}'")
        await owner.execute(index[1], timeout=1800)
        return int(lane)


@lru_cache(maxsize=4)
def _block(
    count: int, seed: int, most: int
) -> tuple[list[str], npt.NDArray[np.int64], list[tuple[int, npt.NDArray[np.void]]]]:
    """(texts, their lengths, the postings of each word) of so many chunks that are numbered from 0."""
    rng = np.random.default_rng(1000 + seed)
    lengths = rng.integers(60, 180, count)
    word = words(int(lengths.sum()), rng, most)
    said, ends = [f"t{number}" for number in word.tolist()], [0, *np.cumsum(lengths).tolist()]
    texts = [" ".join(said[start:end]) for start, end in pairwise(ends)]
    pairs, counts = np.unique(word * BLOCK + np.repeat(np.arange(count), lengths), return_counts=True)
    rows = np.zeros(len(pairs), [("number", ">u4"), ("frequency", ">u2"), ("length", ">u2")])
    rows["number"], rows["frequency"], rows["length"] = pairs % BLOCK, counts, lengths[pairs % BLOCK]
    # The pairs are in the order of words and, in a word, of chunks.
    keys = pairs // BLOCK
    starts = [*np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]]).tolist(), len(keys)]
    return texts, lengths, [(int(keys[start]), rows[start:end]) for start, end in pairwise(starts)]


async def _copied(
    owner: asyncpg.Connection, table: str, columns: Sequence[str], records: Sequence[tuple[Any, ...]]
) -> None:
    """COPY does not go into a table with row-level security: by way of one without."""
    named = ", ".join(f'"{column}"' for column in columns)
    await owner.execute(f"CREATE TEMP TABLE copied AS SELECT {named} FROM {table} LIMIT 0")  # noqa: S608  # our own
    await owner.copy_records_to_table("copied", records=records, columns=columns)
    await owner.execute(f"INSERT INTO {table} ({named}) SELECT * FROM copied; DROP TABLE copied")  # noqa: S608  # likewise


def _vector(row: npt.NDArray[np.float32]) -> bytes:
    """As pgvector reads it."""
    return struct.pack(">HH", len(row), 0) + row.astype(">f4").tobytes()
