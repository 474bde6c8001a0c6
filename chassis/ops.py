"""The operations port of a process: /livez, /readyz and /metrics over HTTP, on a port of its own.

Liveness is the event loop only; readiness is what the service says of itself. Not for the public.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import orjson
import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from chassis.errors import PlatformError
from chassis.settings import ConfigurationError

log = structlog.get_logger()

READY_TIMEOUT_SECONDS = 2.0

Check = Callable[[], Awaitable[None]]
"""Returns when ready; raises a PlatformError that says what is missing."""


class Readiness:
    """Whether the process can do its work: starting, ready or draining."""

    def __init__(self) -> None:
        self._check: Check | None = None
        self._why = "starting"

    def started(self, check: Check) -> None:
        """From now on `check` decides."""
        self._check = check

    def drain(self) -> None:
        """From now on the answer is no."""
        self._check, self._why = None, "draining"

    async def reason(self) -> str:
        """Why the process is not ready; empty if it is."""
        if self._check is None:
            return self._why
        try:
            await asyncio.wait_for(self._check(), READY_TIMEOUT_SECONDS)
        except PlatformError as error:
            return error.message
        except TimeoutError:
            return f"the readiness check took more than {READY_TIMEOUT_SECONDS:g} s"
        except Exception as error:  # noqa: BLE001
            # A driver's error, for example of a refused connection: an answer, not a crash.
            log.warning("readiness check failed", error=repr(error))
            return f"a dependency does not answer ({type(error).__name__})"
        return ""


@contextlib.asynccontextmanager
async def serve_ops(host: str, port: int, readiness: Readiness) -> AsyncIterator[int]:
    """Serves the three paths; yields the port. Port 0 takes a free one. ConfigurationError if it is taken."""

    async def livez(_request: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def readyz(_request: web.Request) -> web.Response:
        reason = await readiness.reason()
        body = orjson.dumps({"ready": not reason, "reason": reason})
        return web.Response(body=body, status=503 if reason else 200, content_type="application/json")

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes([web.get("/livez", livez), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            message = f"cannot listen on {host}:{port} (operations): {error.strerror or error}"
            raise ConfigurationError(message) from error
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
