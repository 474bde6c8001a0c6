"""Texts of documents: extracted from their originals, and kept beside them."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from rag_service.domain.documents import Document, Extractor, ObjectStore, Text
from rag_service.domain.errors import ExtractionFailed


class Texts:
    """`scratch` is a directory for files of the moment."""

    def __init__(self, objects: ObjectStore, extractor: Extractor, scratch: Path, max_characters: int) -> None:
        self._objects = objects
        self._extractor = extractor
        self._scratch = scratch
        self._max_characters = max_characters

    @asynccontextmanager
    async def extracted(self, document: Document) -> AsyncIterator[Text]:
        """That of the latest version, which is kept; its file is there until left. ExtractionFailed."""
        with tempfile.TemporaryDirectory(dir=self._scratch) as name:
            text = await self._extract(document, Path(name))
            await self._objects.put(document.text_key(), text.path)
            yield text

    async def forget(self, document: Document) -> None:
        """Of the latest version."""
        await self._objects.delete([document.text_key()])

    async def _extract(self, document: Document, directory: Path) -> Text:
        original = directory / "original"
        try:
            with original.open("wb") as file:
                async for part in self._objects.read(document.original_key()):
                    file.write(part)
        except FileNotFoundError:
            raise ExtractionFailed("Its original is not there (any more).") from None
        latest = document.latest
        text = await self._extractor.extract(original, latest.file_name, latest.media_type, directory)
        if text.characters > self._max_characters:
            why = f"The document has more than {self._max_characters} characters: upload it in several parts."
            raise ExtractionFailed(why)
        return text
