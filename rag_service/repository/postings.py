"""How the lexical index is written: chunks get numbers, and each term a string of postings for each run of 512 numbers.

    run       512 neighbouring numbers of a collection. The last one is open: new chunks are appended to it.
    home      where a run's postings are: its own, or, once sixteen full runs were folded into one, the first of those
    hidden    written ahead of a swap, or swapped out: searches do not look there (docs/decisions/0017-written-ahead.md)

A collection has one writer at a time, which ends with its transaction. Deleted chunks are taken out by a trigger
(migration 0002). What a posting holds, and how it is scored, is policy/bm25.py's; reading is lexical.py's.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import groupby

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import BYTEA, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from rag_service.policy.bm25 import posting
from rag_service.repository.tables import runs

RUN = 512
FOLD = 16
APPENDED_TERMS = 5000
"""Of one statement."""

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
Place = Mapping[str, str]
"""A collection: tenant_id, collection_id."""


async def one_writer(connection: AsyncConnection, collection_id: str) -> None:
    """Waits for other writers of the collection; those that come later wait until the transaction ends."""
    await connection.execute(LOCK, {"collection": collection_id})


async def take_numbers(connection: AsyncConnection, count: int, place: Place) -> list[int]:
    """Numbers for so many new chunks, in order: what the open run has left, then those behind all others."""
    await one_writer(connection, place["collection_id"])
    query = sa.select(runs.c.run, runs.c.used).where(*_of(place), runs.c.used < RUN, runs.c.hidden_of.is_(None))
    found = (await connection.execute(query.order_by(runs.c.run.desc()).limit(1))).one_or_none()
    left = range(found.run * RUN + found.used, (found.run + 1) * RUN)[:count] if found else range(0)
    first = await _behind_all(connection, place)
    return [*left, *range(first, first + count - len(left))]


async def insert_postings(
    connection: AsyncConnection, rows: Sequence[Terms], numbers: Sequence[int], place: Place
) -> None:
    """The terms of new chunks, under the numbers that they took."""
    start = 0
    for run, group in groupby(numbers, lambda number: number // RUN):
        stop = start + len(list(group))
        told = await asyncio.to_thread(_told, rows[start:stop], numbers[start:stop])
        await _append(connection, place, run, told)
        words = sum(sum(row.values()) for row in rows[start:stop])
        grown = {"used": stop - start, "alive": stop - start, "words": words}
        change = insert(runs).values({"run": run, "home": run} | grown | dict(place))
        more = {name: runs.c[name] + change.excluded[name] for name in grown}
        key = ["tenant_id", "collection_id", "run"]
        await connection.execute(change.on_conflict_do_update(index_elements=key, set_=more))
        start = stop
    await _fold(connection, place)


class NewHome:
    """Runs of a document that no search sees yet: gathered one by one, and written at once."""

    def __init__(self, first: int) -> None:
        self._home = first
        self._words: list[int] = []
        self._lists: dict[str, bytearray] = defaultdict(bytearray)

    @classmethod
    async def behind_all(cls, connection: AsyncConnection, place: Place) -> "NewHome":
        """Nobody else takes its numbers until the transaction ends."""
        await one_writer(connection, place["collection_id"])
        return cls(await _behind_all(connection, place) // RUN)

    def numbers(self) -> range:
        """Those of the run that is gathered next."""
        first = (self._home + len(self._words)) * RUN
        return range(first, first + RUN)

    def add(self, rows: Sequence[Terms]) -> None:
        """The terms of a whole run."""
        for term, told in _told(rows, self.numbers()).items():
            self._lists[term] += told
        self._words.append(sum(sum(row.values()) for row in rows))

    async def write(self, connection: AsyncConnection, place: Place, document_id: str) -> None:
        """Hidden as the document's."""
        await _append(connection, place, self._home, self._lists)
        shared = {"home": self._home, "used": RUN, "alive": RUN, "folded": len(self._words) == FOLD}
        made = [
            {"run": self._home + place_in_home, "words": words} | shared | {"hidden_of": document_id} | dict(place)
            for place_in_home, words in enumerate(self._words)
        ]
        await connection.execute(runs.insert().values(made))


async def _append(connection: AsyncConnection, place: Place, home: int, told: Mapping[str, bytearray]) -> None:
    whom = {"tenant": place["tenant_id"], "collection": place["collection_id"], "run": home}
    ordered = sorted(told)
    for start in range(0, len(ordered), APPENDED_TERMS):
        terms = ordered[start : start + APPENDED_TERMS]
        await connection.execute(APPEND, whom | {"terms": terms, "data": [bytes(told[term]) for term in terms]})


def _told(rows: Sequence[Terms], numbers: Sequence[int]) -> dict[str, bytearray]:
    """The postings of each term."""
    told: dict[str, bytearray] = defaultdict(bytearray)
    for row, number in zip(rows, numbers, strict=True):
        length = sum(row.values())
        for term, frequency in row.items():
            told[term] += posting(number, frequency, length)
    return told


async def _behind_all(connection: AsyncConnection, place: Place) -> int:
    """The first number of the run after the last."""
    last = (await connection.execute(sa.select(sa.func.max(runs.c.run)).where(*_of(place)))).scalar_one()
    return 0 if last is None else (int(last) + 1) * RUN


async def _fold(connection: AsyncConnection, place: Place) -> None:
    """Sixteen full runs become one string a term: a search reads a sixteenth of the rows."""
    full = sa.select(runs.c.run).where(*_of(place), runs.c.used == RUN, ~runs.c.folded, runs.c.hidden_of.is_(None))
    found = list((await connection.execute(full.order_by(runs.c.run))).scalars())
    while len(found) >= FOLD:
        group, found = found[:FOLD], found[FOLD:]
        whom = {"tenant": place["tenant_id"], "collection": place["collection_id"]}
        await connection.execute(FOLDED, whom | {"home": group[0], "runs": group})
        moved = runs.update().where(*_of(place), runs.c.run.in_(group)).values(home=group[0], folded=True)
        await connection.execute(moved)


def _of(place: Place) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    return runs.c.tenant_id == place["tenant_id"], runs.c.collection_id == place["collection_id"]
