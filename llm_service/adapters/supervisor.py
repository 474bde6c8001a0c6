"""Keeps the local engine running: starts it, learns its address, starts it again when it dies."""

import asyncio
import contextlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import structlog

log = structlog.get_logger()

START_SECONDS = 60.0
PAUSES = (0.5, 1.0, 2.0, 5.0, 15.0)
LAST_WORDS_BYTES = 2000


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How the engine runs."""

    model: Path
    threads: int
    slots: int
    context_length: int


class LocalEngine:
    """The engine's process. `address` is None while it is not up."""

    def __init__(self, options: EngineOptions) -> None:
        self._options = options
        self._address: str | None = None

    @property
    def available(self) -> bool:
        """Whether its model file is there."""
        return self._options.model.exists()

    def address(self) -> str | None:
        """The base address of its API, with /v1."""
        return self._address

    async def run(self) -> None:
        """Runs until cancelled."""
        failures = 0
        while True:
            loop = asyncio.get_running_loop()
            started = loop.time()
            await self._run_once()
            # What ran for a minute was well: its end is a new story.
            failures = 0 if loop.time() - started > 60 else failures + 1
            await asyncio.sleep(PAUSES[min(failures, len(PAUSES) - 1)])

    async def _run_once(self) -> None:
        options = self._options
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "llm_service.adapters.local_engine", "--model", str(options.model),
            "--threads", str(options.threads), "--slots", str(options.slots),
            "--context-length", str(options.context_length),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        words = asyncio.create_task(_last_words(process.stderr))
        try:
            async with asyncio.timeout(START_SECONDS):
                line = await process.stdout.readline()
            if line:
                self._address = json.loads(line)["address"].rstrip("/") + "/v1"
                log.info("local engine up", address=self._address, pid=process.pid)
            code = await process.wait()
            log.error("local engine died", exit_code=code, last_words=await words)
        except (TimeoutError, ValueError, KeyError):
            log.exception("local engine did not start")
        finally:
            self._address = None
            words.cancel()
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def _last_words(stream: asyncio.StreamReader) -> str:
    """Drains the engine's own log, which is chatty, and keeps its end."""
    kept = b""
    while chunk := await stream.read(65_536):
        kept = (kept + chunk)[-LAST_WORDS_BYTES:]
    return kept.decode(errors="replace")
