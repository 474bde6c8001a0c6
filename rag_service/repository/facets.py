"""Documents that a filter lets through, where they are few: by an index of what their metadata say (migration 0013).

Under row-level security PostgreSQL uses an index only with leakproof operators. JSONB's are not, those of texts and
doubles are. The index finds no fewer documents than a filter means; the filter itself is then asked of these.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from rag_service.domain.filters import Condition, Filter
from rag_service.repository.filters import compile_filter
from rag_service.repository.rows import Rows
from rag_service.repository.tables import documents, facets

CHARACTERS = 64
"""Of a text that are indexed (migration 0013)."""
NOT_LESS = frozenset(("gt", "gte"))
NOT_MORE = frozenset(("lt", "lte"))


class FacetRows(Rows):
    """Queries on documents by what their metadata say."""

    async def documents_let_through(
        self, tenant_id: str, collection_id: str, wanted: Filter, most: int
    ) -> list[str] | None:
        for which in _ways(wanted):
            some = _some(tenant_id, collection_id, which).limit(most + 1)
            if (await self._db.execute(sa.select(sa.func.count()).select_from(some.subquery()))).scalar_one() > most:
                continue
            # As one text: there may be thousands.
            ids = sa.func.string_agg(sa.cast(documents.c.id, sa.Text), ",")
            query = sa.select(ids, sa.func.sum(documents.c.chunks)).where(
                documents.c.id == sa.any_(sa.func.array(some.scalar_subquery())),
                documents.c.tenant_id == tenant_id,
                documents.c.erasure_id.is_(None),
                compile_filter(wanted, documents.c.metadata),
            )
            found, theirs = (await self._db.execute(query)).one()
            if found is None:
                return []
            return found.split(",") if theirs <= most else None
        return None


def _ways(wanted: Filter) -> Iterator[Sequence[sa.ColumnElement[bool]]]:
    """Ways to find all documents that the filter lets through (and some others), each as conditions on facets of which
    one must hold. There is none for what is said of documents that lack a value.
    """
    if isinstance(wanted, Condition):
        if wanted.op not in ("ne", "nin") and not wanted.negated:
            yield _conditions(wanted)
    elif wanted.op == "and":
        for part in wanted.filters:
            yield from _ways(part)
    else:
        firsts = [next(_ways(part), None) for part in wanted.filters]
        if None not in firsts:
            yield [condition for first in firsts for condition in first or ()]


def _conditions(wanted: Condition) -> list[sa.ColumnElement[bool]]:
    field = facets.c.field == wanted.field
    if wanted.op in NOT_LESS | NOT_MORE:
        column, value = _place(wanted.value)
        return [sa.and_(field, column >= value if wanted.op in NOT_LESS else column <= value)]
    if wanted.op == "eq":
        column, value = _place(wanted.value)
        return [sa.and_(field, column == value)]
    kinds: dict[Any, list[str | float]] = {}
    for column, value in map(_place, wanted.value):
        kinds.setdefault(column, []).append(value)
    return [
        sa.and_(field, column == sa.any_(sa.literal(values, sa.ARRAY(column.type)))) for column, values in kinds.items()
    ]


def _place(value: Any) -> tuple[sa.Column[Any], str | float]:
    """The column that a value is in, and as what."""
    if isinstance(value, bool):
        return facets.c.text, str(value).lower()
    if isinstance(value, int | float):
        return facets.c.number, float(value)
    return facets.c.text, str(value)[:CHARACTERS]


def _some(tenant_id: str, collection_id: str, which: Sequence[sa.ColumnElement[bool]]) -> sa.CompoundSelect[Any]:
    """The ids of documents with one of these facets; one with several of them more than once."""
    place = facets.c.tenant_id == tenant_id, facets.c.collection_id == collection_id
    return sa.union_all(*(sa.select(facets.c.document_id).where(*place, condition) for condition in which))
