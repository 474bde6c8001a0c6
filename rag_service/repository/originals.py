"""Rows of originals."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from rag_service.domain.originals import Original
from rag_service.repository.rows import Rows
from rag_service.repository.tables import documents, originals


class OriginalRows(Rows):
    """Queries on originals."""

    async def next_version(self, tenant_id: str, document_id: str) -> int:
        held = sa.select(documents.c.version).where(documents.c.tenant_id == tenant_id, documents.c.id == document_id)
        version = (await self._db.execute(held.with_for_update(key_share=True))).scalar_one_or_none() or 0
        most = sa.select(sa.func.max(originals.c.version)).where(
            originals.c.tenant_id == tenant_id, originals.c.document_id == document_id
        )
        return max(version, (await self._db.execute(most)).scalar_one() or 0) + 1

    async def add_original(self, tenant_id: str, original: Original) -> None:
        await self._db.execute(originals.insert().values(asdict(original) | {"tenant_id": tenant_id}))

    async def get_original(self, tenant_id: str, document_id: str, version: int) -> Original | None:
        query = sa.select(originals).where(_which(tenant_id, document_id, version))
        row = (await self._db.execute(query)).one_or_none()
        return _original(row) if row else None

    async def originals_of(self, tenant_id: str, document_id: str) -> Sequence[Original]:
        query = sa.select(originals).where(originals.c.tenant_id == tenant_id, originals.c.document_id == document_id)
        return [_original(row) for row in await self._db.execute(query.order_by(originals.c.version))]

    async def set_metered(self, tenant_id: str, document_id: str, version: int) -> None:
        await self._set(tenant_id, document_id, version, metered=True)

    async def set_release_lease(self, tenant_id: str, document_id: str, version: int, lease: str) -> str:
        first = sa.case((originals.c.release_lease == "", lease), else_=originals.c.release_lease)
        change = originals.update().where(_which(tenant_id, document_id, version)).values(release_lease=first)
        return str((await self._db.execute(change.returning(originals.c.release_lease))).scalar_one_or_none() or "")

    async def delete_original(self, tenant_id: str, document_id: str, version: int) -> None:
        await self._db.execute(originals.delete().where(_which(tenant_id, document_id, version)))

    async def _set(self, tenant_id: str, document_id: str, version: int, **values: Any) -> None:
        await self._db.execute(originals.update().where(_which(tenant_id, document_id, version)).values(**values))


def _which(tenant_id: str, document_id: str, version: int) -> sa.ColumnElement[bool]:
    return sa.and_(
        originals.c.tenant_id == tenant_id,
        originals.c.document_id == document_id,
        originals.c.version == version,
    )


def _original(row: Any) -> Original:
    return Original(
        row.tenant_id,
        row.document_id,
        row.version,
        row.bytes,
        row.lease,
        row.created_at,
        row.metered,
        row.release_lease,
    )
