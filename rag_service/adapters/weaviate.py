"""VectorStore in Weaviate: one collection a length of vectors, one Weaviate tenant (a shard of its own) a tenant.

Numbers to compare by are properties of the schema, added when a field is first seen; a search by a number that no
document has is answered without them.
"""

import array
import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from weaviate import WeaviateAsyncClient, use_async_with_custom
from weaviate.classes.config import Configure, DataType, Property, Tokenization, VectorDistances
from weaviate.classes.data import DataObject
from weaviate.classes.init import AdditionalConfig, Auth, Timeout
from weaviate.classes.query import Filter as Where
from weaviate.classes.query import MetadataQuery
from weaviate.exceptions import WeaviateBaseError

from rag_service.domain.errors import VectorStoreUnavailable
from rag_service.domain.filters import Filter
from rag_service.domain.vectors import ChunkVector, StoreCapabilities
from rag_service.policy.facts import Clause, Has, Joined, Number, facts, numbers, rewritten

DELETED_AT_ONCE = 10_000
"""Weaviate deletes at most so many a call (QUERY_MAXIMUM_RESULTS)."""


class WeaviateVectors:
    """Connects when it is first asked."""

    capabilities = StoreCapabilities(
        tenancy="tenant shard", exact=False, reads_own_writes=True, most_results=10_000, most_rows=500
    )

    def __init__(self, client: WeaviateAsyncClient, prefix: str) -> None:
        """`prefix` begins the names of its collections."""
        self._client = client
        self._prefix = prefix.capitalize()
        self._connecting = asyncio.Lock()
        self._properties: dict[str, set[str]] = {}

    async def upsert(self, tenant_id: str, collection_id: str, rows: Sequence[ChunkVector]) -> None:
        objects = [
            DataObject(properties=_properties(collection_id, row), uuid=row.chunk_id, vector=_list(row.vector))
            for row in rows
        ]
        named = {name for row in rows for name in numbers(row.metadata)}
        async with self._answering() as client:
            name = await self._made(client, len(rows[0].vector), named)
            data = client.collections.use(name).with_tenant(tenant_id).data
            for start in range(0, len(objects), self.capabilities.most_rows):
                told = await data.insert_many(objects[start : start + self.capabilities.most_rows])
                if told.has_errors:
                    first = next(iter(told.errors.values()))
                    raise VectorStoreUnavailable(f"The vector store refused a row: {first.message[:200]}")

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
        async with self._answering() as client:
            name = self._name(len(vector))
            if not await self._there(client, name, tenant_id):
                return []
            where = Where.by_property("collection").equal(collection_id)
            if wanted is not None:
                where &= _where(await self._answerable(client, name, rewritten(wanted)))
            found = await (
                client.collections.use(name)
                .with_tenant(tenant_id)
                .query.near_vector(
                    _list(vector),
                    limit=limit,
                    filters=where,
                    return_properties=[],
                    return_metadata=MetadataQuery(distance=True),
                )
            )
        return [(str(one.uuid), 1 - (one.metadata.distance or 0)) for one in found.objects]

    async def sample(self, tenant_id: str, document_id: str, limit: int) -> list[tuple[str, bytes]]:
        return await self._rows(tenant_id, Where.by_property("document").equal(document_id), limit)

    async def vectors(self, tenant_id: str, collection_id: str, chunk_ids: Sequence[str]) -> list[bytes]:
        if not chunk_ids:
            return []
        where = Where.by_property("collection").equal(collection_id) & Where.by_id().contains_any(list(chunk_ids))
        return [vector for _, vector in await self._rows(tenant_id, where, len(chunk_ids))]

    async def _rows(self, tenant_id: str, where: Any, limit: int) -> list[tuple[str, bytes]]:
        found: list[tuple[str, bytes]] = []
        async with self._answering() as client:
            async for held in self._held(client, tenant_id):
                told = await held.query.fetch_objects(
                    filters=where, limit=limit, include_vector=True, return_properties=[]
                )
                found += [(str(one.uuid), array.array("f", one.vector["default"]).tobytes()) for one in told.objects]
        return found[:limit]

    async def delete_chunks(self, tenant_id: str, chunk_ids: Sequence[str]) -> None:
        for start in range(0, len(chunk_ids), self.capabilities.most_rows):
            part = chunk_ids[start : start + self.capabilities.most_rows]
            await self._delete(tenant_id, Where.by_id().contains_any(list(part)))

    async def delete_document(self, tenant_id: str, document_id: str) -> None:
        await self._delete(tenant_id, Where.by_property("document").equal(document_id))

    async def erase(self, tenant_id: str) -> None:
        async with self._answering() as client:
            for name in await self._all(client):
                if await client.collections.use(name).tenants.exists(tenant_id):
                    await client.collections.use(name).tenants.remove([tenant_id])

    async def check(self) -> None:
        async with self._answering() as client:
            if not await client.is_ready():
                raise VectorStoreUnavailable

    async def close(self) -> None:
        await self._client.close()

    async def _delete(self, tenant_id: str, where: Any) -> None:
        async with self._answering() as client:
            async for held in self._held(client, tenant_id):
                while (await held.data.delete_many(where)).matches >= DELETED_AT_ONCE:
                    pass

    async def _held(self, client: WeaviateAsyncClient, tenant_id: str) -> AsyncIterator[Any]:
        """The collections where the tenant has something."""
        for name in await self._all(client):
            if await client.collections.use(name).tenants.exists(tenant_id):
                yield client.collections.use(name).with_tenant(tenant_id)

    @asynccontextmanager
    async def _answering(self) -> AsyncIterator[WeaviateAsyncClient]:
        try:
            async with self._connecting:
                if not self._client.is_connected():
                    await self._client.connect()
            yield self._client
        except WeaviateBaseError as error:
            raise VectorStoreUnavailable from error

    def _name(self, vector_bytes: int) -> str:
        return f"{self._prefix}_{vector_bytes // 4}"

    async def _all(self, client: WeaviateAsyncClient) -> list[str]:
        return [name for name in await client.collections.list_all() if name.startswith(f"{self._prefix}_")]

    async def _there(self, client: WeaviateAsyncClient, name: str, tenant_id: str) -> bool:
        return await client.collections.exists(name) and await client.collections.use(name).tenants.exists(tenant_id)

    async def _made(self, client: WeaviateAsyncClient, vector_bytes: int, named: set[str]) -> str:
        """The collection for vectors of this length, with these properties."""
        name = self._name(vector_bytes)
        if name not in self._properties:
            if not await client.collections.exists(name):
                try:
                    await self._make(client, name)
                except WeaviateBaseError:
                    # Another process was faster; else it is an error.
                    if not await client.collections.exists(name):
                        raise
            await self._look(client, name)
        for missing in named - self._properties[name]:
            try:
                await client.collections.use(name).config.add_property(_number(missing))
            except WeaviateBaseError:
                await self._look(client, name)
                if missing not in self._properties[name]:
                    raise
            self._properties[name].add(missing)
        return name

    async def _look(self, client: WeaviateAsyncClient, name: str) -> None:
        config = await client.collections.use(name).config.get(simple=True)
        self._properties[name] = {one.name for one in config.properties}

    async def _make(self, client: WeaviateAsyncClient, name: str) -> None:
        await client.collections.create(
            name,
            multi_tenancy_config=Configure.multi_tenancy(
                enabled=True, auto_tenant_creation=True, auto_tenant_activation=True
            ),
            vector_config=Configure.Vectors.self_provided(
                vector_index_config=Configure.VectorIndex.hnsw(distance_metric=VectorDistances.COSINE)
            ),
            properties=[_keyword("collection"), _keyword("document"), _keyword("facts", DataType.TEXT_ARRAY)],
        )

    async def _answerable(self, client: WeaviateAsyncClient, name: str, clause: Clause) -> Clause:
        """The clause without numbers that the schema does not know: no row has them."""
        if isinstance(clause, Joined):
            return Joined(clause.op, tuple([await self._answerable(client, name, part) for part in clause.parts]))
        if isinstance(clause, Number) and clause.name not in self._properties.get(name, ()):
            await self._look(client, name)
            return clause if clause.name in self._properties[name] else Has(("none",), negated=clause.negated)
        return clause


