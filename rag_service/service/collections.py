"""Collections: made, listed, found by name. Every tenant has one named default."""

import re
from collections.abc import Callable
from datetime import datetime
from uuid import uuid4

from chassis.errors import Violation
from chassis.pagination import Page, PageRequest
from rag_service.domain.collections import DEFAULT_COLLECTION, Collection
from rag_service.domain.documents import Chunking
from rag_service.domain.errors import BadRequest, CollectionExists, CollectionNotFound
from rag_service.domain.search import SearchMode
from rag_service.domain.store import Store
from rag_service.domain.vectors import VectorStores

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
MAX_DESCRIPTION_CHARACTERS = 500
LEAST_TOKENS = 50
MOST_TOKENS = 8000


def bad(field: str, description: str) -> BadRequest:
    """The error of one field."""
    return BadRequest(f"{field} {description}.", metadata={"param": field}, violations=[Violation(field, description)])


class Collections:
    """Collections get the vector store that they name, or that of the settings, for good."""

    def __init__(self, store: Store, clock: Callable[[], datetime], stores: VectorStores, embedding_model: str) -> None:
        self._store = store
        self._clock = clock
        self._stores = stores
        self._embedding_model = embedding_model

    async def create(
        self,
        tenant_id: str,
        name: str,
        description: str = "",
        vector_store: str = "",
        default_mode: SearchMode | None = None,
        chunking: Chunking | None = None,
    ) -> Collection:
        """BadRequest, CollectionExists."""
        if not _NAME.fullmatch(name):
            raise bad("name", "must have 1 to 64 characters of A-Z, a-z, 0-9, ., - and _, the first a letter or digit")
        _check_description(description)
        _check_chunking(chunking or Chunking())
        if vector_store and vector_store not in self._stores.names:
            raise bad("vector_store", f"must be one of {', '.join(self._stores.names)}")
        if name == DEFAULT_COLLECTION:
            await self.find(tenant_id, name)
            raise CollectionExists
        return await self._add(tenant_id, name, description, vector_store, default_mode, chunking)

    async def change(
        self, tenant_id: str, name: str, *, description: str | None = None, default_mode: SearchMode | None = None
    ) -> Collection:
        """BadRequest, CollectionNotFound."""
        _check_description(description or "")
        await self.find(tenant_id, name)
        async with self._store.transaction(tenant_id) as repository:
            await repository.set_collection(tenant_id, name or DEFAULT_COLLECTION, description, default_mode)
        return await self.get(tenant_id, name)

    async def get(self, tenant_id: str, name: str) -> Collection:
        """With the number of its documents. CollectionNotFound."""
        await self.find(tenant_id, name)
        async with self._store.transaction(tenant_id) as repository:
            found = await repository.find_collection(tenant_id, name or DEFAULT_COLLECTION, counted=True)
        if found is None:
            raise CollectionNotFound
        return found

    async def list(self, tenant_id: str, request: PageRequest) -> Page[Collection]:
        """Newest first."""
        await self.find(tenant_id, DEFAULT_COLLECTION)
        async with self._store.transaction(tenant_id) as repository:
            rows = await repository.list_collections(tenant_id, request.size, request.after)
        return request.page(rows, lambda row: (round(row.created_at.timestamp() * 1_000_000), row.id))

    async def find(self, tenant_id: str, name: str) -> Collection:
        """By name; the default one is made when it is first asked for. CollectionNotFound."""
        name = name or DEFAULT_COLLECTION
        async with self._store.transaction(tenant_id) as repository:
            found = await repository.find_collection(tenant_id, name)
        if found is not None:
            return found
        if name != DEFAULT_COLLECTION:
            raise CollectionNotFound(f"There is no collection {name[:64]}.")
        try:
            return await self._add(tenant_id, name)
        except CollectionExists:
            # Two first calls at once.
            async with self._store.transaction(tenant_id) as repository:
                found = await repository.find_collection(tenant_id, name)
            if found is None:
                raise CollectionNotFound from None
            return found

    async def _add(
        self,
        tenant_id: str,
        name: str,
        description: str = "",
        vector_store: str = "",
        default_mode: SearchMode | None = None,
        chunking: Chunking | None = None,
    ) -> Collection:
        made = Collection(
            id=str(uuid4()),
            tenant_id=tenant_id,
            name=name,
            description=description,
            vector_store=vector_store or self._stores.default,
            embedding_model=self._embedding_model,
            created_at=self._clock(),
            default_mode=default_mode or SearchMode.HYBRID,
            chunking=chunking or Chunking(),
        )
        async with self._store.transaction(tenant_id) as repository:
            await repository.add_collection(made)
        return made


def _check_description(description: str) -> None:
    if len(description) > MAX_DESCRIPTION_CHARACTERS:
        raise bad("description", f"must have at most {MAX_DESCRIPTION_CHARACTERS} characters")


def _check_chunking(chunking: Chunking) -> None:
    if not LEAST_TOKENS <= chunking.tokens <= MOST_TOKENS:
        raise bad("chunk_tokens", f"must be from {LEAST_TOKENS} to {MOST_TOKENS}")
    if not 0 <= chunking.overlap <= chunking.tokens // 2:
        raise bad("chunk_overlap", "must be at most half of chunk_tokens")
