"""How the lexical index is written: chunks get numbers, and each term a string of postings for each run of 512 numbers.

    run       512 neighbouring numbers of a collection. The last one is open: new chunks are appended to it.
    home      where a run's postings are: its own, or, once sixteen full runs were folded into one, the first of those

A collection has one writer at a time, which ends with its transaction. Deleted chunks are taken out by a trigger
(migration 0002). What a posting holds, and how it is scored, is policy/bm25.py's; reading is lexical.py's.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.ext.asyncio import AsyncConnection

from rag_service.policy.bm25 import posting
from rag_service.repository.tables import runs

RUN = 512
FOLD = 16

LOCK = sa.text(
    "SELECT set_config('lock_timeout', '55s', true), pg_advisory_xact_lock(hashtextextended(:collection, 0))"
)
APPEND = sa.text("""
    INSERT INTO postings AS p (tenant_id, collection_id, term, run, data)
    SELECT :tenant, :collection, added.term, :run, added.data FROM unnest(:terms, :data) AS added(term, data)
    ON CONFLICT (tenant_id, collection_id, term, run) DO UPDATE SET data = p.data || excluded.data
""").bindparams(
    sa.bindparam("tenant", type_=sa.UUID(as_uuid=False)),
    sa.bindparam("collection", type_=sa.UUID(as_uuid=False)),
    sa.bindparam("run", type_=sa.Integer),
    sa.bindparam("terms", type_=sa.ARRAY(sa.Text)),
    sa.bindparam("data", type_=sa.ARRAY(BYTEA)),
)
FOLDED = sa.text("""
    WITH taken AS (
        DELETE FROM postings WHERE tenant_id = :tenant AND collection_id = :collection AND run = ANY(:runs)
        RETURNING term, run, data
    )
    INSERT INTO postings (tenant_id, collection_id, term, run, data)
    SELECT :tenant, :collection, term, :home, string_agg(data, ''::bytea ORDER BY run) FROM taken GROUP BY term
""").bindparams(
    sa.bindparam("tenant", type_=sa.UUID(as_uuid=False)),
    sa.bindparam("collection", type_=sa.UUID(as_uuid=False)),
    sa.bindparam("home", type_=sa.Integer),
    sa.bindparam("runs", type_=sa.ARRAY(sa.Integer)),
)


Terms = Mapping[str, int]
"""Those of a chunk, and how often each is in it."""


async def take_numbers(connection: AsyncConnection, rows: Sequence[Terms], place: Mapping[str, str]) -> list[int]:
    """A number for each new chunk, in order; `place` has their tenant and collection. Waits for other writers."""
    await connection.execute(LOCK, {"collection": place["collection_id"]})
    last = sa.select(runs.c.run, runs.c.used).where(*_of(place)).order_by(runs.c.run.desc()).limit(1)
    found = (await connection.execute(last)).one_or_none()
    first = found.run * RUN + found.used if found else 0
    numbers = list(range(first, first + len(rows)))
    for run, start, stop in _parts(numbers):
        words = sum(sum(row.values()) for row in rows[start:stop])
        count = stop - start
        if found and run == found.run:
            grown = {"used": runs.c.used + count, "alive": runs.c.alive + count, "words": runs.c.words + words}
            await connection.execute(runs.update().where(*_of(place), runs.c.run == run).values(grown))
        else:
            made = {"run": run, "home": run, "used": count, "alive": count, "words": words}
            await connection.execute(runs.insert().values(made | dict(place)))
    return numbers


async def insert_postings(
    connection: AsyncConnection, rows: Sequence[Terms], numbers: Sequence[int], place: Mapping[str, str]
) -> None:
    """The terms of new chunks, under the numbers that they took."""
    whom = {"tenant": place["tenant_id"], "collection": place["collection_id"]}
    for run, start, stop in _parts(numbers):
        told = await asyncio.to_thread(_told, rows[start:stop], numbers[start:stop])
        terms = sorted(told)
        data = [bytes(told[term]) for term in terms]
        await connection.execute(APPEND, whom | {"run": run, "terms": terms, "data": data})
    await _fold(connection, place)


def _told(rows: Sequence[Terms], numbers: Sequence[int]) -> dict[str, bytearray]:
    """The postings of each term."""
    told: dict[str, bytearray] = defaultdict(bytearray)
    for row, number in zip(rows, numbers, strict=True):
        length = sum(row.values())
        for term, frequency in row.items():
            told[term] += posting(number, frequency, length)
    return told


async def _fold(connection: AsyncConnection, place: Mapping[str, str]) -> None:
    """Sixteen full runs become one string a term: a search reads a sixteenth of the rows."""
    full = sa.select(runs.c.run).where(*_of(place), runs.c.used == RUN, ~runs.c.folded).order_by(runs.c.run)
    found = list((await connection.execute(full)).scalars())
    while len(found) >= FOLD:
        group, found = found[:FOLD], found[FOLD:]
        whom = {"tenant": place["tenant_id"], "collection": place["collection_id"]}
        await connection.execute(FOLDED, whom | {"home": group[0], "runs": group})
        moved = runs.update().where(*_of(place), runs.c.run.in_(group)).values(home=group[0], folded=True)
        await connection.execute(moved)


def _of(place: Mapping[str, str]) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    return runs.c.tenant_id == place["tenant_id"], runs.c.collection_id == place["collection_id"]


def _parts(numbers: Sequence[int]) -> list[tuple[int, int, int]]:
    """(run, start, stop) of the numbers, which are neighbours."""
    parts = []
    start = 0
    while start < len(numbers):
        run = numbers[start] // RUN
        stop = min(len(numbers), start + (run + 1) * RUN - numbers[start])
        parts.append((run, start, stop))
        start = stop
    return parts
