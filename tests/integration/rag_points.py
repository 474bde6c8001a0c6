"""Points of an ingestion at which PostgreSQL can hold the worker, texts to ingest, and what must be true in the end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aisp.rag.v1 import rag_service_pb2 as pb

from rag_service.policy.chunking import Source, chunks, embedded_text
from tests.integration.rag_bench import Bench

ROW = "FOR EACH ROW WHEN ({})"
STATEMENT = "FOR EACH STATEMENT"
POINTS = {
    "before extracting": ("UPDATE ON documents", ROW.format("NEW.stage = 'extracting'"), 1),
    "text kept": ("UPDATE ON documents", ROW.format("NEW.stage = 'chunking'"), 1),
    "first chunks": ("INSERT ON staged_chunks", STATEMENT, 1),
    "more chunks": ("INSERT ON staged_chunks", STATEMENT, 2),
    "all chunks": ("UPDATE ON documents", ROW.format("NEW.stage = 'embedding'"), 1),
    "first vectors": ("INSERT ON vectors", STATEMENT, 1),
    "first mark": ("UPDATE ON staged_chunks", STATEMENT, 1),
    "some vectors": ("INSERT ON vectors", STATEMENT, 6),
    "some mark": ("UPDATE ON staged_chunks", STATEMENT, 8),
    "progress": ("UPDATE ON documents", ROW.format("NEW.progress > 60"), 1),
    "before indexing": ("UPDATE ON documents", ROW.format("NEW.stage = 'indexing'"), 1),
    "in the swap": ("INSERT ON chunks", STATEMENT, 1),
    "the swap's words": ("INSERT ON postings", STATEMENT, 1),
    "end of the swap": ("UPDATE ON documents", ROW.format("NEW.status = 'ready'"), 1),
    "before it is finished": ("DELETE ON jobs", ROW.format("OLD.kind = 'ingest'"), 1),
    "told, not finished": ("DELETE ON jobs", ROW.format("OLD.kind = 'announce'"), 1),
}
AHEAD = {
    "a run ahead": ("INSERT ON runs", STATEMENT, 2),
    "its words": ("INSERT ON postings", STATEMENT, 1),
    "the rest": ("INSERT ON chunks", STATEMENT, 3),
    "the mark": ("UPDATE ON runs", STATEMENT, 1),
}
"""Of a document of two runs of the lexical index, and some."""


def story(paragraphs: int, changed: int = -1) -> str:
    def paragraph(number: int) -> str:
        word = "changed" if number == changed else "keeps"
        return " ".join(f"Passage {number} {word} its sentence {k} about harbours and lanterns." for k in range(30))

    return "\n\n".join(map(paragraph, range(paragraphs)))


async def check(bench: Bench, batch: int, document: pb.Document, text: str, embedded: int) -> None:
    """The document is there, exactly once, and nothing is left over."""
    expected = list(chunks(Source(document.id, document.title, {}), [text]))
    rows = await bench.owner.fetch(
        'SELECT id::text, text, start, "end", ordinal FROM chunks WHERE document_id = $1 ORDER BY ordinal', document.id
    )
    found = [(row["id"], row["text"], row["start"], row["end"]) for row in rows]
    assert found == [(chunk.id, chunk.text, chunk.start, chunk.end) for chunk in expected]
    held = await bench.owner.fetch("SELECT chunk_id::text FROM vectors WHERE document_id = $1", document.id)
    assert {row["chunk_id"] for row in held} == {chunk.id for chunk in expected}
    texts = [embedded_text(document.title, chunk.heading, chunk.text) for chunk in expected]
    assert len(held) == len(expected)
    # At most one batch is embedded twice.
    assert sum(bench.peers.embeddings.texts.values()) - embedded <= batch
    assert all(bench.peers.embeddings.texts[one] for one in texts)
    for table in ("staged_chunks", "stale_vectors"):
        assert await bench.owner.fetchval(f"SELECT count(*) FROM {table} WHERE document_id = $1", document.id) == 0  # noqa: S608
    words = await bench.owner.fetchval("SELECT sum(alive) FROM runs WHERE tenant_id = $1", bench.tenant)
    assert words == len(expected)
    told = [kind for name, (kind, _) in bench.peers.meter.events.items() if document.id in name]
    assert told == ["document.ready"] * document.version
    assert bench.peers.meter.stored[bench.tenant] == len(text.encode())


def edition(number: int) -> str:
    return "\n\n".join(
        " ".join(f"Passage {place} of edition{number} has its sentence {k} about lanterns." for k in range(30))
        for place in range(30)
    )


@asynccontextmanager
async def looking(bench: Bench, document: pb.Document) -> AsyncIterator[list[int]]:
    """Searches all the time, in every mode: each sees one edition, and all of it."""
    whole = {
        number: len(list(chunks(Source(document.id, document.title, {}), [edition(number)]))) for number in (1, 2, 3)
    }
    seen: list[int] = []

    async def look(mode: int) -> None:
        while True:
            texts = [row.text for row in await bench.search("lanterns", mode)]
            editions = {number for number in whole if any(f"edition{number}" in text for text in texts)}
            assert len(editions) == 1, f"editions {editions}"
            (number,) = editions
            assert len(texts) == whole[number], f"{len(texts)} of {whole[number]}"
            seen.append(number)

    tasks = [
        asyncio.create_task(look(mode))
        for mode in (pb.SEARCH_MODE_DENSE, pb.SEARCH_MODE_LEXICAL, pb.SEARCH_MODE_HYBRID)
    ]
    try:
        yield seen
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        for one in ended:
            if not isinstance(one, asyncio.CancelledError):
                raise one if isinstance(one, BaseException) else AssertionError
