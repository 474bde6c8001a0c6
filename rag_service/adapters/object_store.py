"""ObjectStore with obstore: a local folder, or S3, GCS, Azure by URL."""

import contextlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from typing import Any

from obstore.store import LocalStore, from_url

from chassis.erasure import Erased

PART_BYTES = 256 * 1024
PARTS_AT_ONCE = 2
"""Of a large file that is put: each is some megabytes in memory. obstore's own dozen took 117 MB for a file of 200."""


class Objects:
    """One store; keys are paths in it."""

    def __init__(self, url: str, default: Path, options: Mapping[str, str] | None = None) -> None:
        """`url` empty means the folder `default`. `options`: what the store wants to know beside: keys, an endpoint."""
        if url.startswith("file://") or not url:
            folder = Path(url.removeprefix("file://")) if url else default
            folder.mkdir(parents=True, exist_ok=True)
            self._store: Any = LocalStore(folder, automatic_cleanup=True)
            return
        given: Any = dict(options or {})
        # An endpoint of one's own (Google's is called base_url) may be a plain one.
        own = (given.get(name, "") for name in ("endpoint", "base_url"))
        client: Any = {"allow_http": True} if any(one.startswith("http://") for one in own) else None
        self._store = from_url(url, config=given, client_options=client)

    async def put(self, key: str, source: Path) -> None:
        await self._store.put_async(key, source, max_concurrency=PARTS_AT_ONCE)

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
        return Erased({"objects": gone})

    async def list(self, prefix: str) -> Sequence[str]:
        found: list[str] = []
        async for page in self._store.list(prefix):
            found += [str(item["path"]) for item in page]
        return found

    async def delete(self, keys: Sequence[str]) -> None:
        for key in keys:
            with contextlib.suppress(FileNotFoundError):
                await self._store.delete_async(key)
