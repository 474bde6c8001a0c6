"""Rows of files, and what of files and collections goes last."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from chassis.pagination import IdPage
from rag_service.domain.documents import DocumentStatus
from rag_service.domain.files import OF_A_DOCUMENT, StoredFile
from rag_service.repository.rows import Rows, is_id, known_ids
from rag_service.repository.tables import collections, documents, files, postings, runs, vector_lanes

FIELDS = ("id", "tenant_id", "file_name", "media_type", "purpose", "bytes", "sha256", "created_at", "expires_at")
OF_A_COLLECTION = (postings, runs, vector_lanes)
UPLOADED = (
    files.c.tenant_id == sa.bindparam("tenant"),
    files.c.erasure_id.is_(None),
    sa.or_(files.c.expires_at.is_(None), files.c.expires_at > sa.func.now()),
)
ITSELF = (
    documents.c.tenant_id == sa.bindparam("tenant"),
    documents.c.erasure_id.is_(None),
    documents.c.file_id.is_(None),
)
# Documents that were not made of a file are files themselves.
ALL = sa.union_all(
    sa.select(*(files.c[name] for name in FIELDS), sa.null().label("status")).where(*UPLOADED),
    sa.select(
        documents.c.id,
        documents.c.tenant_id,
        sa.func.coalesce(sa.func.nullif(documents.c.file_name, ""), documents.c.title),
        documents.c.media_type,
        sa.literal(OF_A_DOCUMENT, sa.Text),
        documents.c.bytes,
        documents.c.sha256,
        documents.c.created_at,
        sa.null(),
        documents.c.status,
    ).where(*ITSELF),
).subquery("all_files")


class FileRows(Rows):
    """Queries on files."""

    async def add_file(self, file: StoredFile) -> None:
        await self._db.execute(files.insert().values({name: getattr(file, name) for name in FIELDS}))

    async def get_file(self, tenant_id: str, file_id: str) -> StoredFile | None:
        query = sa.select(ALL).where(is_id(ALL.c.id, file_id))
        row = (await self._db.execute(query, {"tenant": tenant_id})).one_or_none()
        return _file(row) if row else None

    async def hold_files(self, tenant_id: str, file_ids: Sequence[str]) -> dict[str, StoredFile]:
        query = sa.select(files).where(*UPLOADED, files.c.id.in_(known_ids(file_ids)))
        # In one order: who holds some of the same does not wait for who waits for it.
        held = query.order_by(files.c.id).with_for_update(read=True)
        return {row.id: _file(row) for row in await self._db.execute(held, {"tenant": tenant_id})}

    async def page_of_files(self, tenant_id: str, purpose: str, page: IdPage) -> tuple[list[StoredFile], bool]:
        query = sa.select(ALL).params(tenant=tenant_id)
        if purpose:
            query = query.where(ALL.c.purpose == purpose)
        rows, more = await self.page_by_id(query, (ALL.c.created_at, ALL.c.id), partial(is_id, ALL.c.id), page)
        return [_file(row) for row in rows], more

    async def mark_file_erased(self, tenant_id: str, erasure_id: str, file_id: str) -> bool:
        which = files.c.tenant_id == tenant_id, is_id(files.c.id, file_id), files.c.erasure_id.is_(None)
        return bool((await self._db.execute(files.update().where(*which).values(erasure_id=erasure_id))).rowcount)

    async def erased_files(self, tenant_id: str, erasure_id: str) -> list[str]:
        query = sa.select(files.c.id).where(files.c.tenant_id == tenant_id, files.c.erasure_id == erasure_id)
        return list((await self._db.execute(query)).scalars())

    async def count_made(self, tenant_id: str, file_id: str) -> int:
        query = sa.select(sa.func.count()).where(documents.c.tenant_id == tenant_id, documents.c.file_id == file_id)
        return int((await self._db.execute(query)).scalar_one())

    async def remove_file(self, tenant_id: str, file_id: str) -> bool:
        which = files.c.tenant_id == tenant_id, files.c.id == file_id
        return bool((await self._db.execute(files.delete().where(*which))).rowcount)

    async def remove_collections(self, tenant_id: str, erasure_id: str) -> int | None:
        mine = collections.c.tenant_id == tenant_id, collections.c.erasure_id == erasure_id
        left = sa.select(documents.c.id).join(collections, collections.c.id == documents.c.collection_id).where(*mine)
        if (await self._db.execute(left.limit(1))).first() is not None:
            return None
        ids = sa.select(collections.c.id).where(*mine)
        for table in OF_A_COLLECTION:
            gone = table.delete().where(table.c.tenant_id == tenant_id, table.c.collection_id.in_(ids))
            await self._db.execute(gone)
        return int((await self._db.execute(collections.delete().where(*mine))).rowcount)

    async def drop_lanes(self) -> bool:
        try:
            async with self._db.begin_nested():
                await self._db.execute(sa.select(sa.func.drop_free_lanes()))
        except DBAPIError:
            # Searches were in its way. They are empty; the next removal of a collection or a tenant drops them, too.
            return False
        return True


def _file(row: Any) -> StoredFile:
    status = DocumentStatus(row.status) if getattr(row, "status", None) else None
    return StoredFile(**{name: getattr(row, name) for name in FIELDS}, status=status)
