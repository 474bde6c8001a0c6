"""Collections and the vector stores that they can name, on the wire."""

from typing import Any

from aisp.rag.v1 import rag_service_pb2 as pb
from aisp.rag.v1.rag_service_pb2_grpc import RagServiceServicer

from chassis.errors import PlatformError
from chassis.pagination import PageRequest
from rag_service.domain.collections import Collection
from rag_service.domain.documents import Chunking
from rag_service.domain.vectors import VectorStores
from rag_service.service.collections import Collections
from rag_service.servicer.wire import MODE_NUMBERS, MODES, tenant, time_of


class CollectionsServicer(RagServiceServicer):
    """Collections."""

    _collections: Collections
    _vectors: VectorStores

    async def CreateCollection(self, request: pb.CreateCollectionRequest, _: Any) -> pb.CreateCollectionResponse:
        tokens = request.chunk_tokens or Chunking().tokens
        overlap = request.chunk_overlap if request.HasField("chunk_overlap") else tokens // 10
        made = await self._collections.create(
            tenant(),
            request.name,
            request.description,
            request.vector_store,
            MODES.get(request.default_mode),
            Chunking(tokens, overlap),
        )
        return pb.CreateCollectionResponse(collection=_collection(made))

    async def UpdateCollection(self, request: pb.UpdateCollectionRequest, _: Any) -> pb.UpdateCollectionResponse:
        description = request.description if request.HasField("description") else None
        changed = await self._collections.change(
            tenant(), request.name, description=description, default_mode=MODES.get(request.default_mode)
        )
        return pb.UpdateCollectionResponse(collection=_collection(changed))

    async def GetCollection(self, request: pb.GetCollectionRequest, _: Any) -> pb.GetCollectionResponse:
        return pb.GetCollectionResponse(collection=_collection(await self._collections.get(tenant(), request.name)))

    async def ListCollections(self, request: pb.ListCollectionsRequest, _: Any) -> pb.ListCollectionsResponse:
        page = await self._collections.list(tenant(), PageRequest.parse(request.page_size, request.page_token))
        return pb.ListCollectionsResponse(
            collections=[_collection(row) for row in page.items], next_page_token=page.next_cursor
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


def _collection(row: Collection) -> pb.Collection:
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
    )
