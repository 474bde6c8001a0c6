"""A service that echoes, as a process: prints its port."""

import sys

import uvloop

from tests.standins.echo_service import Echo, served


async def main() -> None:
    async with served(Echo()) as service:
        sys.stderr.write(f"{service.port}\n")
        sys.stderr.flush()
        await service.server.wait_for_termination()


if __name__ == "__main__":
    uvloop.run(main())
