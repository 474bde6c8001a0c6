"""PostgreSQL's LISTEN on a connection of its own: tells this replica of changes that another one made."""

import asyncio
import contextlib
from collections.abc import Callable

import asyncpg
import structlog

log = structlog.get_logger()

RECONNECT_SECONDS = 1.0


class Listener:
    """Calls `wake` at every notification. Reconnects for ever; while it is away, heartbeats look by themselves."""

    def __init__(self, dsn: str, channel: str, wake: Callable[[], None]) -> None:
        self._dsn = dsn
        self._channel = channel
        self._wake = wake

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            try:
                await self._listen()
            except (OSError, asyncpg.PostgresError, TimeoutError) as error:
                log.warning("cannot listen for changes", error=repr(error))
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _listen(self) -> None:
        connection = await asyncpg.connect(self._dsn, timeout=5)
        closed = asyncio.Event()
        try:
            connection.add_termination_listener(lambda _connection: closed.set())
            await connection.add_listener(self._channel, lambda *_: self._wake())
            self._wake()
            await closed.wait()
        finally:
            with contextlib.suppress(OSError, asyncpg.PostgresError, TimeoutError):
                await connection.close(timeout=1)
