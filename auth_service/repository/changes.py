"""Rows of changes, told to every replica."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from auth_service.domain.changes import Change, Subject
from auth_service.repository.tables import Rows, changes

CHANNEL = "aisp_auth_changes"


SINCE = (
    sa.select(changes)
    .where(changes.c.version > sa.bindparam("since", type_=changes.c.version.type))
    .order_by(changes.c.version)
    .limit(sa.bindparam("most", type_=sa.Integer))
)
"""Made once: each gateway has it asked at every heartbeat."""


class ChangeRows(Rows):
    """Queries on the stream of changes."""

    async def write_changes(self, changes_made: Sequence[tuple[Subject, str]]) -> None:
        """Adds them, as the last thing that a transaction does."""
        rows = [{"subject": subject.value, "subject_id": subject_id} for subject, subject_id in changes_made]
        if rows:
            # Versions must become visible in their order: one writer at a time, until commit.
            await self._db.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('aisp_auth_changes'))"))
            await self._db.execute(changes.insert(), rows)
            await self._db.execute(sa.select(sa.func.pg_notify(CHANNEL, "")))

    async def changes_since(self, version: int, limit: int) -> tuple[list[Change], bool]:
        rows = await self._db.execute(SINCE, {"since": version, "most": limit})
        found = [Change(row.version, Subject(row.subject), row.subject_id) for row in rows]
        if not found:
            # None that is newer, so none that is newer was forgotten.
            return [], False
        oldest = (await self._db.execute(sa.select(sa.func.min(changes.c.version)))).scalar_one()
        forgotten = bool(version and oldest is not None and oldest > version + 1)
        return found, forgotten

    async def trim_changes(self, before: datetime) -> None:
        newest = sa.select(sa.func.max(changes.c.version)).scalar_subquery()
        await self._db.execute(changes.delete().where(changes.c.at < before, changes.c.version < newest))
