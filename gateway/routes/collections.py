"""Collections of documents."""

from typing import Annotated, Any, Literal

from aisp.rag.v1 import rag_service_pb2 as pb
from fastapi import APIRouter, Path, Request
from pydantic import Field

from gateway.admission import Call
from gateway.audit import Audited, audited
from gateway.routes.common import (
    AUTHENTICATED,
    Admission,
    Body,
    Cursor,
    Limit,
    Services,
    StrictRoute,
    iso,
    managed,
    page,
    problems,
)
from gateway.routes.lifecycle import EFFECT, erasure_of
from gateway.routes.search import MODE_NAMES, MODES

router = APIRouter(route_class=StrictRoute, prefix="/api/v1/services/rag", tags=["documents"])


class NewCollection(Body):
    """A collection to make."""

    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [{"name": "contracts"}]}}

    name: Annotated[str, Field(min_length=1, max_length=64)]
    description: Annotated[str, Field(max_length=500)] = ""
    vector_store: Annotated[str, Field(max_length=64)] = ""
    default_mode: Literal["dense", "lexical", "hybrid"] | None = None
    chunk_tokens: Annotated[int, Field(ge=50, le=8000)] | None = None
    chunk_overlap: Annotated[int, Field(ge=0, le=4000)] | None = None


class CollectionChange(Body):
    """What to change of a collection."""

    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [{"default_mode": "dense"}]}}

    description: Annotated[str, Field(max_length=500)] | None = None
    default_mode: Literal["dense", "lexical", "hybrid"] | None = None


@router.post(
    "/collections", status_code=201, responses=AUTHENTICATED | problems(409, 422), operation_id="createCollection"
)
async def create_collection(
    body: NewCollection, services: Services, call: Call = managed("documents:write", audit="collection.create")
) -> dict[str, Any]:
    """Makes a collection."""
    request = pb.CreateCollectionRequest(
        name=body.name,
        description=body.description,
        vector_store=body.vector_store,
        default_mode=MODES[body.default_mode],
        chunk_tokens=body.chunk_tokens,
        chunk_overlap=body.chunk_overlap,
    )
    made = _collection((await services.rag.CreateCollection(request, context=call.context)).collection)
    if call.deed is not None:
        call.deed.resource_id, call.deed.after = made["id"], {"name": body.name}
    return made


@router.patch("/collections/{name}", responses=AUTHENTICATED | problems(404, 422), operation_id="changeCollection")
async def change_collection(
    name: Annotated[str, Path(max_length=64)],
    body: CollectionChange,
    services: Services,
    call: Call = managed("documents:write", audit="collection.change"),
) -> dict[str, Any]:
    """Changes a collection's description, or how it is searched where a search does not say."""
    request = pb.UpdateCollectionRequest(name=name, default_mode=MODES[body.default_mode], description=body.description)
    changed = _collection((await services.rag.UpdateCollection(request, context=call.context)).collection)
    if call.deed is not None:
        call.deed.resource_id, call.deed.after = changed["id"], body.model_dump(exclude_none=True)
    return changed


@router.delete(
    "/collections/{name}",
    status_code=202,
    responses=AUTHENTICATED | problems(400, 404),
    operation_id="deleteCollection",
)
async def delete_collection(
    name: Annotated[str, Path(max_length=64)], request: Request, services: Services, gate: Admission
) -> dict[str, Any]:
    """Deletes a collection with all that it has. It is hidden at once, and its name is free; the answer is the report
    of what is removed, which goes on. Files of which its documents were made stay. `default` is every tenant's and
    stays: what it has is deleted by `DELETE /documents?collection=default`.
    """
    async with gate.admitted(request.scope["state"], "documents:write", EFFECT) as call:
        async with audited(services, call.context, Audited("collection.delete", name)) as deed:
            gone = await services.rag.DeleteCollection(pb.DeleteCollectionRequest(name=name), **call.options)
            deed.after = {"erasure_id": gone.erasure.id, "documents": gone.erasure.documents}
    return erasure_of(gone.erasure)


@router.get("/collections/{name}", responses=AUTHENTICATED | problems(404), operation_id="getCollection")
async def get_collection(
    name: Annotated[str, Path(max_length=64)], services: Services, call: Call = managed("documents:read")
) -> dict[str, Any]:
    """One collection, by its name."""
    found = await services.rag.GetCollection(pb.GetCollectionRequest(name=name), context=call.context)
    return _collection(found.collection)


@router.get("/collections", responses=AUTHENTICATED | problems(400), operation_id="listCollections")
async def list_collections(
    services: Services, limit: Limit = 50, cursor: Cursor = "", call: Call = managed("documents:read")
) -> dict[str, Any]:
    """The tenant's collections, newest first."""
    request = pb.ListCollectionsRequest(page_size=limit, page_token=cursor)
    found = await services.rag.ListCollections(request, context=call.context)
    return page([_collection(row) for row in found.collections], found.next_page_token)


def _collection(row: pb.Collection) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "title": row.title,
        "documents": row.documents,
        "vector_store": row.vector_store,
        "embedding_model": row.embedding_model,
        "default_mode": MODE_NAMES.get(row.default_mode),
        "chunk_tokens": row.chunk_tokens,
        "chunk_overlap": row.chunk_overlap,
        "created_at": iso(row.create_time),
    }
