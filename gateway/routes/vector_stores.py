"""Vector stores, in OpenAI's shapes: collections of documents by another name."""

from typing import Annotated, Any, Literal

import orjson
from aisp.rag.v1 import rag_service_pb2 as pb
from fastapi import APIRouter, Depends, Request
from pydantic import ConfigDict, Field

from gateway.admission import MANAGEMENT, Call, Work
from gateway.audit import Audited, audited
from gateway.routes import estimates
from gateway.routes.common import AUTHENTICATED, Admission, Services, StrictRoute, managed, marks, problems
from gateway.routes.search import check_reranker
from gateway.routes.stores import (
    EFFECT,
    FILE,
    INGESTION,
    STORE,
    ChunkingStrategy,
    FileText,
    Listed,
    Metadata,
    NewStoreFile,
    StoreId,
    Strict,
    counted,
    listing,
    named,
    parsed,
    seconds,
)

router = APIRouter(route_class=StrictRoute, prefix="/v1/vector_stores", tags=["vector stores"])

OWN_RANKERS = ("none", "auto", "default-2024-11-15")
Query = Annotated[str, Field(min_length=1, max_length=4000, pattern=r"\S")]


class ExpiresAfter(Strict):
    """After how many days without use its files are taken out."""

    anchor: Literal["last_active_at"]
    days: Annotated[int, Field(ge=1, le=365)]


class NewVectorStore(Strict):
    """A vector store to make."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "Support FAQ"}]})

    name: Annotated[str, Field(max_length=256)] | None = None
    description: Annotated[str, Field(max_length=500)] | None = None
    file_ids: Annotated[list[FileText], Field(max_length=2000)] | None = None
    chunking_strategy: ChunkingStrategy | None = None
    expires_after: ExpiresAfter | None = None
    metadata: Metadata | None = None


class VectorStoreChange(Strict):
    """What to change of a vector store. `expires_after: null`: it does not expire."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "Support FAQ, old"}]})

    name: Annotated[str, Field(max_length=256)] | None = None
    expires_after: ExpiresAfter | None = None
    metadata: Metadata | None = None


class RankingOptions(Strict):
    """`ranker`: none, auto, default-2024-11-15 (the platform's own order, each), or the name of a reranking model."""

    ranker: Annotated[str, Field(max_length=200)] = "auto"
    score_threshold: Annotated[float, Field(ge=0, le=1)] = 0


class VectorStoreSearch(Strict):
    """What to find."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [
        {"query": "How long is the warranty?", "filters": {"type": "gte", "key": "year", "value": 2024}}
    ]})  # fmt: skip

    query: Query | Annotated[list[Query], Field(min_length=1, max_length=8)]
    filters: dict[str, Any] | None = None
    max_num_results: Annotated[int, Field(ge=1, le=50)] = 10
    ranking_options: RankingOptions | None = None
    rewrite_query: bool = False


@router.post("", responses=AUTHENTICATED | problems(400, 404), operation_id="createVectorStore")
async def create(body: NewVectorStore, request: Request, services: Services, gate: Admission) -> dict[str, Any]:
    """Makes a vector store, and puts files into it. A static chunking strategy is also that of files that come later
    and have none of their own.
    """
    cut = body.chunking_strategy.static if body.chunking_strategy else None
    files = [NewStoreFile(file_id=one).on_wire() for one in body.file_ids or ()]
    wish = pb.CreateCollectionRequest(
        title=body.name or "",
        description=body.description or "",
        metadata_json=orjson.dumps(body.metadata).decode() if body.metadata else "",
        expire_days=body.expires_after.days if body.expires_after else 0,
        chunk_tokens=cut.max_chunk_size_tokens if cut else 0,
        chunk_overlap=cut.chunk_overlap_tokens if cut else None,
        files=files,
    )
    key = await marks(request)
    work = INGESTION if files else MANAGEMENT
    async with gate.admitted(request.scope["state"], "documents:write", work, key) as call:
        async with audited(services, call.context, Audited("collection.create")) as deed:
            made = (await services.rag.CreateCollection(wish, **call.options)).collection
            deed.resource_id, deed.after = made.id, {"name": made.name}
    return shown(made)


@router.get("", responses=AUTHENTICATED | problems(400), operation_id="listVectorStores")
async def list_stores(
    services: Services, listed: Annotated[Listed, Depends()], call: Call = managed("documents:read")
) -> dict[str, Any]:
    """The tenant's vector stores: all its collections."""
    request = pb.ListCollectionsRequest(page=listed.page(STORE))
    found = await services.rag.ListCollections(request, context=call.context)
    return listing([shown(row) for row in found.collections], more=found.more)


@router.get("/{vector_store_id}", responses=AUTHENTICATED | problems(404), operation_id="getVectorStore")
async def get(vector_store_id: StoreId, services: Services, call: Call = managed("documents:read")) -> dict[str, Any]:
    """One vector store."""
    request = pb.GetCollectionRequest(id=parsed(STORE, vector_store_id))
    return shown((await services.rag.GetCollection(request, context=call.context)).collection)


