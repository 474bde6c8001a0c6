"""The filter language as SQL over a JSONB column."""

import json
import operator
from typing import Any

import sqlalchemy as sa

from rag_service.domain.filters import Condition, Filter, Group

ORDER = {"gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le}


def compile_filter(wanted: Filter | None, column: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """A condition; true for no filter. A comparison with a field that is missing, or of another type, is false; `ne`
    and `nin` are the opposites of `eq` and `in`.
    """
    if wanted is None:
        return sa.true()
    if isinstance(wanted, Group):
        parts = [compile_filter(item, column) for item in wanted.filters]
        return sa.and_(*parts) if wanted.op == "and" else sa.or_(*parts)
    return _condition(wanted, column)


def _condition(wanted: Condition, column: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    match wanted.op:
        case "eq":
            return _equals(column, wanted.field, wanted.value)
        case "ne":
            return sa.not_(_equals(column, wanted.field, wanted.value))
        case "in":
            return sa.or_(*(_equals(column, wanted.field, item) for item in wanted.value))
        case "nin":
            return sa.not_(sa.or_(*(_equals(column, wanted.field, item) for item in wanted.value)))
    compare = ORDER[wanted.op]
    held, text = column[wanted.field], column[wanted.field].astext
    number = isinstance(wanted.value, int | float)
    kind = sa.func.jsonb_typeof(held) == ("number" if number else "string")
    # CASE, since AND promises no order: the cast must not meet a text.
    value: Any = sa.cast(text, sa.Numeric) if number else text.collate("C")
    holds = sa.case((kind, compare(value, wanted.value)), else_=sa.false())
    return sa.not_(holds) if wanted.negated else holds


def _equals(column: sa.ColumnElement[Any], field: str, value: Any) -> sa.ColumnElement[bool]:
    return sa.func.coalesce(column.contains(json.loads(json.dumps({field: value}))), sa.false())
