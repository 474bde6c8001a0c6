"""One worker process: started when first needed, one request at a time, stopped after idling, replaced when it dies."""

import asyncio
import contextlib
import importlib.util
import json
import sys
from collections.abc import AsyncGenerator
from typing import Any

import structlog

from chassis.resilience import Bulkhead
from speech_service.adapters.frames import HEADER_BYTES, encode
from speech_service.domain import EngineUnavailable

log = structlog.get_logger()

START_SECONDS = 120.0


class WorkerProcess:
    """Runs `python -m MODULE ARGUMENTS`."""

    def __init__(self, module: str, arguments: list[str], *, queue: int, idle_seconds: float, seconds: float) -> None:
        """`queue`: how many calls may wait; `seconds`: how long one answer may take between its parts."""
        self._module = module
        self._arguments = arguments
        self._bulkhead = Bulkhead(1, queue)
        self._idle_seconds = idle_seconds
        self._seconds = seconds
        self._process: asyncio.subprocess.Process | None = None
        self._idle: asyncio.TimerHandle | None = None
        self.hello: dict[str, Any] = {}
        """What the worker told when it was ready."""

    async def call(self, request: dict[str, Any]) -> AsyncGenerator[dict[str, Any] | bytes, None]:
        """The answer's parts; the last is a dict. EngineUnavailable if the worker dies; leaving early ends it."""
        async with self._bulkhead.slot():
            process = await self._running()
            finished = False
            try:
                assert process.stdin is not None
                process.stdin.write(encode(b"J", json.dumps(request).encode()))
                await process.stdin.drain()
                while not finished:
                    kind, payload = await self._frame(process, self._seconds)
                    finished = kind == b"J"
                    yield json.loads(payload) if finished else payload
            except (asyncio.IncompleteReadError, OSError, TimeoutError) as error:
                raise EngineUnavailable from error
            finally:
                # A worker in the middle of an answer that nobody waits for is of no use to the next caller.
                if finished:
                    self._stop_when_idle()
                else:
                    await self.stop()

    async def stop(self) -> None:
        """Ends the process."""
        if self._idle is not None:
            self._idle.cancel()
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _running(self) -> asyncio.subprocess.Process:
        if self._idle is not None:
            self._idle.cancel()
        if self._process is not None and self._process.returncode is None:
            return self._process
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", self._module, *self._arguments,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        self._process = process
        try:
            _, payload = await self._frame(process, START_SECONDS)
        except (asyncio.IncompleteReadError, TimeoutError) as error:
            log.exception("a speech worker did not start", module=self._module)
            await self.stop()
            raise EngineUnavailable from error
        self.hello = json.loads(payload)
        log.info("speech worker up", module=self._module, pid=process.pid)
        return process

    @staticmethod
    async def _frame(process: asyncio.subprocess.Process, seconds: float) -> tuple[bytes, bytes]:
        assert process.stdout is not None
        async with asyncio.timeout(seconds):
            header = await process.stdout.readexactly(HEADER_BYTES)
            payload = await process.stdout.readexactly(int.from_bytes(header[:4], "big"))
        return header[4:], payload

    def _stop_when_idle(self) -> None:
        loop = asyncio.get_running_loop()
        self._idle = loop.call_later(self._idle_seconds, self._kill)

    def _kill(self) -> None:
        if self._process is not None:
            log.info("speech worker idle, stopped", module=self._module)
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()


def installed(package: str) -> bool:
    """Whether a package can be imported, without importing it."""
    return importlib.util.find_spec(package) is not None
