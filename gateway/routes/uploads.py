"""Uploaded files, in parts."""

import hashlib
from collections.abc import AsyncIterator

from starlette.datastructures import UploadFile


async def parts_of(file: UploadFile, size: int) -> AsyncIterator[bytes]:
    """The file from its beginning."""
    await file.seek(0)
    while part := await file.read(size):
        yield part


async def digest_of(file: UploadFile) -> bytes:
    """What stands for the file in a fingerprint."""
    digest = hashlib.sha256()
    async for part in parts_of(file, 1 << 20):
        digest.update(part)
    return digest.digest()
