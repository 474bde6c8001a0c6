"""VectorStore in Qdrant: one collection a length of vectors, shared by all tenants, partitioned by payload.

The index of vectors is built for each tenant alone (`m=0, payload_m`, `is_tenant`), as Qdrant advises for many tenants:
a search costs what the tenant has, not what all have.
"""

import array
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from qdrant_client import AsyncQdrantClient, models
from qdrant_client.http.exceptions import ApiException

from rag_service.domain.errors import VectorStoreUnavailable
from rag_service.domain.filters import Filter
from rag_service.domain.vectors import ChunkVector, StoreCapabilities
from rag_service.policy.facts import Clause, Has, Number, facts, numbers, rewritten

LINKS = 16
BREADTH = 128
"""How many candidates an approximate search keeps."""


class QdrantVectors:
    """Writes wait until they are applied, so the next search sees them."""

    capabilities = StoreCapabilities(
        tenancy="payload partition", exact=False, reads_own_writes=True, most_results=10_000, most_rows=500
    )

    def __init__(self, client: AsyncQdrantClient, prefix: str) -> None:
        """`prefix` begins the names of its collections."""
        self._client = client
        self._prefix = prefix
        self._known: set[str] = set()

    async def upsert(self, tenant_id: str, collection_id: str, rows: Sequence[ChunkVector]) -> None:
        points = [
            models.PointStruct(
                id=row.chunk_id, vector=_list(row.vector), payload=_payload(tenant_id, collection_id, row)
            )
            for row in rows
        ]
        with _answering():
            for start in range(0, len(points), self.capabilities.most_rows):
                part = points[start : start + self.capabilities.most_rows]
                await self._client.upsert(await self._made(len(rows[0].vector)), part, wait=True)

    async def visible(self, tenant_id: str, collection_id: str, rows: Sequence[ChunkVector]) -> None:
        """They are already."""

    async def search(
        self,
        tenant_id: str,
        collection_id: str,
        vector: bytes,
        limit: int,
        wanted: Filter | None,
        among: Sequence[str] | None = None,
    ) -> list[tuple[str, float]]:
        must: list[models.Condition] = [_match("tenant", tenant_id), _match("collection", collection_id)]
        if wanted is not None:
            must.append(_condition(rewritten(wanted)))
        with _answering():
            name = self._name(len(vector))
            if not await self._there(name):
                return []
            found = await self._client.query_points(
                name,
                query=_list(vector),
                query_filter=models.Filter(must=must),
                limit=limit,
                search_params=models.SearchParams(hnsw_ef=max(BREADTH, limit)),
                with_payload=False,
            )
        return [(str(point.id), point.score) for point in found.points]

    async def sample(self, tenant_id: str, document_id: str, limit: int) -> list[tuple[str, bytes]]:
        return await self._rows(tenant_id, _match("document", document_id), limit)

    async def vectors(self, tenant_id: str, collection_id: str, chunk_ids: Sequence[str]) -> list[bytes]:
        which = models.Filter(must=[_match("collection", collection_id), models.HasIdCondition(has_id=list(chunk_ids))])
        return [vector for _, vector in await self._rows(tenant_id, which, max(1, len(chunk_ids)))]

    async def _rows(self, tenant_id: str, which: models.Condition, limit: int) -> list[tuple[str, bytes]]:
        wanted = models.Filter(must=[_match("tenant", tenant_id), which])
        found: list[tuple[str, bytes]] = []
        with _answering():
            for name in await self._all():
                points, _ = await self._client.scroll(
                    name, scroll_filter=wanted, limit=limit, with_payload=False, with_vectors=True
                )
                found += [(str(point.id), array.array("f", point.vector).tobytes()) for point in points]  # type: ignore[arg-type,type-var]  # one unnamed vector
        return found[:limit]

    async def delete_chunks(self, tenant_id: str, chunk_ids: Sequence[str]) -> None:
        await self._delete(_match("tenant", tenant_id), models.HasIdCondition(has_id=list(chunk_ids)))

    async def delete_document(self, tenant_id: str, document_id: str) -> None:
        await self._delete(_match("tenant", tenant_id), _match("document", document_id))

    async def erase(self, tenant_id: str) -> None:
        await self._delete(_match("tenant", tenant_id))

    async def check(self) -> None:
        with _answering():
            await self._all()

    async def close(self) -> None:
        await self._client.close()

    async def _delete(self, *must: Any) -> None:
        with _answering():
            for name in await self._all():
                selector = models.FilterSelector(filter=models.Filter(must=list(must)))
                await self._client.delete(name, points_selector=selector, wait=True)

    async def _all(self) -> list[str]:
        found = (await self._client.get_collections()).collections
        return [one.name for one in found if one.name.startswith(f"{self._prefix}_")]

    def _name(self, vector_bytes: int) -> str:
        return f"{self._prefix}_{vector_bytes // 4}"

    async def _there(self, name: str) -> bool:
        if name not in self._known and await self._client.collection_exists(name):
            self._known.add(name)
        return name in self._known

    async def _made(self, vector_bytes: int) -> str:
        name = self._name(vector_bytes)
        if not await self._there(name):
            try:
                await self._make(name, vector_bytes // 4)
            except (ApiException, ValueError):
                # Another process was faster; else it is an error.
                if not await self._there(name):
                    raise
        return name

    async def _make(self, name: str, dimensions: int) -> None:
        await self._client.create_collection(
            name,
            vectors_config=models.VectorParams(size=dimensions, distance=models.Distance.COSINE),
            hnsw_config=models.HnswConfigDiff(m=0, payload_m=LINKS),
        )
        keyword = models.KeywordIndexType.KEYWORD
        for field in ("tenant", "collection", "document", "facts"):
            schema = models.KeywordIndexParams(type=keyword, is_tenant=field == "tenant")
            await self._client.create_payload_index(name, field, field_schema=schema, wait=True)


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except ApiException as error:
        raise VectorStoreUnavailable from error


def _payload(tenant_id: str, collection_id: str, row: ChunkVector) -> dict[str, Any]:
    place = {"tenant": tenant_id, "collection": collection_id, "document": row.document_id}
    return {**place, "facts": facts(row.metadata), **numbers(row.metadata)}


def _match(field: str, value: str) -> models.FieldCondition:
    return models.FieldCondition(key=field, match=models.MatchValue(value=value))


def _condition(clause: Clause) -> models.FieldCondition | models.Filter:
    if isinstance(clause, Has):
        condition = models.FieldCondition(key="facts", match=models.MatchAny(any=list(clause.facts)))
        return models.Filter(must_not=[condition]) if clause.negated else condition
    if isinstance(clause, Number):
        bounds = ("gte", "lte") if clause.op == "eq" else (clause.op,)
        compared = models.FieldCondition(key=clause.name, range=models.Range(**dict.fromkeys(bounds, clause.value)))
        return models.Filter(must_not=[compared]) if clause.negated else compared
    parts = [_condition(part) for part in clause.parts]
    return models.Filter(must=parts) if clause.op == "and" else models.Filter(should=parts)


def _list(vector: bytes) -> list[float]:
    return array.array("f", vector).tolist()


def connect(url: str, key: str, prefix: str, seconds: float) -> QdrantVectors:
    """The store at that address; nothing is asked of it yet."""
    client = AsyncQdrantClient(url=url, api_key=key or None, timeout=math.ceil(seconds), check_compatibility=False)
    return QdrantVectors(client, prefix)
