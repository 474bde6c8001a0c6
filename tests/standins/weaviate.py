"""Weaviate's REST and gRPC interfaces, as far as its client is used here."""

import operator
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import grpc
from aiohttp import web
from grpc_health.v1 import health_pb2, health_pb2_grpc
from weaviate.proto.v1.v6300.v1 import base_pb2, batch_delete_pb2, batch_pb2, search_get_pb2, tenants_pb2
from weaviate.proto.v1.v6300.v1.weaviate_pb2_grpc import WeaviateServicer, add_WeaviateServicer_to_server

from tests.standins.http import serving

COMPARE = {
    base_pb2.Filters.OPERATOR_GREATER_THAN: operator.gt,
    base_pb2.Filters.OPERATOR_GREATER_THAN_EQUAL: operator.ge,
    base_pb2.Filters.OPERATOR_LESS_THAN: operator.lt,
    base_pb2.Filters.OPERATOR_LESS_THAN_EQUAL: operator.le,
}
Row = dict[str, Any]


class Weaviate(WeaviateServicer):
    """Collections with tenants, each with objects by id."""

    def __init__(self) -> None:
        self.schema: dict[str, dict[str, Any]] = {}
        self.tenants: dict[tuple[str, str], dict[str, Row]] = {}

    # REST: the schema

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/v1/meta", self.meta)
        app.router.add_get("/v1/.well-known/ready", self.ready)
        app.router.add_get("/v1/.well-known/openid-configuration", self.missing)
        app.router.add_get("/v1/schema", self.list_collections)
        app.router.add_post("/v1/schema", self.create)
        app.router.add_get("/v1/schema/{name}", self.get)
        app.router.add_post("/v1/schema/{name}/properties", self.add_property)
        app.router.add_route("*", "/v1/schema/{name}/tenants", self.change_tenants)
        app.router.add_route("*", "/v1/schema/{name}/tenants/{tenant}", self.tenant_exists)
        return app

    async def meta(self, _: web.Request) -> web.Response:
        return web.json_response({"version": "1.34.0", "hostname": "h", "modules": {}})

    async def ready(self, _: web.Request) -> web.Response:
        return web.json_response({})

    async def missing(self, _: web.Request) -> web.Response:
        return web.Response(status=404)

    async def list_collections(self, _: web.Request) -> web.Response:
        return web.json_response({"classes": list(self.schema.values())})

    async def create(self, request: web.Request) -> web.Response:
        wanted = await request.json()
        if wanted["class"] in self.schema:
            return web.json_response({"error": [{"message": "already exists"}]}, status=422)
        assert wanted["multiTenancyConfig"]["enabled"]
        self.schema[wanted["class"]] = _completed(wanted)
        return web.json_response(self.schema[wanted["class"]])

    async def get(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        return web.json_response(self.schema[name]) if name in self.schema else web.Response(status=404)

    async def add_property(self, request: web.Request) -> web.Response:
        wanted = await request.json()
        self.schema[request.match_info["name"]]["properties"].append(_property(wanted))
        return web.json_response(wanted)

    async def change_tenants(self, request: web.Request) -> web.Response:
        name, told = request.match_info["name"], await request.json()
        assert request.method == "DELETE"
        for tenant in told:
            self.tenants.pop((name, tenant), None)
        return web.Response(status=200)

    async def tenant_exists(self, request: web.Request) -> web.Response:
        key = request.match_info["name"], request.match_info["tenant"]
        return web.Response(status=200 if key in self.tenants else 404)

    # gRPC: the data

    async def Search(self, request: Any, context: Any) -> Any:  # noqa: N802
        held = await self._held(request.collection, request.tenant, context)
        sought = _vector(request.near_vector) if request.HasField("near_vector") else None
        found = [row for row in held.values() if self._matches(request.collection, request.filters, row)]
        if sought is not None:
            found.sort(key=lambda row: _distance(sought, row["vector"]))
        results = []
        for row in found[: request.limit or None]:
            metadata = search_get_pb2.MetadataResult(id=row["id"], id_as_bytes=UUID(row["id"]).bytes)
            if request.metadata.distance and sought is not None:
                metadata.distance, metadata.distance_present = _distance(sought, row["vector"]), True
            if request.metadata.vector:
                metadata.vector_bytes = struct.pack(f"<{len(row['vector'])}f", *row["vector"])
            results.append(search_get_pb2.SearchResult(metadata=metadata))
        return search_get_pb2.SearchReply(results=results)

    async def BatchObjects(self, request: Any, _: Any) -> Any:  # noqa: N802
        for one in request.objects:
            properties = dict(one.properties.non_ref_properties.items())
            properties |= {many.prop_name: list(many.values) for many in one.properties.text_array_properties}
            known = {item["name"] for item in self.schema[one.collection]["properties"]}
            assert set(properties) <= known, "the schema is told first"
            row = {"id": one.uuid, "vector": _vector(one), **properties}
            self.tenants.setdefault((one.collection, one.tenant), {})[one.uuid] = row
        return batch_pb2.BatchObjectsReply()

    async def BatchDelete(self, request: Any, context: Any) -> Any:  # noqa: N802
        held = await self._held(request.collection, request.tenant, context)
        gone = [name for name, row in held.items() if self._matches(request.collection, request.filters, row)][:10_000]
        for name in gone:
            del held[name]
        return batch_delete_pb2.BatchDeleteReply(matches=len(gone), successful=len(gone))

    async def TenantsGet(self, request: Any, _: Any) -> Any:  # noqa: N802
        names = set(request.names.values)
        found = [tenant for name, tenant in self.tenants if name == request.collection and tenant in names]
        hot = tenants_pb2.TENANT_ACTIVITY_STATUS_HOT
        return tenants_pb2.TenantsGetReply(
            tenants=[tenants_pb2.Tenant(name=name, activity_status=hot) for name in found]
        )

    async def _held(self, collection: str, tenant: str, context: Any) -> dict[str, Row]:
        if (collection, tenant) not in self.tenants:
            await context.abort(grpc.StatusCode.UNKNOWN, f"tenant not found: {tenant!r}")
        return self.tenants[collection, tenant]

    def _matches(self, collection: str, wanted: Any, row: Row) -> bool:
        kinds = base_pb2.Filters
        if wanted.operator == kinds.OPERATOR_AND:
            return all(self._matches(collection, part, row) for part in wanted.filters)
        if wanted.operator == kinds.OPERATOR_OR:
            return any(self._matches(collection, part, row) for part in wanted.filters)
        if wanted.operator == kinds.OPERATOR_NOT:
            return not self._matches(collection, wanted.filters[0], row)
        name = wanted.target.property
        known = {item["name"] for item in self.schema[collection]["properties"]} | {"_id"}
        assert name in known, "Weaviate refuses a filter by a property that it does not know"
        held = row.get("id" if name == "_id" else name)
        if wanted.operator == kinds.OPERATOR_CONTAINS_ANY:
            return bool(set(wanted.value_text_array.values) & set(held if isinstance(held, list) else [held]))
        if wanted.operator == kinds.OPERATOR_EQUAL:
            kind = wanted.WhichOneof("test_value")
            return bool(held == getattr(wanted, kind))
        return held is not None and bool(COMPARE[wanted.operator](held, wanted.value_number))


class _Health(health_pb2_grpc.HealthServicer):  # type: ignore[misc]
    async def Check(self, _request: Any, _: Any) -> Any:  # noqa: N802
        return health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)


