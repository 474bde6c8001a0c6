"""The gateway's server around an application of one line, as a process: prints its port."""

import sys
from typing import Any

import uvloop

from chassis.ops import Readiness
from gateway.server import Server, listen
from gateway.settings import EdgeSection, GatewaySection


async def hello(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        for word in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{word}.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


async def main(seconds: float) -> None:
    listener = listen("127.0.0.1", 0)
    bounds = EdgeSection(header_seconds=seconds, body_idle_seconds=seconds, max_connections_per_address=10_000)
    server = Server(hello, GatewaySection(drain_seconds=0), bounds, Readiness())
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve([listener])


if __name__ == "__main__":
    uvloop.run(main(float(sys.argv[1])))
