"""Rows of collections."""

from dataclasses import asdict
from datetime import datetime
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from chassis.database import Query
from chassis.pagination import IdPage
from rag_service.domain.collections import Collection, CollectionChange
from rag_service.domain.documents import Chunking, Counts
from rag_service.domain.errors import CollectionExists
from rag_service.domain.search import SearchMode
from rag_service.repository.rows import Rows, is_id, page_of
from rag_service.repository.tables import collections, documents

GOING_ON = ("queued", "running")
STATES = {"ready": ("ready",), "failed": ("failed",), "cancelled": ("cancelled",), "going_on": GOING_ON}
COUNTS = [sa.func.count().filter(documents.c.status.in_(names)).label(state) for state, names in STATES.items()]
_counted = (
    sa.select(*COUNTS, sa.func.coalesce(sa.func.sum(documents.c.bytes), 0).label("bytes"))
    .where(documents.c.collection_id == collections.c.id, documents.c.erasure_id.is_(None))
    .lateral("counted")
)
THERE = collections.c.tenant_id == sa.bindparam("tenant"), collections.c.erasure_id.is_(None)
COUNTED = sa.select(collections, *_counted.c).join(_counted, sa.true()).where(*THERE)
NAMED = collections.c.name == sa.bindparam("name")
FIND = Query(sa.select(collections).where(*THERE, NAMED))
SWAPS = Query(
    sa.select(collections.c.swaps).where(
        collections.c.tenant_id == sa.bindparam("tenant"), collections.c.id == sa.bindparam("collection")
    )
)
FIND_COUNTED = COUNTED.where(NAMED)


class CollectionRows(Rows):
    """Queries on collections."""

    async def add_collection(self, collection: Collection) -> None:
        left_out = ("counts", "bytes", "chunking")
        values = {key: value for key, value in asdict(collection).items() if key not in left_out}
        values |= {"chunk_tokens": collection.chunking.tokens, "chunk_overlap": collection.chunking.overlap}
        try:
            values["default_mode"] = collection.default_mode.value
            await self._db.execute(collections.insert().values(values))
        except IntegrityError as error:
            raise CollectionExists from error

    async def find_collection(self, tenant_id: str, name: str, *, counted: bool = False) -> Collection | None:
        named = {"tenant": tenant_id, "name": name}
        rows = (await self._db.execute(FIND_COUNTED, named)).all() if counted else await FIND.rows(self._db, named)
        return _collection(rows[0], counted=counted) if rows else None

    async def get_collection(self, tenant_id: str, collection_id: str, *, counted: bool = False) -> Collection | None:
        query = (COUNTED if counted else sa.select(collections).where(*THERE)).where(
            is_id(collections.c.id, collection_id)
        )
        row = (await self._db.execute(query, {"tenant": tenant_id})).one_or_none()
        return _collection(row, counted=counted) if row else None

    async def hold_collection(self, tenant_id: str, collection_id: str) -> bool:
        query = sa.select(collections.c.id).where(*THERE, collections.c.id == collection_id)
        held = query.with_for_update(read=True, key_share=True)
        return (await self._db.execute(held, {"tenant": tenant_id})).first() is not None

    async def set_collection(self, tenant_id: str, name: str, change: CollectionChange) -> None:
        given = asdict(change) | {"default_mode": change.default_mode and change.default_mode.value}
        values = {key: value for key, value in given.items() if value is not None}
        if values:
            which = collections.c.tenant_id == tenant_id, collections.c.name == name
            await self._db.execute(collections.update().where(*which).values(values))

    async def set_active(self, tenant_id: str, collection_id: str, at: datetime) -> None:
        which = collections.c.tenant_id == tenant_id, collections.c.id == collection_id
        await self._db.execute(collections.update().where(*which).values(active_at=at))

    async def mark_collection_erased(self, tenant_id: str, erasure_id: str, collection_id: str) -> bool:
        which = (
            collections.c.tenant_id == tenant_id,
            collections.c.id == collection_id,
            collections.c.erasure_id.is_(None),
        )
        # No collection that is made can have such a name; and whoever puts a document into it waits, and sees it gone.
        change = collections.update().where(*which).values(erasure_id=erasure_id, name=f"~{collection_id}")
        return bool((await self._db.execute(change)).rowcount)

    async def swaps(self, tenant_id: str, collection_id: str) -> int:
        rows = await SWAPS.rows(self._db, {"tenant": tenant_id, "collection": collection_id})
        return int(rows[0].swaps) if rows else 0

    async def list_collections(
        self, tenant_id: str, size: int, after: tuple[str | int, ...] | None
    ) -> list[Collection]:
        query = page_of(COUNTED, collections, size, after)
        return [_collection(row, counted=True) for row in await self._db.execute(query, {"tenant": tenant_id})]

    async def page_of_collections(self, tenant_id: str, page: IdPage) -> tuple[list[Collection], bool]:
        query = COUNTED.params(tenant=tenant_id)
        rows, more = await self.page_by_id(
            query, (collections.c.created_at, collections.c.id), partial(is_id, collections.c.id), page
        )
        return [_collection(row, counted=True) for row in rows], more


def counts_of(row: Any) -> Counts:
    """How many documents are how far, out of a row that has COUNTS."""
    return Counts(row.going_on, row.ready, row.failed, row.cancelled)


def _collection(row: Any, *, counted: bool) -> Collection:
    return Collection(
        id=str(row.id),
        tenant_id=str(row.tenant_id),
        name=row.name,
        description=row.description,
        vector_store=row.vector_store,
        embedding_model=row.embedding_model,
        created_at=row.created_at,
        default_mode=SearchMode(row.default_mode),
        chunking=Chunking(row.chunk_tokens, row.chunk_overlap),
        counts=counts_of(row) if counted else Counts(),
        bytes=int(row.bytes) if counted else 0,
        swaps=row.swaps,
        title=row.title,
        metadata=row.metadata,
        expire_days=row.expire_days,
        active_at=row.active_at,
    )
