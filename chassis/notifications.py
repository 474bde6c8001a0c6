"""PostgreSQL's LISTEN on a connection of its own: tells this replica of changes that another one made.

A service's migration says what is told (triggers that NOTIFY). Nobody may rely on it alone: while the connection is
away nothing is heard, so whoever listens also looks by itself now and then.
"""

import asyncio
import contextlib
from collections.abc import Callable

import asyncpg
import structlog

from chassis.database import DRIVER

log = structlog.get_logger()

RECONNECT_SECONDS = 1.0
LOST = (OSError, asyncpg.PostgresError, *DRIVER)
"""What a connection may end with, before it listens or while it is closed."""
ANYTHING = ""
"""What is heard after the connection was away: anything may have changed."""


class Listener:
    """Calls `heard` with the payload of every notification. Reconnects for ever."""

    def __init__(self, dsn: str, channel: str, heard: Callable[[str], None]) -> None:
        self._dsn = dsn
        self._channel = channel
        self._heard = heard

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            try:
                await self._listen()
            except LOST as error:
                log.warning("cannot listen for changes", error=repr(error))
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _listen(self) -> None:
        connection = await asyncpg.connect(self._dsn, timeout=5)
        closed = asyncio.Event()
        try:
            connection.add_termination_listener(lambda _connection: closed.set())
            await connection.add_listener(self._channel, lambda *told: self._heard(told[-1]))
            self._heard(ANYTHING)
            await closed.wait()
        finally:
            with contextlib.suppress(*LOST):
                await connection.close(timeout=1)
