"""Rows of collections."""

from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from rag_service.domain.collections import Collection
from rag_service.domain.documents import Chunking
from rag_service.domain.errors import CollectionExists
from rag_service.domain.search import SearchMode
from rag_service.repository.rows import Rows, page_of
from rag_service.repository.tables import collections, documents

_count = sa.select(sa.func.count()).where(documents.c.collection_id == collections.c.id).scalar_subquery()
COUNTED = sa.select(collections, _count.label("documents"))
NAMED = collections.c.tenant_id == sa.bindparam("tenant"), collections.c.name == sa.bindparam("name")
FIND = sa.select(collections, sa.literal_column("0").label("documents")).where(*NAMED)
FIND_COUNTED = COUNTED.where(*NAMED)


class CollectionRows(Rows):
    """Queries on collections."""

    async def add_collection(self, collection: Collection) -> None:
        values = {key: value for key, value in asdict(collection).items() if key not in ("documents", "chunking")}
        values |= {"chunk_tokens": collection.chunking.tokens, "chunk_overlap": collection.chunking.overlap}
        try:
            values["default_mode"] = collection.default_mode.value
            await self._db.execute(collections.insert().values(values))
        except IntegrityError as error:
            raise CollectionExists from error

    async def find_collection(self, tenant_id: str, name: str, *, counted: bool = False) -> Collection | None:
        query = FIND_COUNTED if counted else FIND
        row = (await self._db.execute(query, {"tenant": tenant_id, "name": name})).one_or_none()
        return _collection(row) if row else None

    async def set_collection(self, tenant_id: str, name: str, description: str | None, mode: SearchMode | None) -> bool:
        given = {"description": description, "default_mode": mode and mode.value}
        values = {key: value for key, value in given.items() if value is not None}
        change = collections.update().where(collections.c.tenant_id == tenant_id, collections.c.name == name)
        return bool((await self._db.execute(change.values(values or {"name": name}))).rowcount)

    async def swaps(self, tenant_id: str, collection_id: str) -> int:
        query = sa.select(collections.c.swaps).where(
            collections.c.tenant_id == tenant_id, collections.c.id == collection_id
        )
        return int((await self._db.execute(query)).scalar_one_or_none() or 0)

    async def list_collections(
        self, tenant_id: str, size: int, after: tuple[str | int, ...] | None
    ) -> list[Collection]:
        query = page_of(COUNTED.where(collections.c.tenant_id == tenant_id), collections, size, after)
        return [_collection(row) for row in await self._db.execute(query)]


def _collection(row: Any) -> Collection:
    return Collection(
        row.id,
        row.tenant_id,
        row.name,
        row.description,
        row.vector_store,
        row.embedding_model,
        row.created_at,
        SearchMode(row.default_mode),
        Chunking(row.chunk_tokens, row.chunk_overlap),
        row.documents,
        row.swaps,
    )
