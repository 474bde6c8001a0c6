"""Collections and the vector stores that they can name, on the wire."""

import json
from typing import Any

from aisp.rag.v1 import rag_service_pb2 as pb
from aisp.rag.v1.rag_service_pb2_grpc import RagServiceServicer

from chassis.errors import PlatformError
from chassis.pagination import PageRequest
from rag_service.domain.collections import Collection, CollectionChange
from rag_service.domain.documents import Chunking
from rag_service.domain.vectors import VectorStores
from rag_service.service.attachments import Attachments
from rag_service.service.collections import Collections, Wish, told_metadata
from rag_service.service.documents import Documents
from rag_service.service.erasure import Erasures
from rag_service.servicer.documents import attachment_of, erasure_on_wire, page_of
from rag_service.servicer.wire import MODE_NUMBERS, MODES, counts, tenant, time_of


class CollectionsServicer(RagServiceServicer):
    """Collections."""

    _collections: Collections
    _erasures: Erasures
    _documents: Documents
    _attachments: Attachments
    _vectors: VectorStores

    async def CreateCollection(self, request: pb.CreateCollectionRequest, _: Any) -> pb.CreateCollectionResponse:
        tokens = request.chunk_tokens or Chunking().tokens
        overlap = request.chunk_overlap if request.HasField("chunk_overlap") else tokens // 10
        wish = Wish(
            name=request.name,
            description=request.description,
            vector_store=request.vector_store,
            default_mode=MODES.get(request.default_mode),
            chunking=Chunking(tokens, overlap),
            title=request.title,
            metadata=told_metadata(request.metadata_json),
            expire_days=request.expire_days,
        )
        # Of files first what they say, so that nothing is made for what is wrong.
        files = [attachment_of(one, self._documents) for one in request.files]
        made = await self._collections.create(tenant(), wish)
        if files:
            made = await self._attachments.made_with(made, files)
        return pb.CreateCollectionResponse(collection=self._on_wire(made))

    async def UpdateCollection(self, request: pb.UpdateCollectionRequest, _: Any) -> pb.UpdateCollectionResponse:
        metadata = told_metadata(request.metadata_json) if request.HasField("metadata_json") else None
        change = CollectionChange(
            description=request.description if request.HasField("description") else None,
            default_mode=MODES.get(request.default_mode),
            title=request.title if request.HasField("title") else None,
            metadata=metadata,
            expire_days=request.expire_days if request.HasField("expire_days") else None,
        )
        name = (await self._collections.by_id(tenant(), request.id)).name if request.id else request.name
        changed = await self._collections.change(tenant(), name, change)
        return pb.UpdateCollectionResponse(collection=self._on_wire(changed))

    async def GetCollection(self, request: pb.GetCollectionRequest, _: Any) -> pb.GetCollectionResponse:
        return pb.GetCollectionResponse(collection=self._on_wire(await self._named(request)))

    async def DeleteCollection(self, request: pb.DeleteCollectionRequest, _: Any) -> pb.DeleteCollectionResponse:
        erasure = await self._erasures.delete_collection(tenant(), await self._named(request))
        return pb.DeleteCollectionResponse(erasure=erasure_on_wire(erasure))

    async def _named(self, request: pb.GetCollectionRequest | pb.DeleteCollectionRequest) -> Collection:
        if request.id:
            return await self._collections.by_id(tenant(), request.id, counted=True)
        return await self._collections.get(tenant(), request.name)

    async def ListCollections(self, request: pb.ListCollectionsRequest, _: Any) -> pb.ListCollectionsResponse:
        if request.HasField("page"):
            rows, more = await self._collections.page(tenant(), page_of(request.page))
            return pb.ListCollectionsResponse(collections=[self._on_wire(row) for row in rows], more=more)
        page = await self._collections.list(tenant(), PageRequest.parse(request.page_size, request.page_token))
        return pb.ListCollectionsResponse(
            collections=[self._on_wire(row) for row in page.items], next_page_token=page.next_cursor
        )

    async def ListVectorStores(self, _request: pb.ListVectorStoresRequest, _: Any) -> pb.ListVectorStoresResponse:
        found = []
        for name in self._vectors.names:
            store, health = self._vectors[name], "ok"
            try:
                await store.check()
            except PlatformError:
                health = "failing"
            found.append(pb.VectorStore(name=name, capabilities=store.capabilities.told(), health=health))
        return pb.ListVectorStoresResponse(vector_stores=found)

    def _on_wire(self, row: Collection) -> pb.Collection:
        return pb.Collection(
            id=row.id,
            name=row.name,
            description=row.description,
            documents=row.documents,
            create_time=time_of(row.created_at),
            vector_store=row.vector_store,
            embedding_model=row.embedding_model,
            default_mode=MODE_NUMBERS[row.default_mode],
            chunk_tokens=row.chunking.tokens,
            chunk_overlap=row.chunking.overlap,
            title=row.title or row.name,
            metadata_json=json.dumps(dict(row.metadata)),
            expire_days=row.expire_days,
            active_time=time_of(row.active_at or row.created_at),
            expire_time=time_of(row.expires_at) if row.expires_at else None,
            expired=self._collections.has_expired(row),
            bytes=row.bytes,
            counts=counts(row.counts),
        )
