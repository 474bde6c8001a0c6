"""Extractor: plain text is decoded here, part by part; everything else in a limited process of its own."""

import asyncio
import codecs
import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from chassis import context
from rag_service.adapters.turns import Turns
from rag_service.domain.documents import Heading, Text
from rag_service.domain.errors import ExtractionFailed
from rag_service.policy.formats import HEAD_BYTES, Format, format_of, wide

log = structlog.get_logger()

PART_BYTES = 1 << 20
MAX_ANSWER_BYTES = 64 * 1024 * 1024
HEADING_CHARACTERS = 200
SAMPLE_BYTES = 64 * 1024
"""By which an encoding is recognised."""
ESCAPES = (b"\x1b$", b"\x1b(")
"""In such a text every byte is ASCII, and it is not."""
MOST_UNREADABLE = 0.01
WINDOWS = {
    "iso8859-1": "cp1252", "iso8859-15": "cp1252", "iso8859-2": "cp1250", "iso8859-7": "cp1253", "iso8859-8": "cp1255",
    "iso8859-9": "cp1254", "iso8859-13": "cp1257",
}  # fmt: skip
"""What Windows writes where ISO has control characters."""
CONTROLS = re.compile("[\x80-\x9f]")
UNRECOGNISED = "It is not text, or in an encoding that is not recognised. Save it as UTF-8, or say the charset."


@dataclass(frozen=True, slots=True)
class ExtractionLimits:
    """Of one process: time, memory, bytes of text that it may write; and how many there are at once."""

    seconds: float
    megabytes: int
    text_bytes: int
    processes: int


class ProcessExtractor:
    """Starts a process for each document that is no plain text; tenants take turns."""

    def __init__(self, limits: ExtractionLimits) -> None:
        self._limits = limits
        self._turns = Turns(limits.processes)

    async def extract(self, original: Path, file_name: str, media_type: str, directory: Path) -> Text:
        with original.open("rb") as file:
            head = file.read(HEAD_BYTES)
        found = format_of(file_name, media_type, head)
        target = directory / "text"
        if found.plain:
            return await asyncio.to_thread(self._decoded, original, target, found)
        calling = context.current_or_none()
        async with self._turns.of(calling.tenant_id if calling else ""):
            return await self._in_process(original, found.media_type, target)

    def _decoded(self, original: Path, target: Path, found: Format) -> Text:
        """Unicode where it is that, else what the client says, else what it looks like."""
        with original.open("rb") as file:
            head = file.read(HEAD_BYTES)
        unicode = wide(head) or "utf-8-sig"
        for encoding in (unicode, found.charset):
            if not _decodes(encoding) or (encoding == "utf-8-sig" and any(one in head for one in ESCAPES)):
                continue
            with contextlib.suppress(UnicodeDecodeError):
                characters, _ = self._written(original, target, encoding, "strict")
                break
        else:
            characters, unreadable = self._written(original, target, _recognised(original), "replace")
            if unreadable > MOST_UNREADABLE * characters:
                raise ExtractionFailed(UNRECOGNISED)
        return Text(target, characters, headings=_columns(target) if found.table else ())

    def _written(self, original: Path, target: Path, encoding: str, errors: str) -> tuple[int, int]:
        """Characters, and how many could not be read. PostgreSQL's texts cannot hold NUL, and no reader misses it;
        lines end as everywhere else.
        """
        characters = written = unreadable = 0
        with target.open("w", encoding="utf-8", newline="") as file:
            for part in _lines_mended(_parts(original, encoding, errors)):
                characters += file.write(part)
                written += len(part.encode()) if not part.isascii() else len(part)
                unreadable += part.count("\ufffd") if errors == "replace" else 0
                if written > self._limits.text_bytes:
                    why = f"Its text has more than {self._limits.text_bytes} bytes: upload it in several parts."
                    raise ExtractionFailed(why)
        return characters, unreadable

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


def _decodes(encoding: str) -> bool:
    """Whether it is the name of an encoding of texts."""
    try:
        "".encode(encoding)
    except (LookupError, ValueError):
        return False
    return bool(encoding)


def _recognised(original: Path) -> str:
    """The encoding that a text seems to have, by what is in it from the first byte on that is not ASCII."""
    import chardet  # half a second, which most workers never need

    with original.open("rb") as file:
        sample = file.read(SAMPLE_BYTES)
        while sample.isascii() and (more := file.read(SAMPLE_BYTES)):
            sample = more
        sample += file.read(SAMPLE_BYTES)
    # Much that is ASCII anyway would outweigh the little that tells.
    telling = b"\n".join(line for line in sample.split(b"\n") if not line.isascii())
    first = next((place for place, byte in enumerate(telling) if byte > 127), 0)
    encoding = str(chardet.detect(telling[first:] or sample)["encoding"] or "").lower().replace("_", "-")
    if not _decodes(encoding):
        raise ExtractionFailed(UNRECOGNISED)
    text = sample.decode(encoding, "replace")
    return WINDOWS.get(encoding.replace("iso-", "iso"), encoding) if CONTROLS.search(text) else encoding


def _lines_mended(parts: Iterator[str]) -> Iterator[str]:
    kept = ""
    for part in parts:
        text = kept + part
        # A line's end may be cut in two.
        kept = "\r" if text.endswith("\r") else ""
        yield text[: len(text) - len(kept)].replace("\0", "").replace("\r\n", "\n").replace("\r", "\n")
    yield kept.replace("\r", "\n")


def _columns(target: Path) -> tuple[Heading, ...]:
    """Each row of a table stands under the names of its columns."""
    with target.open(encoding="utf-8", newline="\n") as file:
        first = file.readline(HEADING_CHARACTERS).strip()
    return (Heading(0, first, 1),) if first else ()