@router.post("/{vector_store_id}", responses=AUTHENTICATED | problems(400, 404), operation_id="changeVectorStore")
async def change(
    vector_store_id: StoreId,
    body: VectorStoreChange,
    services: Services,
    call: Call = managed("documents:write", audit="collection.change"),
) -> dict[str, Any]:
    """Changes a vector store. The name by which the platform's own routes know the collection stays."""
    given = body.model_fields_set
    request = pb.UpdateCollectionRequest(
        id=parsed(STORE, vector_store_id),
        title=(body.name or "") if "name" in given else None,
        metadata_json=orjson.dumps(body.metadata or {}).decode() if "metadata" in given else None,
        expire_days=(body.expires_after.days if body.expires_after else 0) if "expires_after" in given else None,
    )
    changed = (await services.rag.UpdateCollection(request, context=call.context)).collection
    if call.deed is not None:
        call.deed.resource_id, call.deed.after = changed.id, {"changed": sorted(given)}
    return shown(changed)


@router.delete("/{vector_store_id}", responses=AUTHENTICATED | problems(400, 404), operation_id="deleteVectorStore")
async def delete(vector_store_id: StoreId, request: Request, services: Services, gate: Admission) -> dict[str, Any]:
    """Deletes a vector store with all that was made of its files; the files themselves stay. `default` stays, too."""
    own_id = parsed(STORE, vector_store_id)
    async with gate.admitted(request.scope["state"], "documents:write", EFFECT) as call:
        async with audited(services, call.context, Audited("collection.delete", own_id)) as deed:
            gone = await services.rag.DeleteCollection(pb.DeleteCollectionRequest(id=own_id), **call.options)
            deed.after = {"erasure_id": gone.erasure.id, "documents": gone.erasure.documents}
    return {"id": vector_store_id, "object": "vector_store.deleted", "deleted": True}


@router.post(
    "/{vector_store_id}/search", responses=AUTHENTICATED | problems(400, 404), operation_id="searchVectorStore"
)
async def search(
    vector_store_id: StoreId, body: VectorStoreSearch, request: Request, services: Services, gate: Admission
) -> dict[str, Any]:
    """Finds passages, by one question or by several at once. Scores are from 0 to 1."""
    queries = [body.query] if isinstance(body.query, str) else body.query
    ranking = body.ranking_options or RankingOptions()
    wire = pb.SearchFilesRequest(
        collection_ids=[parsed(STORE, vector_store_id)],
        queries=queries,
        top_k=body.max_num_results,
        filter_json=orjson.dumps(body.filters).decode() if body.filters else "",
        score_threshold=ranking.score_threshold,
        ranker=ranking.ranker,
        rewrite=body.rewrite_query,
    )
    named = "" if ranking.ranker in OWN_RANKERS else ranking.ranker
    await check_reranker(gate, request.scope["state"], named)
    async with gate.admitted(request.scope["state"], "inference", estimate(body), await marks(request)) as call:
        found = await services.rag.SearchFiles(wire, **call.options)
        call.use(found.usage)
    return {
        "object": "vector_store.search_results.page",
        "search_query": list(found.queries),
        "data": [passage(row) for row in found.passages],
        "has_more": False,
        "next_page": None,
    }


def estimate(asked: VectorStoreSearch) -> Work:
    """What a search is reserved as."""
    queries = [asked.query] if isinstance(asked.query, str) else asked.query
    ranker = (asked.ranking_options or RankingOptions()).ranker
    return estimates.search(queries, rewritten=asked.rewrite_query, reranked=ranker not in OWN_RANKERS)


def passage(row: pb.Passage) -> dict[str, Any]:
    """A passage in OpenAI's shape."""
    return {
        "file_id": named(FILE, row.file_id),
        "filename": row.file_name,
        "score": row.score,
        "attributes": orjson.loads(row.metadata_json or "{}"),
        "content": [{"type": "text", "text": row.text}],
    }


def shown(row: pb.Collection) -> dict[str, Any]:
    """A collection as a vector store."""
    going_on = "in_progress" if row.counts.going_on else "completed"
    return {
        "id": named(STORE, row.id),
        "object": "vector_store",
        "created_at": seconds(row.create_time),
        "name": row.title,
        "description": row.description or None,
        "usage_bytes": row.bytes,
        "file_counts": counted(row.counts),
        "status": "expired" if row.expired else going_on,
        "expires_after": {"anchor": "last_active_at", "days": row.expire_days} if row.expire_days else None,
        "expires_at": seconds(row.expire_time) if row.HasField("expire_time") else None,
        "last_active_at": seconds(row.active_time),
        "metadata": orjson.loads(row.metadata_json or "{}"),
    }
