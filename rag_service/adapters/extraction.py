"""Extractor: plain text is decoded here, part by part; everything else in a limited process of its own."""

import asyncio
import codecs
import contextlib
import json
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from rag_service.domain.documents import Heading, Text
from rag_service.domain.errors import ExtractionFailed
from rag_service.policy.formats import HEAD_BYTES, Format, format_of

log = structlog.get_logger()

PART_BYTES = 1 << 20
MAX_ANSWER_BYTES = 64 * 1024 * 1024
HEADING_CHARACTERS = 200
WIDE = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


@dataclass(frozen=True, slots=True)
class ExtractionLimits:
    """Of one process: time, memory, bytes of text that it may write; and how many there are at once."""

    seconds: float
    megabytes: int
    text_bytes: int
    processes: int


class ProcessExtractor:
    """Starts a process for each document that is no plain text."""

    def __init__(self, limits: ExtractionLimits) -> None:
        self._limits = limits
        self._slots = asyncio.Semaphore(limits.processes)

    async def extract(self, original: Path, file_name: str, media_type: str, directory: Path) -> Text:
        with original.open("rb") as file:
            head = file.read(HEAD_BYTES)
        found = format_of(file_name, media_type, head)
        target = directory / "text"
        if found.plain:
            return await asyncio.to_thread(self._decoded, original, target, found)
        async with self._slots:
            return await self._in_process(original, found.media_type, target)

    def _decoded(self, original: Path, target: Path, found: Format) -> Text:
        with original.open("rb") as file:
            encoding = WIDE.get(file.read(2), "utf-8-sig")
        for attempt in (encoding, "cp1252"):
            try:
                characters = self._written(original, target, attempt, "strict" if attempt == encoding else "replace")
            except UnicodeDecodeError:
                continue
            return Text(target, characters, headings=_columns(target) if found.table else ())
        raise ExtractionFailed("It is not text, whatever its name says.")

    def _written(self, original: Path, target: Path, encoding: str, errors: str) -> int:
        """PostgreSQL's texts cannot hold NUL, and no reader misses it; lines end as everywhere else."""
        characters = written = 0
        with target.open("w", encoding="utf-8", newline="") as file:
            for part in _lines_mended(_parts(original, encoding, errors)):
                characters += file.write(part)
                written += len(part.encode()) if not part.isascii() else len(part)
                if written > self._limits.text_bytes:
                    raise ExtractionFailed(f"Its text has more than {self._limits.text_bytes} bytes.")
        return characters

    async def _in_process(self, original: Path, media_type: str, target: Path) -> Text:
        limits = self._limits
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "rag_service.adapters.extraction_worker",
            str(original), media_type, str(target), str(limits.megabytes), str(limits.text_bytes),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
            limit=MAX_ANSWER_BYTES, env={"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(filter(None, sys.path))},
            cwd=target.parent, start_new_session=True,
        )  # fmt: skip
        assert process.stdout is not None
        try:
            async with asyncio.timeout(limits.seconds):
                told = await process.stdout.read(MAX_ANSWER_BYTES)
                await process.wait()
        except TimeoutError:
            raise ExtractionFailed(f"Its text could not be extracted within {limits.seconds:g} s.") from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        answer = _answer(told, process.returncode)
        log.info("text extracted", media_type=media_type, megabytes=answer["megabytes"], seconds=answer["seconds"])
        headings = tuple(Heading(*row) for row in answer["headings"])
        return Text(target, answer["characters"], tuple(answer["page_starts"]), headings)


def _answer(told: bytes, code: int | None) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = json.loads(told)
    except ValueError:
        why = "needs more time than allowed" if code == -signal.SIGXCPU else "broke the extractor (or its limits)"
        raise ExtractionFailed(f"Its text could not be extracted: the file {why}.") from None
    if "error" in answer:
        raise ExtractionFailed(f"Its text could not be extracted: {answer['error']}")
    return answer


def _parts(original: Path, encoding: str, errors: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(encoding)(errors)
    with original.open("rb") as file:
        while part := file.read(PART_BYTES):
            yield decoder.decode(part)
    yield decoder.decode(b"", final=True)


def _lines_mended(parts: Iterator[str]) -> Iterator[str]:
    kept = ""
    for part in parts:
        text = kept + part
        # A line's end may be cut in two.
        kept = "\r" if text.endswith("\r") else ""
        yield text[: len(text) - len(kept)].replace("\0", "").replace("\r\n", "\n")
    yield kept


def _columns(target: Path) -> tuple[Heading, ...]:
    """Each row of a table stands under the names of its columns."""
    with target.open(encoding="utf-8", newline="\n") as file:
        first = file.readline(HEADING_CHARACTERS).strip()
    return (Heading(0, first, 1),) if first else ()
