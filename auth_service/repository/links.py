"""Rows of links, and of jobs behind requests."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from auth_service.domain.links import Link, Purpose
from auth_service.repository.tables import Rows, links
from chassis import context
from chassis.jobs import Jobs

NO_TENANT = "00000000-0000-0000-0000-000000000000"
"""Of a job that concerns a person, not a tenant."""


class LinkRows(Rows):
    """Queries on links."""

    async def add_link(self, link: Link) -> None:
        await self.end_links(link.purpose, link.subject)
        values = {"id": link.id, "purpose": link.purpose.value, "subject": link.subject, "expires_at": link.expires_at}
        await self._db.execute(links.insert().values(**values, payload=dict(link.payload)))

    async def get_link(self, link_id: str, purpose: Purpose, now: datetime) -> Link | None:
        return _link((await self._db.execute(sa.select(links).where(*_open(link_id, purpose, now)))).one_or_none())

    async def take_link(self, link_id: str, purpose: Purpose, now: datetime) -> Link | None:
        change = links.delete().where(*_open(link_id, purpose, now)).returning(*links.c)
        return _link((await self._db.execute(change)).one_or_none())

    async def end_links(self, purpose: Purpose, subject: str) -> None:
        await self._db.execute(links.delete().where(links.c.purpose == purpose.value, links.c.subject == subject))

    async def trim_links(self, before: datetime) -> None:
        await self._db.execute(links.delete().where(links.c.expires_at < before))


class JobRows(Rows):
    """Work that goes on behind a request, under the context of the call."""

    def __init__(self, connection: AsyncConnection, jobs: Jobs) -> None:
        super().__init__(connection)
        self._jobs = jobs

    async def enqueue(self, kind: str, payload: Mapping[str, Any]) -> None:
        calling = context.current()
        await self._jobs.enqueue(
            self._db, kind, calling._replace(tenant_id=calling.tenant_id or NO_TENANT, scopes=()), payload
        )


def _open(link_id: str, purpose: Purpose, now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    return links.c.id == link_id, links.c.purpose == purpose.value, links.c.expires_at > now


def _link(row: Any) -> Link | None:
    return Link(row.id, Purpose(row.purpose), row.subject, row.expires_at, row.payload) if row else None
