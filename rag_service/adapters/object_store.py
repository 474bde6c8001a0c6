"""ObjectStore with obstore: a local folder, or S3, GCS, Azure by URL."""

import contextlib
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

from obstore.store import LocalStore, from_url

from chassis.erasure import Erased

PART_BYTES = 256 * 1024


class Objects:
    """One store; keys are paths in it."""

    def __init__(self, url: str, default: Path) -> None:
        """`url` empty means the folder `default`."""
        if url:
            self._store: Any = from_url(url)
        else:
            default.mkdir(parents=True, exist_ok=True)
            self._store = LocalStore(default, automatic_cleanup=True)

    async def put(self, key: str, source: Path) -> None:
        await self._store.put_async(key, source)

    async def put_text(self, key: str, text: str) -> None:
        await self._store.put_async(key, text.encode())

    async def read(self, key: str) -> AsyncGenerator[bytes, None]:
        found = await self._store.get_async(key)
        async for part in found.stream(min_chunk_size=PART_BYTES):
            data = bytes(part)
            for start in range(0, len(data), PART_BYTES):
                yield data[start : start + PART_BYTES]

    async def erase(self, tenant_id: str, _deletion_id: str) -> Erased:
        """Removes all that is kept under a tenant's id."""
        gone = 0
        async for found in self._store.list(prefix=f"{tenant_id}/"):
            await self.delete([str(one["path"]) for one in found])
            gone += len(found)
        return Erased({"files": gone})

    async def delete(self, keys: Sequence[str]) -> None:
        for key in keys:
            with contextlib.suppress(FileNotFoundError):
                await self._store.delete_async(key)
