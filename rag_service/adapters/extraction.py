"""Extractor: plain text is decoded here, everything else in a limited process of its own."""

import asyncio
import json
import mimetypes
import sys
from pathlib import Path

from rag_service.domain.documents import Text
from rag_service.domain.errors import ExtractionFailed

PLAIN = frozenset(("text/plain", "text/markdown", "text/x-markdown", "text/x-rst", "application/json", "text/csv"))
PLAIN_SUFFIXES = frozenset((".txt", ".md", ".markdown", ".rst", ".json", ".csv", ".log", ".toml", ".yaml", ".yml"))
MAX_ANSWER_BYTES = 256 * 1024 * 1024


class ProcessExtractor:
    """Starts a process for each document."""

    def __init__(self, seconds: float, megabytes: int) -> None:
        self._seconds = seconds
        self._megabytes = megabytes

    async def extract(self, original: Path, file_name: str, media_type: str) -> Text:
        suffix = Path(file_name).suffix.lower()
        declared = media_type.split(";", maxsplit=1)[0].strip().lower()
        if suffix in PLAIN_SUFFIXES or (not suffix and (declared in PLAIN or not declared)):
            return Text(_decode(await asyncio.to_thread(original.read_bytes)))
        guessed = mimetypes.guess_type(file_name)[0] if suffix else None
        if guessed is None and declared != "application/octet-stream":
            guessed = declared
        return await self._in_process(original, guessed or "")

    async def _in_process(self, original: Path, media_type: str) -> Text:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "rag_service.adapters.extraction_worker",
            str(original), media_type, str(self._megabytes),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
            limit=MAX_ANSWER_BYTES, env={"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(filter(None, sys.path))},
        )  # fmt: skip
        assert process.stdout is not None
        try:
            async with asyncio.timeout(self._seconds):
                told = await process.stdout.read(MAX_ANSWER_BYTES)
                await process.wait()
        except TimeoutError:
            raise ExtractionFailed(f"Its text could not be extracted within {self._seconds:g} s.") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        try:
            document = json.loads(told)
        except ValueError:
            raise ExtractionFailed("Its text could not be extracted: the file broke the extractor.") from None
        if "error" in document:
            raise ExtractionFailed(f"Its text could not be extracted: {document['error']}")
        return Text(document["text"].replace("\0", ""), tuple(document["page_starts"]))


def _decode(data: bytes) -> str:
    for encoding in ("utf-8-sig", "utf-16") if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig",):
        try:
            # PostgreSQL's texts cannot hold NUL, and no reader misses it.
            return data.decode(encoding).replace("\0", "").replace("\r\n", "\n")
        except UnicodeDecodeError:
            continue
    if b"\0" in data[:4096]:
        raise ExtractionFailed("It is not text, whatever its name says.")
    return data.decode("cp1252", errors="replace").replace("\r\n", "\n")
