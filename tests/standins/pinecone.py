"""Pinecone's interface of 2026-07, as far as its client is used here; writes are seen after a lag, as with Pinecone."""

import asyncio
import operator
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from tests.standins.http import serving

COMPARE = {"$gt": operator.gt, "$gte": operator.ge, "$lt": operator.lt, "$lte": operator.le}


class Pinecone:
    """Control plane and every index's data plane at one address. Namespaces hold vectors by id."""

    def __init__(self, lag_seconds: float) -> None:
        self._lag = lag_seconds
        self.address = ""
        self.indexes: dict[str, int] = {}
        self.namespaces: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
        self._pending: list[tuple[float, Callable[[], None]]] = []

    def application(self) -> web.Application:
        app = web.Application(client_max_size=4 << 20, middlewares=[self._versioned])
        app.router.add_get("/indexes", self.list_indexes)
        app.router.add_post("/indexes", self.create)
        app.router.add_get("/indexes/{index}", self.describe)
        data = "/{index}"
        app.router.add_post(f"{data}/vectors/upsert", self.upsert)
        app.router.add_post(f"{data}/vectors/delete", self.delete)
        app.router.add_post(f"{data}/query", self.query)
        app.router.add_delete(data + "/namespaces/{namespace}", self.delete_namespace)
        return app

    @web.middleware
    async def _versioned(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if request.headers.get("Api-Key") != "test-key":
            return web.json_response({"error": {"code": "UNAUTHENTICATED", "message": "no key"}}, status=401)
        assert request.headers["X-Pinecone-Api-Version"]
        now = time.monotonic()
        while self._pending and self._pending[0][0] <= now:
            self._pending.pop(0)[1]()
        response: web.StreamResponse = await handler(request)
        return response

    async def list_indexes(self, _: web.Request) -> web.Response:
        return web.json_response({"indexes": [self._index(name) for name in self.indexes]})

    async def create(self, request: web.Request) -> web.Response:
        wanted = await request.json()
        values = wanted["schema"]["fields"]["_values"]
        assert values["metric"] == "cosine"
        self.indexes[wanted["name"]] = values["dimension"]
        return web.json_response(self._index(wanted["name"]), status=201)

    async def describe(self, request: web.Request) -> web.Response:
        if request.match_info["index"] not in self.indexes:
            return _missing()
        return web.json_response(self._index(request.match_info["index"]))

    async def upsert(self, request: web.Request) -> web.Response:
        wanted, index = await request.json(), request.match_info["index"]
        rows = wanted["vectors"]
        assert len(rows) <= 1000
        assert all(len(row["values"]) == self.indexes[index] for row in rows)
        assert all(_flat(row["metadata"]) for row in rows)
        held = self.namespaces.setdefault((index, wanted.get("namespace", "")), {})
        self._later(lambda: held.update({row["id"]: row for row in rows}))
        return web.json_response({"upsertedCount": len(rows)})

    async def delete(self, request: web.Request) -> web.Response:
        wanted = await request.json()
        held = self.namespaces.get((request.match_info["index"], wanted.get("namespace", "")), {})

        def remove() -> None:
            for name in wanted["ids"]:
                held.pop(name, None)

        self._later(remove)
        return web.json_response({})

    async def delete_namespace(self, request: web.Request) -> web.Response:
        key = request.match_info["index"], request.match_info["namespace"]
        if key not in self.namespaces:
            return _missing()
        del self.namespaces[key]
        return web.json_response({})

    async def query(self, request: web.Request) -> web.Response:
        wanted = await request.json()
        assert 1 <= wanted["topK"] <= 10_000
        held = self.namespaces.get((request.match_info["index"], wanted.get("namespace", "")), {})
        found = [
            {"id": row["id"], "score": _cosine(wanted["vector"], row["values"])}
            | ({"values": row["values"]} if wanted["includeValues"] else {})
            for row in list(held.values())
            if _matches(wanted.get("filter") or {}, row["metadata"])
        ]
        found.sort(key=lambda one: -one["score"])
        return web.json_response(
            {"matches": found[: wanted["topK"]], "namespace": wanted.get("namespace", ""), "usage": {"readUnits": 1}}
        )

    def _later(self, change: Callable[[], None]) -> None:
        if self._lag:
            self._pending.append((time.monotonic() + self._lag, change))
        else:
            change()

    def _index(self, name: str) -> dict[str, Any]:
        field = {"type": "dense_vector", "dimension": self.indexes[name], "metric": "cosine"}
        return {
            "name": name,
            "host": f"{self.address}/{name}",
            "status": {"ready": True, "state": "Ready"},
            "schema": {"fields": {"_values": field}},
            "deployment": {"deployment_type": "managed", "cloud": "aws", "region": "us-east-1", "environment": "e"},
            "deletion_protection": "disabled",
        }


@asynccontextmanager
async def pinecone(lag_seconds: float = 0.2) -> AsyncIterator[Pinecone]:
    """Serves until left."""
    standin = Pinecone(lag_seconds)
    async with serving(standin.application()) as address:
        standin.address = address
        yield standin
        await asyncio.sleep(0)


def _missing() -> web.Response:
    return web.json_response({"error": {"code": "NOT_FOUND", "message": "no such thing"}, "status": 404}, status=404)


def _flat(metadata: dict[str, Any]) -> bool:
    """As Pinecone takes it: texts, numbers, booleans and lists of texts."""
    return all(
        isinstance(value, str | int | float) or all(isinstance(one, str) for one in value)
        for value in metadata.values()
    )


def _matches(wanted: dict[str, Any], metadata: dict[str, Any]) -> bool:
    """Several keys of one object are joined by and."""
    return all(_one(key, value, metadata) for key, value in wanted.items())


def _one(key: str, value: Any, metadata: dict[str, Any]) -> bool:
    if key == "$and":
        return all(_matches(part, metadata) for part in value)
    if key == "$or":
        return any(_matches(part, metadata) for part in value)
    held = metadata.get(key)
    if value == {"$exists": False}:
        return held is None
    return held is not None and all(_compared(op, held, bound) for op, bound in value.items())


def _compared(op: str, held: Any, bound: Any) -> bool:
    if op in ("$in", "$nin"):
        found = bool(set(held if isinstance(held, list) else [held]) & set(bound))
        return found == (op == "$in")
    if op in ("$eq", "$ne"):
        return bool(held == bound) == (op == "$eq")
    return isinstance(held, int | float) and bool(COMPARE[op](held, bound))


def _cosine(left: list[float], right: list[float]) -> float:
    lengths = sum(a * a for a in left) ** 0.5 * sum(b * b for b in right) ** 0.5
    return sum(a * b for a, b in zip(left, right, strict=True)) / lengths if lengths else 0.0
