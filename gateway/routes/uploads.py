"""Uploaded files, in parts."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import PurePath

from starlette.datastructures import UploadFile

WAV_HEAD = 44
USUAL_BYTES_PER_SECOND = 16_000
MOST_BYTES_PER_SECOND = 384_000
"""Two channels of 32 bits at 48 kHz: a file that claims more is believed this much."""


MAX_NAME_CHARACTERS = 255
MAX_SUFFIX_CHARACTERS = 20


def name_of(file: UploadFile) -> str:
    """What the file is called. Of a name that is too long the middle is left out: its end says what the file is."""
    name = file.filename or ""
    if len(name) <= MAX_NAME_CHARACTERS:
        return name
    suffix = PurePath(name).suffix[:MAX_SUFFIX_CHARACTERS]
    return name[: MAX_NAME_CHARACTERS - len(suffix)] + suffix


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


async def milliseconds_of(file: UploadFile) -> int:
    """How long an audio file plays, to admit it by: as a WAV file says of itself, and of others by their size."""
    await file.seek(0)
    head = await file.read(WAV_HEAD)
    await file.seek(0)
    rate = int.from_bytes(head[28:32], "little") if head[:4] == b"RIFF" and head[8:16] == b"WAVEfmt " else 0
    return max(0, (file.size or 0) - WAV_HEAD) * 1000 // min(rate or USUAL_BYTES_PER_SECOND, MOST_BYTES_PER_SECOND)
