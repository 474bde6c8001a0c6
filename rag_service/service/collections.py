"""Collections: made, listed, found by name or id. Every tenant has one named default."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import uuid4

from chassis.pagination import IdPage, Page, PageRequest
from rag_service.domain.collections import DEFAULT_COLLECTION, Collection, CollectionChange
from rag_service.domain.documents import Chunking
from rag_service.domain.errors import CollectionExists, CollectionExpired, CollectionNotFound, bad
from rag_service.domain.search import SearchMode
from rag_service.domain.store import Store
from rag_service.domain.vectors import VectorStores
from rag_service.policy.filters import fits
from rag_service.service.ends import look_again

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_OTHER = re.compile(r"[^A-Za-z0-9._-]+")
MAX_DESCRIPTION_CHARACTERS = 500
MAX_TITLE_CHARACTERS = 256
MAX_PAIRS, MAX_KEY, MAX_VALUE = 16, 64, 512
MOST_DAYS = 365
ACTIVE_AFTER = timedelta(minutes=1)
LEAST_TOKENS = 50
MOST_TOKENS = 8000


@dataclass(frozen=True, slots=True)
class Wish:
    """What a collection is to be. Without a name it gets one that is made of its title."""

    name: str = ""
    description: str = ""
    vector_store: str = ""
    default_mode: SearchMode | None = None
    chunking: Chunking = field(default_factory=Chunking)
    title: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    expire_days: int = 0


class Collections:
    """Collections get the vector store that they name, or that of the settings, for good."""

    def __init__(self, store: Store, clock: Callable[[], datetime], stores: VectorStores, embedding_model: str) -> None:
        self._store = store
        self._clock = clock
        self._stores = stores
        self._embedding_model = embedding_model

    async def create(self, tenant_id: str, wish: Wish) -> Collection:
        """BadRequest, CollectionExists."""
        if wish.name and not _NAME.fullmatch(wish.name):
            raise bad("name", "must have 1 to 64 characters of A-Z, a-z, 0-9, ., - and _, the first a letter or digit")
        _check(CollectionChange(wish.description, None, wish.title, wish.metadata, wish.expire_days))
        _check_chunking(wish.chunking)
        if wish.vector_store and wish.vector_store not in self._stores.names:
            raise bad("vector_store", f"must be one of {', '.join(self._stores.names)}")
        if wish.name == DEFAULT_COLLECTION:
            await self.find(tenant_id, wish.name)
            raise CollectionExists
        if wish.name:
            return await self._add(tenant_id, wish)
        return await self._add(tenant_id, replace(wish, name=_name_of(wish.title)))

    async def change(self, tenant_id: str, name: str, change: CollectionChange) -> Collection:
        """BadRequest, CollectionNotFound."""
        _check(change)
        await self.find(tenant_id, name)
        name = name or DEFAULT_COLLECTION
        async with self._store.transaction(tenant_id) as repository:
            await repository.set_collection(tenant_id, name, change)
            if change.expire_days is not None:
                found = await repository.find_collection(tenant_id, name)
                if found is not None:
                    # Its time begins now, not when it was last used.
                    await repository.set_active(tenant_id, found.id, self._clock())
            changed = await repository.find_collection(tenant_id, name, counted=True)
            if changed is None:
                raise CollectionNotFound
            if change.expire_days and changed.expires_at:
                await look_again(repository, {"collection_id": changed.id}, changed.expires_at, self._clock())
        return changed

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

    async def by_id(self, tenant_id: str, collection_id: str, *, counted: bool = False) -> Collection:
        """CollectionNotFound."""
        async with self._store.transaction(tenant_id) as repository:
            found = await repository.get_collection(tenant_id, collection_id, counted=counted)
        if found is None:
            raise CollectionNotFound
        return found

    async def usable(self, tenant_id: str, collection_id: str) -> Collection:
        """CollectionNotFound, CollectionExpired."""
        found = await self.by_id(tenant_id, collection_id)
        self.check_usable(found)
        return found

    def check_usable(self, collection: Collection) -> None:
        """CollectionExpired."""
        if self.has_expired(collection):
            raise CollectionExpired

    def has_expired(self, collection: Collection) -> bool:
        """Whether its time is over."""
        return collection.expires_at is not None and collection.expires_at <= self._clock()

    async def used(self, collection: Collection) -> None:
        """It was searched as a vector store; that is written down once a minute at most."""
        now = self._clock()
        if collection.active_at is None or now - collection.active_at >= ACTIVE_AFTER:
            async with self._store.transaction(collection.tenant_id) as repository:
                await repository.set_active(collection.tenant_id, collection.id, now)

    async def page(self, tenant_id: str, page: IdPage) -> tuple[Sequence[Collection], bool]:
        """In the order of their making, and whether there are more. InvalidCursor."""
        await self.find(tenant_id, DEFAULT_COLLECTION)
        async with self._store.transaction(tenant_id) as repository:
            return await repository.page_of_collections(tenant_id, page)

    async def find(self, tenant_id: str, name: str) -> Collection:
        """By name; the default one is made when it is first asked for. CollectionNotFound."""
        found = await self.there(tenant_id, name)
        if found is not None:
            return found
        name = name or DEFAULT_COLLECTION
        if name != DEFAULT_COLLECTION:
            raise CollectionNotFound(f"There is no collection {name[:64]}.")
        try:
            return await self._add(tenant_id, Wish(name))
        except CollectionExists:
            # Two first calls at once.
            found = await self.there(tenant_id, name)
            if found is None:
                raise CollectionNotFound from None
            return found

    async def there(self, tenant_id: str, name: str) -> Collection | None:
        """By name, if it is there: only read."""
        async with self._store.transaction(tenant_id) as repository:
            return await repository.find_collection(tenant_id, name or DEFAULT_COLLECTION)

    async def _add(self, tenant_id: str, wish: Wish) -> Collection:
        now = self._clock()
        made = Collection(
            id=str(uuid4()),
            tenant_id=tenant_id,
            name=wish.name,
            description=wish.description,
            vector_store=wish.vector_store or self._stores.default,
            embedding_model=self._embedding_model,
            created_at=now,
            default_mode=wish.default_mode or SearchMode.HYBRID,
            chunking=wish.chunking,
            title=wish.title,
            metadata=wish.metadata,
            expire_days=wish.expire_days,
        )
        async with self._store.transaction(tenant_id) as repository:
            await repository.add_collection(made)
            if made.expires_at:
                await look_again(repository, {"collection_id": made.id}, made.expires_at, now)
        return made


def told_metadata(text: str) -> Mapping[str, str]:
    """What a maker keeps of a collection, out of JSON. BadRequest."""
    try:
        found = json.loads(text) if text else {}
    except (json.JSONDecodeError, RecursionError) as error:
        raise bad("metadata", "must be a JSON object") from error
    if not isinstance(found, dict) or not all(isinstance(one, str) and fits(one) for one in (*found, *found.values())):
        raise bad("metadata", "must be an object of texts")
    if len(found) > MAX_PAIRS or any(len(key) > MAX_KEY or len(value) > MAX_VALUE for key, value in found.items()):
        raise bad("metadata", f"may have {MAX_PAIRS} keys of {MAX_KEY} characters, with texts of {MAX_VALUE}")
    return found


def _name_of(title: str) -> str:
    """A name that nobody else has, by which people know it again."""
    words = _OTHER.sub("-", title).strip("-._").lower()[:48]
    return f"{words}-{uuid4().hex[:12]}" if words else f"store-{uuid4().hex[:12]}"


def _check(change: CollectionChange) -> None:
    if len(change.description or "") > MAX_DESCRIPTION_CHARACTERS:
        raise bad("description", f"must have at most {MAX_DESCRIPTION_CHARACTERS} characters")
    if len(change.title or "") > MAX_TITLE_CHARACTERS or not fits(change.title or ""):
        raise bad("name", f"must have at most {MAX_TITLE_CHARACTERS} characters")
    if not 0 <= (change.expire_days or 0) <= MOST_DAYS:
        raise bad("expires_after.days", f"must be from 1 to {MOST_DAYS}")


def _check_chunking(chunking: Chunking) -> None:
    if not LEAST_TOKENS <= chunking.tokens <= MOST_TOKENS:
        raise bad("chunk_tokens", f"must be from {LEAST_TOKENS} to {MOST_TOKENS}")
    if not 0 <= chunking.overlap <= chunking.tokens // 2:
        raise bad("chunk_overlap", "must be at most half of chunk_tokens")