def _keyword(name: str, data_type: DataType = DataType.TEXT) -> Property:
    return Property(name=name, data_type=data_type, tokenization=Tokenization.FIELD, index_searchable=False)


def _number(name: str) -> Property:
    return Property(name=name, data_type=DataType.NUMBER, index_filterable=True, index_range_filters=True)


def _properties(collection_id: str, row: ChunkVector) -> dict[str, Any]:
    # A list that is never empty, so that it always has a type.
    held = ["any", *facts(row.metadata)]
    return {"collection": collection_id, "document": row.document_id, "facts": held, **numbers(row.metadata)}


def _where(clause: Clause) -> Any:
    if isinstance(clause, Has):
        held = Where.by_property("facts").contains_any(list(clause.facts))
        return Where.not_(held) if clause.negated else held
    if isinstance(clause, Number):
        compared = Where.by_property(clause.name)
        compare = {
            "eq": compared.equal,
            "gt": compared.greater_than,
            "gte": compared.greater_or_equal,
            "lt": compared.less_than,
            "lte": compared.less_or_equal,
        }[clause.op]
        holds = compare(clause.value)
        return Where.not_(holds) if clause.negated else holds
    parts = [_where(part) for part in clause.parts]
    return Where.all_of(parts) if clause.op == "and" else Where.any_of(parts)


def _list(vector: bytes) -> list[float]:
    return array.array("f", vector).tolist()


def connect(url: str, grpc_address: str, key: str, prefix: str, seconds: float) -> WeaviateVectors:
    """The store at these addresses (Weaviate has two: REST and gRPC); nothing is asked of it yet."""
    http, grpc = urlsplit(url), urlsplit(f"//{grpc_address}")
    secure = http.scheme == "https"
    client = use_async_with_custom(
        http_host=http.hostname or "",
        http_port=http.port or (443 if secure else 80),
        http_secure=secure,
        grpc_host=grpc.hostname or http.hostname or "",
        grpc_port=grpc.port or (443 if secure else 50051),
        grpc_secure=secure,
        auth_credentials=Auth.api_key(key) if key else None,
        additional_config=AdditionalConfig(timeout=Timeout(init=seconds, query=seconds, insert=2 * seconds)),
    )
    return WeaviateVectors(client, prefix)
