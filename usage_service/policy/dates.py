"""Spans of days that reports are asked for."""

from datetime import date, timedelta

from usage_service.domain.errors import BadDateRange


def span(first: str, last: str, today: date, default_days: int | None, longest: int) -> tuple[date, date]:
    """Two dates, both inclusive. Without a first: `default_days` before the last, or the first of its month."""
    try:
        end = date.fromisoformat(last) if last else today
        if first:
            start = date.fromisoformat(first)
        else:
            start = end.replace(day=1) if default_days is None else end - timedelta(days=default_days)
    except ValueError as error:
        raise BadDateRange from error
    if start > end or (end - start).days > longest:
        raise BadDateRange
    return start, end
