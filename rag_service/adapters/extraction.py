"""Extractor: plain text is decoded here, part by part; everything else in a limited process of its own."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from chassis import context
from rag_service.adapters.decoding import decoded
from rag_service.adapters.turns import Turns
from rag_service.domain.documents import Heading, Text
from rag_service.domain.errors import ExtractionFailed
from rag_service.policy.formats import HEAD_BYTES, format_of

log = structlog.get_logger()

MAX_ANSWER_BYTES = 64 * 1024 * 1024


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
            return await asyncio.to_thread(decoded, original, target, found, self._limits.text_bytes)
        calling = context.current_or_none()
        async with self._turns.of(calling.tenant_id if calling else ""):
            return await self._in_process(original, found.media_type, target)

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
