"""Files: kept, listed and read. What is made of them is `attachments`', how they end is `erasure`'s and `expiry`'s."""

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from chassis.pagination import IdPage
from rag_service.domain.documents import ObjectStore, original_key
from rag_service.domain.errors import EmptyDocument, FileNotThere, bad
from rag_service.domain.files import PURPOSES, StoredFile
from rag_service.domain.store import Store
from rag_service.policy.filters import fits
from rag_service.service.documents import measured, new_id
from rag_service.service.ends import look_again
from rag_service.service.originals import Originals

LEAST_SECONDS, MOST_SECONDS = 3600, 30 * 24 * 3600


@dataclass(frozen=True, slots=True)
class ToldOfFile:
    """What a client says of a file. `expire_seconds`: after so many it is deleted; 0: never."""

    file_name: str
    media_type: str = ""
    purpose: str = ""
    expire_seconds: int = 0


class Files:
    """The tenant's files."""

    def __init__(self, store: Store, objects: ObjectStore, originals: Originals, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._objects = objects
        self._originals = originals
        self._clock = clock

    @staticmethod
    def check(told: ToldOfFile) -> None:
        """Before any byte is read: BadRequest."""
        if not 1 <= len(told.file_name) <= 255 or len(told.media_type) > 255 or not fits(told.file_name):
            raise bad("file", "must have a name of 1 to 255 characters")
        if told.purpose not in PURPOSES:
            raise bad("purpose", f"must be one of {', '.join(PURPOSES)}")
        if told.expire_seconds and not LEAST_SECONDS <= told.expire_seconds <= MOST_SECONDS:
            raise bad("expires_after.seconds", f"must be from {LEAST_SECONDS} to {MOST_SECONDS}")

    async def add(self, tenant_id: str, told: ToldOfFile, content: Path) -> StoredFile:
        """Keeps a file. EmptyDocument; ResourceExhausted where storage is full."""
        size, digest = await measured(content)
        if not size:
            raise EmptyDocument("The file is empty.")
        now = self._clock()
        file = StoredFile(
            id=new_id(),
            tenant_id=tenant_id,
            file_name=told.file_name,
            media_type=told.media_type,
            purpose=told.purpose,
            bytes=size,
            sha256=digest,
            created_at=now,
            expires_at=now + timedelta(seconds=told.expire_seconds) if told.expire_seconds else None,
        )
        kept = await self._originals.keep(tenant_id, file.id, content)
        async with self._store.transaction(tenant_id) as repository:
            await repository.add_file(file)
            await self._originals.adopt(repository, kept)
            if file.expires_at:
                await look_again(repository, {"file_id": file.id}, file.expires_at, now)
        return file

    async def get(self, tenant_id: str, file_id: str) -> StoredFile:
        """FileNotThere."""
        async with self._store.transaction(tenant_id) as repository:
            found = await repository.get_file(tenant_id, file_id)
        if found is None:
            raise FileNotThere
        return found

    async def list(self, tenant_id: str, purpose: str, page: IdPage) -> tuple[Sequence[StoredFile], bool]:
        """And whether there are more. InvalidCursor."""
        async with self._store.transaction(tenant_id) as repository:
            return await repository.page_of_files(tenant_id, purpose, page)

    async def read(self, file: StoredFile) -> AsyncGenerator[bytes, None]:
        """Its bytes, in parts; of a document those of its latest version. FileNotThere."""
        async with self._store.transaction(file.tenant_id) as repository:
            document = await repository.get_document(file.tenant_id, file.id) if file.status else None
        key = document.original_key() if document else original_key(file.tenant_id, file.id, 1)
        try:
            async for part in self._objects.read(key):
                yield part
        except FileNotFoundError as error:
            raise FileNotThere from error
