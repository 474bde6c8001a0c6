"""The HTTP server: uvicorn with bounded connections, a port for operators, and a drain of our own.

uvicorn's own shutdown waits for streams, then leaves without ending them and before they are settled.
"""

import asyncio
import functools
import socket
from typing import Any

import structlog
import uvicorn

from chassis.ops import Readiness
from chassis.settings import ConfigurationError
from gateway.connection import Connection, Connections
from gateway.settings import EdgeSection, GatewaySection

log = structlog.get_logger()

TICKS_A_SECOND = 10
BACKLOG = 2048
END_SECONDS = 5.0
"""How long requests that the drain cut off may take to say so and to settle."""


class Server(uvicorn.Server):
    """Serves one application on the public port, and on the operators' where there is one."""

    def __init__(self, app: Any, section: GatewaySection, bounds: EdgeSection, readiness: Readiness) -> None:
        self._connections = Connections(bounds)
        self._drain_seconds = section.drain_seconds
        self._readiness = readiness
        super().__init__(
            uvicorn.Config(
                app,
                # uvicorn asks for a class and calls it: this makes one with what it needs.
                http=functools.partial(Connection, open_connections=self._connections),  # type: ignore[arg-type]
                ws="none",
                lifespan="on",
                access_log=False,
                log_config=None,
                server_header=False,
                # Who the client is behind proxies is the edge's to say: uvicorn would believe whoever is on loopback.
                proxy_headers=False,
                date_header=False,
                timeout_keep_alive=bounds.keep_alive_seconds,
            )
        )

    async def on_tick(self, counter: int) -> bool:
        """What uvicorn calls ten times a second."""
        if counter % TICKS_A_SECOND == 0:
            self._connections.sweep(asyncio.get_running_loop().time())
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Nothing new; what runs may end; the rest is told, and settled; then the application closes."""
        self._readiness.drain()
        for server in self.servers:
            server.close()
        for listener in sockets or ():
            listener.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        tasks = self.server_state.tasks
        log.info("draining", requests=len(tasks), seconds=self._drain_seconds)
        waited = 0.0
        while tasks and waited < self._drain_seconds and not self.force_exit:
            await asyncio.sleep(1 / TICKS_A_SECOND)
            self._connections.sweep(asyncio.get_running_loop().time())
            waited += 1 / TICKS_A_SECOND
        if tasks:
            log.warning("requests are cut off by the drain", requests=len(tasks))
            cut = list(tasks)
            for task in cut:
                task.cancel()
            await asyncio.wait(cut, timeout=END_SECONDS)
        await self.lifespan.shutdown()


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. ConfigurationError where the address is taken or not ours."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigurationError(f"cannot listen on {host}:{port}: {reason}; is another process using it?") from error
    listener.setblocking(False)
    return listener
