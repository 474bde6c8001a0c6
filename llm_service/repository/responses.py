"""Queries on stored responses."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from llm_service.domain.responses import StoredResponse
from llm_service.repository.tables import responses

BATCH = 1000
FIELDS = ("tenant_id", "id", "previous_id", "input", "document", "turns", "chain_bytes", "expires_at")


class ResponseRows:
    """Queries of one tenant."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._db = connection

    async def response(self, tenant_id: str, response_id: str) -> StoredResponse | None:
        query = sa.select(responses).where(_one(tenant_id, response_id), responses.c.expires_at > sa.func.now())
        row = (await self._db.execute(query)).mappings().first()
        return _stored(row) if row else None

    async def conversation(self, tenant_id: str, last_id: str, most: int) -> list[StoredResponse]:
        """What led to a response and it itself, oldest first; shorter than `most` where one is gone."""
        last = sa.select(responses, sa.literal(1).label("depth")).where(_one(tenant_id, last_id))
        chain = last.cte("chain", recursive=True)
        before = (
            sa.select(responses, chain.c.depth + 1)
            .join(chain, sa.and_(responses.c.tenant_id == chain.c.tenant_id, responses.c.id == chain.c.previous_id))
            .where(chain.c.depth < most)
        )
        chain = chain.union_all(before)
        rows = await self._db.execute(sa.select(chain).order_by(chain.c.depth.desc()))
        return [_stored(row) for row in rows.mappings()]

    async def put_response(self, tenant_id: str, stored: StoredResponse) -> bool:
        """Whether its id was free. What it goes on with stays as long as it does."""
        values = {name: getattr(stored, name) for name in FIELDS} | {"tenant_id": tenant_id}
        added = await self._db.execute(insert(responses).values(values).on_conflict_do_nothing())
        if added.rowcount and stored.previous_id:
            turns = [turn.id for turn in await self.conversation(tenant_id, stored.previous_id, stored.turns)]
            mine = sa.and_(responses.c.tenant_id == tenant_id, responses.c.id.in_(turns))
            await self._db.execute(responses.update().where(mine).values(expires_at=stored.expires_at))
        return bool(added.rowcount)

    async def remove_response(self, tenant_id: str, response_id: str) -> bool:
        """Whether it was there."""
        return bool((await self._db.execute(responses.delete().where(_one(tenant_id, response_id)))).rowcount)

    async def remove_expired_responses(self, now: datetime) -> int:
        """Of all tenants; a batch, and how many it had."""
        old = sa.select(responses.c.tenant_id, responses.c.id).where(responses.c.expires_at <= now).limit(BATCH)
        gone = responses.delete().where(sa.tuple_(responses.c.tenant_id, responses.c.id).in_(old))
        return int((await self._db.execute(gone)).rowcount)


def _one(tenant_id: str, response_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(responses.c.tenant_id == tenant_id, responses.c.id == response_id)


def _stored(row: sa.RowMapping) -> StoredResponse:
    return StoredResponse(**{name: row[name] for name in FIELDS})
