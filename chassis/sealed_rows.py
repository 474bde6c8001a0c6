"""Secrets in a service's tables, encrypted anew under the current secret, so that the previous one can be thrown away.

Batch by batch, each a transaction of its own; whoever is asked again goes on with what is left.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from chassis.database import Database
from chassis.envelope import Envelope

BATCH = 500


@dataclass(frozen=True, slots=True)
class Sealed:
    """A column of ciphertexts (empty ones are none), and what each is bound to."""

    column: sa.Column[Any]
    binding: Callable[[Any], Sequence[str]]
    """Of a row: what it was sealed with."""


class SealedRows:
    """The sealed columns of one service. Their tables have a key of one column."""

    def __init__(self, database: Database, vault: Envelope, columns: Sequence[Sealed]) -> None:
        self._database = database
        self._vault = vault
        self._columns = columns

    async def reencrypt(self) -> dict[str, int]:
        """How many there were, by table. CannotOpen for one whose secret is neither the current nor a previous one."""
        renewed: dict[str, int] = {}
        for sealed in self._columns:
            name = sealed.column.table.name
            renewed[name] = renewed.get(name, 0) + await self._column(sealed)
        return renewed

    async def _column(self, sealed: Sealed) -> int:
        table = sealed.column.table
        (key,) = table.primary_key.columns
        done, last = 0, None
        while True:
            query = sa.select(table).order_by(key).limit(BATCH).with_for_update()
            async with self._database.platform() as connection:
                rows = (await connection.execute(query if last is None else query.where(key > last))).all()
                for row in rows:
                    before = bytes(row._mapping[sealed.column])  # noqa: SLF001  # SQLAlchemy's public name for it
                    if before and not self._vault.is_current(before):
                        binding = sealed.binding(row)
                        fresh = self._vault.seal(self._vault.open(before, *binding), *binding)
                        mine = row._mapping[key]  # noqa: SLF001
                        await connection.execute(table.update().where(key == mine).values({sealed.column: fresh}))
                        done += 1
            if len(rows) < BATCH:
                return done
            last = rows[-1]._mapping[key]  # noqa: SLF001
