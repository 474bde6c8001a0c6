"""Looks at things whose makers said when they end: asked for here, done by `expiry`."""

from collections.abc import Mapping
from datetime import datetime

from rag_service.domain.jobs import EXPIRE
from rag_service.domain.store import Repository

LONGEST_SECONDS = 7 * 24 * 3600
"""A job acts for its tenant for a month: so often it is asked for anew."""


async def look_again(repository: Repository, what: Mapping[str, str], ends: datetime, now: datetime) -> None:
    """At the end, or earlier where that is far. A look that comes too early asks for the next."""
    seconds = min(max((ends - now).total_seconds(), 0.0), LONGEST_SECONDS)
    await repository.enqueue(EXPIRE, what, delay_seconds=seconds)
