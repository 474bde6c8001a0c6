"""VectorStore in Pinecone: one serverless index a length of vectors, one namespace a tenant.

Pinecone applies writes some time after it has answered. So `visible` and deletions ask until a query sees what was
written: whoever was told that a document is ready, or gone, finds it so.
"""

import array
import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from pinecone import AsyncPinecone, NotFoundError, PineconeError, ServerlessSpec

from rag_service.domain.errors import VectorStoreUnavailable
from rag_service.domain.filters import Filter
from rag_service.domain.vectors import ChunkVector, StoreCapabilities
from rag_service.policy.facts import Clause, Has, Number, facts, numbers, rewritten

OPPOSITES = {"eq": "ne", "gt": "lte", "gte": "lt", "lt": "gte", "lte": "gt"}
SAME_WITHIN = 1e-4
FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 2.0


class PineconeVectors:
    """Looks its indexes up when they are first needed."""

    capabilities = StoreCapabilities(
        tenancy="namespace", exact=False, reads_own_writes=False, most_results=10_000, most_rows=100
    )

    def __init__(self, client: AsyncPinecone, prefix: str, spec: ServerlessSpec, lag_seconds: float) -> None:
        """`prefix` begins the names of its indexes; `lag_seconds` is how long a write may stay unseen."""
        self._client = client
        self._prefix = prefix.replace("_", "-")
        self._spec = spec
        self._lag = lag_seconds
        self._making = asyncio.Lock()
        self._indexes: dict[str, Any] = {}

    async def upsert(self, tenant_id: str, collection_id: str, rows: Sequence[ChunkVector]) -> None:
        vectors = [(row.chunk_id, _list(row.vector), _metadata(collection_id, row)) for row in rows]
        async with self._answering():
            index = await self._made(len(rows[0].vector) // 4)
            for start in range(0, len(vectors), self.capabilities.most_rows):
                await index.upsert(vectors=vectors[start : start + self.capabilities.most_rows], namespace=tenant_id)

    async def visible(self, tenant_id: str, collection_id: str, rows: Sequence[ChunkVector]) -> None:
        for start in range(0, len(rows), self.capabilities.most_rows):
            await self._seen(tenant_id, rows[start : start + self.capabilities.most_rows])

    async def search(
        self,
        tenant_id: str,
        collection_id: str,
        vector: bytes,
        limit: int,
        wanted: Filter | None,
        among: Sequence[str] | None = None,
    ) -> list[tuple[str, float]]:
        where: dict[str, Any] = {"collection": {"$eq": collection_id}}
        if wanted is not None:
            where = {"$and": [where, _where(rewritten(wanted))]}
        async with self._answering():
            index = await self._find(len(vector) // 4)
            if index is None:
                return []
            found = await index.query(top_k=limit, vector=_list(vector), filter=where, namespace=tenant_id)
        return [(match.id, match.score) for match in found.matches]

    async def sample(self, tenant_id: str, document_id: str, limit: int) -> list[tuple[str, bytes]]:
        return await self._rows(tenant_id, {"document": {"$eq": document_id}}, limit)

    async def vectors(self, tenant_id: str, collection_id: str, chunk_ids: Sequence[str]) -> list[bytes]:
        if not chunk_ids:
            return []
        where = {"$and": [{"collection": {"$eq": collection_id}}, {"chunk": {"$in": list(chunk_ids)}}]}
        return [vector for _, vector in await self._rows(tenant_id, where, len(chunk_ids))]

    async def _rows(self, tenant_id: str, where: dict[str, Any], limit: int) -> list[tuple[str, bytes]]:
        found: list[tuple[str, bytes]] = []
        async with self._answering():
            async for dimensions, index in self._all():
                told = await index.query(
                    top_k=limit,
                    vector=_any(dimensions),
                    filter=where,
                    namespace=tenant_id,
                    include_values=True,
                )
                found += [(match.id, array.array("f", match.values).tobytes()) for match in told.matches]
        return found[:limit]

    async def delete_chunks(self, tenant_id: str, chunk_ids: Sequence[str]) -> None:
        for start in range(0, len(chunk_ids), self.capabilities.most_rows):
            part = list(chunk_ids[start : start + self.capabilities.most_rows])
            async with self._answering():
                # Also those that no query sees yet: writes are applied in their order.
                async for _, index in self._all():
                    with suppress(NotFoundError):
                        await index.delete(ids=part, namespace=tenant_id)
            await self._delete(tenant_id, {"chunk": {"$in": part}})

    async def delete_document(self, tenant_id: str, document_id: str) -> None:
        await self._delete(tenant_id, {"document": {"$eq": document_id}})

    async def erase(self, tenant_id: str) -> None:
        async with self._answering():
            async for _, index in self._all():
                try:
                    await index.delete_namespace(name=tenant_id)
                except NotFoundError:
                    continue

    async def check(self) -> None:
        async with self._answering():
            async for _ in self._all():
                return

    async def close(self) -> None:
        for index in self._indexes.values():
            await index.close()
        await self._client.close()

    async def _seen(self, tenant_id: str, rows: Sequence[ChunkVector]) -> None:
        awaited = {row.chunk_id: row.vector for row in rows}
        async with self._answering():
            index = await self._made(len(rows[0].vector) // 4)
            async for _ in self._attempts():
                found = await index.query(
                    top_k=len(awaited),
                    vector=_list(rows[0].vector),
                    filter={"chunk": {"$in": sorted(awaited)}},
                    namespace=tenant_id,
                    include_values=True,
                )
                awaited = {name: held for name, held in awaited.items() if not _holds(found.matches, name, held)}
                if not awaited:
                    return

    async def _delete(self, tenant_id: str, where: dict[str, Any]) -> None:
        """By id, since not every kind of index deletes by filter; until a query sees none."""
        async with self._answering():
            async for dimensions, index in self._all():
                async for _ in self._attempts():
                    found = await index.query(top_k=1000, vector=_any(dimensions), filter=where, namespace=tenant_id)
                    if not found.matches:
                        break
                    await index.delete(ids=[match.id for match in found.matches], namespace=tenant_id)

    async def _attempts(self) -> AsyncIterator[None]:
        """Again and again, with longer pauses, until the time that a write may stay unseen has passed."""
        deadline = time.monotonic() + self._lag
        pause = FIRST_PAUSE_SECONDS
        while True:
            yield
            if time.monotonic() >= deadline:
                raise VectorStoreUnavailable("The vector store has not applied a write in time.")
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    @asynccontextmanager
    async def _answering(self) -> AsyncIterator[None]:
        try:
            yield
        except PineconeError as error:
            raise VectorStoreUnavailable from error

    async def _all(self) -> AsyncIterator[tuple[int, Any]]:
        start = f"{self._prefix}-"
        async for found in self._client.indexes.list():
            length = found.name.removeprefix(start)
            if found.name.startswith(start) and length.isdigit() and (index := await self._find(int(length))):
                yield int(length), index

    async def _find(self, dimensions: int) -> Any | None:
        name = f"{self._prefix}-{dimensions}"
        if name not in self._indexes:
            if not await self._client.indexes.exists(name):
                return None
            self._indexes[name] = await self._client.index(name)
        return self._indexes[name]

    async def _made(self, dimensions: int) -> Any:
        async with self._making:
            index = await self._find(dimensions)
            if index is None:
                name = f"{self._prefix}-{dimensions}"
                await self._client.indexes.create(name=name, dimension=dimensions, metric="cosine", spec=self._spec)
                index = await self._find(dimensions)
            return index


def _metadata(collection_id: str, row: ChunkVector) -> dict[str, Any]:
    # A list that is never empty, so that nin finds the field in every row.
    held = ["any", *facts(row.metadata)]
    place = {"collection": collection_id, "document": row.document_id, "chunk": row.chunk_id}
    return {**place, "facts": held, **numbers(row.metadata)}


def _where(clause: Clause) -> dict[str, Any]:
    if isinstance(clause, Has):
        return {"facts": {"$nin" if clause.negated else "$in": list(clause.facts)}}
    if isinstance(clause, Number):
        if clause.negated:
            other = {clause.name: {f"${OPPOSITES[clause.op]}": clause.value}}
            return {"$or": [{clause.name: {"$exists": False}}, other]}
        return {clause.name: {f"${clause.op}": clause.value}}
    return {f"${clause.op}": [_where(part) for part in clause.parts]}


def _holds(matches: Sequence[Any], chunk_id: str, vector: bytes) -> bool:
    """Whether the chunk was found, with this vector (and not the one that it replaces)."""
    held = array.array("f", vector)
    return any(
        match.id == chunk_id and all(abs(a - b) < SAME_WITHIN for a, b in zip(match.values, held, strict=True))
        for match in matches
    )


def _any(dimensions: int) -> list[float]:
    """A vector that has a cosine with every other."""
    return [dimensions**-0.5] * dimensions


def _list(vector: bytes) -> list[float]:
    return array.array("f", vector).tolist()


def connect(
    key: str, host: str, prefix: str, cloud: str, region: str, lag_seconds: float, seconds: float
) -> PineconeVectors:
    """Pinecone's account of that key; `host` empty means Pinecone's own. Nothing is asked of it yet."""
    client = AsyncPinecone(api_key=key, host=host or None, timeout=seconds)
    return PineconeVectors(client, prefix, ServerlessSpec(cloud=cloud, region=region), lag_seconds)
