"""Qdrant's REST interface, as far as its client is used here, before Qdrant's own engine in this process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import qdrant_edge as edge
from aiohttp import web

from tests.standins.http import serving


class QdrantEdge:
    """One shard a collection."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._shards: dict[str, Any] = {}
        self.indexes: dict[str, dict[str, Any]] = {}

    def application(self) -> web.Application:
        app = web.Application(client_max_size=64 << 20)
        app.router.add_get("/collections", self.list_collections)
        app.router.add_get("/collections/{name}/exists", self.exists)
        app.router.add_put("/collections/{name}", self.create)
        app.router.add_put("/collections/{name}/index", self.index)
        app.router.add_put("/collections/{name}/points", self.upsert)
        app.router.add_post("/collections/{name}/points/query", self.query)
        app.router.add_post("/collections/{name}/points/scroll", self.scroll)
        app.router.add_post("/collections/{name}/points/delete", self.delete)
        return app

    async def list_collections(self, _: web.Request) -> web.Response:
        return _told({"collections": [{"name": name} for name in self._shards]})

    async def exists(self, request: web.Request) -> web.Response:
        return _told({"exists": request.match_info["name"] in self._shards})

    async def create(self, request: web.Request) -> web.Response:
        name, wanted = request.match_info["name"], await request.json()
        if name in self._shards:
            return web.json_response({"status": {"error": "already exists"}}, status=409)
        assert wanted["vectors"]["distance"] == "Cosine"
        vectors = edge.EdgeVectorParams(size=wanted["vectors"]["size"], distance=edge.Distance.Cosine)
        directory = self._directory / name
        directory.mkdir(parents=True)
        self._shards[name] = edge.EdgeShard.create(str(directory), edge.EdgeConfig(vectors=vectors))
        self.indexes[name] = {"hnsw": wanted["hnsw_config"]}
        return _told(True)

    async def index(self, request: web.Request) -> web.Response:
        wanted = await request.json()
        self.indexes[request.match_info["name"]][wanted["field_name"]] = wanted["field_schema"]
        return _told({"operation_id": 0, "status": "completed"})

    async def upsert(self, request: web.Request) -> web.Response:
        wanted = await request.json()
        points = [edge.Point(row["id"], row["vector"], row["payload"]) for row in wanted["points"]]
        self._shard(request).update(edge.UpdateOperation.upsert_points(points))
        return _told({"operation_id": 0, "status": "completed"})

    async def query(self, request: web.Request) -> web.Response:
        wanted = await request.json()
        asked = edge.QueryRequest(
            limit=wanted["limit"],
            query=edge.Query.Nearest(wanted["query"]["nearest"]),
            filter=_filter(wanted["filter"]),
            with_payload=False,
        )
        points = [
            {"id": str(one.id), "version": one.version, "score": one.score} for one in self._shard(request).query(asked)
        ]
        return _told({"points": points})

    async def scroll(self, request: web.Request) -> web.Response:
        wanted = await request.json()
        asked = edge.ScrollRequest(
            limit=wanted["limit"], filter=_filter(wanted["filter"]), with_vector=True, with_payload=False
        )
        records, _ = self._shard(request).scroll(asked)
        return _told({"points": [{"id": str(one.id), "vector": one.vector} for one in records]})

    async def delete(self, request: web.Request) -> web.Response:
        wanted = await request.json()
        self._shard(request).update(edge.UpdateOperation.delete_points_by_filter(_filter(wanted["filter"])))
        return _told({"operation_id": 0, "status": "completed"})

    def close(self) -> None:
        for shard in self._shards.values():
            shard.close()

    def _shard(self, request: web.Request) -> Any:
        return self._shards[request.match_info["name"]]


@asynccontextmanager
async def qdrant_edge(directory: Path) -> AsyncIterator[str]:
    """Its address."""
    engine = QdrantEdge(directory)
    async with serving(engine.application()) as address:
        yield address
    engine.close()


def _told(result: Any) -> web.Response:
    return web.json_response({"result": result, "status": "ok", "time": 0.0})


def _filter(wanted: dict[str, Any]) -> Any:
    kinds = ("must", "should", "must_not")
    parts: dict[str, Any] = {kind: [_condition(one) for one in wanted.get(kind) or []] or None for kind in kinds}
    return edge.Filter(**parts)


def _condition(wanted: dict[str, Any]) -> Any:
    if wanted.get("has_id") is not None:
        return edge.HasIdCondition(set(wanted["has_id"]))
    if "key" not in wanted:
        return _filter(wanted)
    if match := wanted.get("match"):
        kind = edge.MatchAny(match["any"]) if "any" in match else edge.MatchValue(match["value"])
        return edge.FieldCondition(wanted["key"], match=kind)
    bounds = {name: value for name, value in wanted["range"].items() if value is not None}
    return edge.FieldCondition(wanted["key"], range=edge.RangeFloat(**bounds))