@asynccontextmanager
async def weaviate() -> AsyncIterator[tuple[str, str]]:
    """Its two addresses."""
    standin, server = Weaviate(), grpc.aio.server()
    add_WeaviateServicer_to_server(standin, server)  # type: ignore[no-untyped-call]  # generated
    health_pb2_grpc.add_HealthServicer_to_server(_Health(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with serving(standin.application()) as address:
        yield address, f"127.0.0.1:{port}"
    await server.stop(None)


def _completed(wanted: dict[str, Any]) -> dict[str, Any]:
    """With the defaults that Weaviate tells."""
    for vectors in wanted["vectorConfig"].values():
        assert vectors["vectorIndexConfig"]["distance"] == "cosine"
        vectors["vectorIndexConfig"] = HNSW | vectors["vectorIndexConfig"]
    filled = {"invertedIndexConfig": INVERTED, "replicationConfig": {"factor": 1}, "shardingConfig": {}}
    return filled | wanted | {"properties": [_property(one) for one in wanted.get("properties", [])]}


def _property(wanted: dict[str, Any]) -> dict[str, Any]:
    filled = {"indexFilterable": True, "indexSearchable": False, "indexRangeFilters": False}
    return filled | {name: value for name, value in wanted.items() if value is not None}


HNSW = {
    "cleanupIntervalSeconds": 300,
    "dynamicEfMin": 100,
    "dynamicEfMax": 500,
    "dynamicEfFactor": 8,
    "ef": -1,
    "efConstruction": 128,
    "flatSearchCutoff": 40000,
    "maxConnections": 32,
    "skip": False,
    "vectorCacheMaxObjects": 10**12,
}
INVERTED = {
    "bm25": {"b": 0.75, "k1": 1.2},
    "cleanupIntervalSeconds": 60,
    "stopwords": {"preset": "en", "additions": None, "removals": None},
    "indexNullState": False,
    "indexPropertyLength": False,
    "indexTimestamps": False,
}


def _vector(holder: Any) -> list[float]:
    data = holder.vector_bytes or (holder.vectors[0].vector_bytes if holder.vectors else b"")
    return list(struct.unpack(f"<{len(data) // 4}f", data)) if data else list(holder.vector)


def _distance(left: list[float], right: list[float]) -> float:
    lengths = sum(a * a for a in left) ** 0.5 * sum(b * b for b in right) ** 0.5
    return float(1 - sum(a * b for a, b in zip(left, right, strict=True)) / lengths)
