"""What the queries of every noun share."""

import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import UUID
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.errors import InvalidCursor
from chassis.jobs import Jobs
from chassis.pagination import IdPage

IN_ORDER = sa.text("SELECT set_config('enable_sort', 'off', true), set_config('enable_bitmapscan', 'off', true)")


def one_of(column: sa.ColumnElement[Any], name: str) -> sa.ColumnElement[bool]:
    """That an id is one of a parameter's, to be looked up by an index however many they are. The planner weighs each
    element of an array that is given, which takes as long as looking it up, and would rather read the whole table.
    """
    given = sa.func.unnest(sa.bindparam(name, type_=sa.ARRAY(UUID(as_uuid=False))))
    return column == sa.any_(sa.func.array(sa.select(given).scalar_subquery()))


class Rows:
    """Queries of one transaction."""

    def __init__(self, connection: AsyncConnection, jobs: Jobs) -> None:
        self._db = connection
        self._jobs = jobs

    async def read_in_order(self) -> None:
        """Until the transaction ends, what is asked for in the order of an index is read by it. The planner, to whom
        row-level security seems to leave next to nothing, would read all of it for each part, and sort.
        """
        await self._db.execute(IN_ORDER)

    async def page_by_id(
        self, query: sa.Select[Any], key: Sequence[Any], named: Callable[[str], sa.ColumnElement[bool]], page: IdPage
    ) -> tuple[list[Any], bool]:
        """The rows of a page in the order of `key` (made when, id), and whether there are more in its direction.
        `named`: which is the item that is known by an id. InvalidCursor.
        """
        backwards, anchor = bool(page.before), page.after or page.before
        ascending = page.ascending is not backwards
        if anchor:
            place = (await self._db.execute(query.with_only_columns(*key).where(named(anchor)))).first()
            if place is None:
                raise InvalidCursor(f"There is no {anchor[:64]} in this list.")
            last = sa.tuple_(*(sa.literal(value, part.type) for value, part in zip(place, key, strict=True)))
            query = query.where(sa.tuple_(*key) > last if ascending else sa.tuple_(*key) < last)
        order = [part.asc() if ascending else part.desc() for part in key]
        found = list(await self._db.execute(query.order_by(*order).limit(page.size + 1)))
        rows = found[: page.size]
        return rows[::-1] if backwards else rows, len(found) > page.size


def is_id(column: sa.ColumnElement[Any], given: str) -> sa.ColumnElement[bool]:
    """Whether it is this id, by its index. What is no UUID is nobody's."""
    try:
        return column == sa.literal(str(uuid.UUID(given)), UUID(as_uuid=False))
    except ValueError:
        return sa.false()


def known_ids(given: Sequence[str]) -> list[str]:
    """Those that are UUIDs."""
    found = []
    for one in given:
        with suppress(ValueError):
            found.append(str(uuid.UUID(one)))
    return found


def page_of(query: sa.Select[Any], table: sa.Table, size: int, after: tuple[str | int, ...] | None) -> sa.Select[Any]:
    """Newest first, after the row whose (microseconds, id) is `after`; one row more than the size."""
    micros = sa.cast(sa.extract("epoch", table.c.created_at) * 1_000_000, sa.BigInteger)
    key = sa.cast(table.c.id, sa.Text)
    if after is not None:
        position = sa.tuple_(sa.literal(int(after[0])), sa.literal(str(after[1])))
        query = query.where(sa.tuple_(micros, key) < position)
    return query.order_by(micros.desc(), key.desc()).limit(size + 1)
