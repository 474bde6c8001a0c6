"""VectorStore in memory, and what a filter means, said as plainly as can be: the judge of every other store."""

import array
import operator
from collections.abc import Mapping, Sequence
from typing import Any

from rag_service.domain.filters import Condition, Filter, Group
from rag_service.domain.vectors import ChunkVector, StoreCapabilities

COMPARE = {"gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le}


def matches(wanted: Filter | None, metadata: Mapping[str, Any]) -> bool:
    """A missing field, or one of another kind, compares with nothing; `ne` and `nin` are opposites of `eq` and `in`."""
    if wanted is None:
        return True
    if isinstance(wanted, Group):
        joined = all if wanted.op == "and" else any
        return joined(matches(one, metadata) for one in wanted.filters)
    return _condition(wanted, metadata) != wanted.negated


def _condition(wanted: Condition, metadata: Mapping[str, Any]) -> bool:
    held = metadata.get(wanted.field)
    if wanted.op in ("eq", "ne"):
        return _same(held, wanted.value) == (wanted.op == "eq")
    if wanted.op in ("in", "nin"):
        return any(_same(held, value) for value in wanted.value) == (wanted.op == "in")
    if held is None or _kind(held) != _kind(wanted.value):
        return False
    left, right = (value.encode() if isinstance(value, str) else value for value in (held, wanted.value))
    return bool(COMPARE[wanted.op](left, right))


def _kind(value: Any) -> str:
    return "boolean" if isinstance(value, bool) else "text" if isinstance(value, str) else "number"


def _same(left: Any, right: Any) -> bool:
    return left is not None and _kind(left) == _kind(right) and left == right


class VectorTwin:
    """Looks at everything, in order."""

    capabilities = StoreCapabilities("a key", exact=True, reads_own_writes=True, most_results=10_000, most_rows=1000)

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], tuple[str, ChunkVector]] = {}

    async def upsert(self, tenant_id: str, collection_id: str, rows: Sequence[ChunkVector]) -> None:
        for row in rows:
            self._rows[tenant_id, row.chunk_id] = collection_id, row

    async def visible(self, tenant_id: str, collection_id: str, rows: Sequence[ChunkVector]) -> None:
        pass

    async def search(
        self,
        tenant_id: str,
        collection_id: str,
        vector: bytes,
        limit: int,
        wanted: Filter | None,
        among: Sequence[str] | None = None,
    ) -> list[tuple[str, float]]:
        found = [
            (row.chunk_id, cosine(vector, row.vector))
            for (tenant, _), (collection, row) in self._rows.items()
            if (tenant, collection) == (tenant_id, collection_id)
            and len(row.vector) == len(vector)
            and matches(wanted, row.metadata)
        ]
        return sorted(found, key=lambda one: (-one[1], one[0]))[:limit]

    async def sample(self, tenant_id: str, document_id: str, limit: int) -> list[tuple[str, bytes]]:
        found = [row for (tenant, _), (_, row) in self._rows.items() if tenant == tenant_id]
        return [(row.chunk_id, row.vector) for row in found if row.document_id == document_id][:limit]

    async def vectors(self, tenant_id: str, collection_id: str, chunk_ids: Sequence[str]) -> list[bytes]:
        held = ((chunk_id, *self._rows.get((tenant_id, chunk_id), ("", None))) for chunk_id in chunk_ids)
        return [row.vector for _, collection, row in held if row is not None and collection == collection_id]

    async def delete_chunks(self, tenant_id: str, chunk_ids: Sequence[str]) -> None:
        self._keep(lambda tenant, row: tenant != tenant_id or row.chunk_id not in chunk_ids)

    async def delete_document(self, tenant_id: str, document_id: str) -> None:
        self._keep(lambda tenant, row: tenant != tenant_id or row.document_id != document_id)

    async def erase(self, tenant_id: str) -> None:
        self._keep(lambda tenant, _: tenant != tenant_id)

    async def check(self) -> None:
        pass

    async def close(self) -> None:
        pass

    def _keep(self, kept: Any) -> None:
        self._rows = {key: value for key, value in self._rows.items() if kept(key[0], value[1])}


def cosine(left: bytes, right: bytes) -> float:
    return sum(a * b for a, b in zip(array.array("f", left), array.array("f", right), strict=True))
