"""Documents that a filter lets through, where they are few: by an index of what their metadata say (migration 0013).

Under row-level security PostgreSQL uses an index only with leakproof operators. JSONB's are not, those of texts and
doubles are. The index finds no fewer documents than a filter means; the filter itself is then asked of these.
"""

import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import sqlalchemy as sa

from rag_service.domain.filters import Condition, Filter
from rag_service.domain.search import LetThrough
from rag_service.repository.filters import compile_filter
from rag_service.repository.rows import Rows
from rag_service.repository.tables import chunks, documents, facets

CHARACTERS = 64
"""Of a text that are indexed (migration 0013)."""
RANGES: dict[str, Callable[[Any, Any], Any]] = {
    "gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le,
}  # fmt: skip
WIDER = {"gt": "gte", "lt": "lte"}
"""What lets no fewer through where the index does not know the whole value."""


class FacetRows(Rows):
    """Queries on documents by what their metadata say."""

    async def documents_let_through(
        self, tenant_id: str, collection_id: str, wanted: Filter, most: int
    ) -> LetThrough | None:
        for which in _ways(wanted):
            some = _some(tenant_id, collection_id, which).limit(most + 1)
            if (await self._db.execute(sa.select(sa.func.count()).select_from(some.subquery()))).scalar_one() > most:
                continue
            names = some.cte("named") if _is_exact(wanted) else _meant(tenant_id, some, wanted).cte("named")
            # Row-level security looks to the planner as if it left next to nothing of what it would rather read whole.
            theirs = sa.select(chunks.c.number).where(
                chunks.c.tenant_id == tenant_id,
                chunks.c.document_id == sa.any_(sa.func.array(sa.select(names.c.document_id).scalar_subquery())),
            )
            few = theirs.limit(most + 1).subquery()
            # As one text: there may be thousands.
            query = sa.select(
                sa.select(sa.func.string_agg(sa.cast(names.c.document_id, sa.Text), ",")).scalar_subquery(),
                sa.select(sa.func.array_agg(few.c.number)).scalar_subquery(),
            )
            documents_found, numbers = (await self._db.execute(query)).one()
            if len(numbers or ()) > most:
                return None
            told = list(dict.fromkeys(documents_found.split(","))) if documents_found and numbers else []
            return LetThrough(told, np.array(numbers or [], np.int64))
        return None


def _meant(tenant_id: str, some: sa.CompoundSelect[Any], wanted: Filter) -> sa.Select[Any]:
    """Those of the documents that the filter itself lets through."""
    return sa.select(documents.c.id.label("document_id")).where(
        documents.c.id == sa.any_(sa.func.array(some.scalar_subquery())),
        documents.c.tenant_id == tenant_id,
        documents.c.erasure_id.is_(None),
        compile_filter(wanted, documents.c.metadata),
    )


def _is_exact(wanted: Filter) -> bool:
    """Whether the index says of each document whether the filter lets it through: then nobody else is asked."""
    if not isinstance(wanted, Condition):
        return False
    values = wanted.value if isinstance(wanted.value, list | tuple) else [wanted.value]
    return all(_is_whole(value) and (wanted.op not in RANGES or not isinstance(value, str)) for value in values)


def _is_whole(value: Any) -> bool:
    """Whether the index knows what equals the value: of a text it knows the beginning, and true
    and "true" are the same to it.
    """
    if isinstance(value, str):
        return len(value) < CHARACTERS and value not in ("true", "false")
    return not isinstance(value, bool)


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
    if wanted.op in RANGES:
        column, value = _place(wanted.value)
        known = _is_whole(wanted.value) and not isinstance(wanted.value, str)
        compared = RANGES[wanted.op if known else WIDER.get(wanted.op, wanted.op)]
        return [sa.and_(field, compared(column, value))]
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
