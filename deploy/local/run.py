"""`run`: starts the engines, migrates, starts the services, says how to use them, watches over them, stops them."""

import asyncio
import contextlib
import shutil
import signal
import socket
import sys
import time
from pathlib import Path

import aiohttp

from deploy.local.banner import banner
from deploy.local.databases import ensure_databases
from deploy.local.demo_tenant import ensure_demo
from deploy.local.errors import LocalError
from deploy.local.models import ensure_models
from deploy.local.platform import Member, Platform
from deploy.local.process import Process, free_port
from deploy.local.settings import LocalSettings
from deploy.local.state import RUN_FILE, Credentials, locked, write_private

MIN_FREE_BYTES = 1024**3
READY_SECONDS = 120.0
STOP_SECONDS = 8.0
WATCH_SECONDS = 0.5
PAUSES = (0.5, 1.0, 2.0, 5.0, 15.0, 30.0)
WELL_AFTER_SECONDS = 60.0


def run(settings: LocalSettings) -> None:
    """Runs until Ctrl-C or SIGTERM. LocalError is one clear sentence."""
    with locked(settings.data_dir):
        _check_disk(settings.data_dir)
        port = settings.gateway.port or free_port()
        _check_port(port)
        ensure_models(settings.models_directory, tell)
        asyncio.run(Runner(Platform(settings, port)).run())


def tell(line: str) -> None:
    """A line of progress."""
    print(line, flush=True)


class Runner:
    """The life of the platform."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._members: list[Member] = []
        self._stop = asyncio.Event()
        self._credentials = Credentials()
        self._file = platform.directory / RUN_FILE

    async def run(self) -> None:
        """Starts, watches, stops."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop.set)
        starting = asyncio.create_task(self._start())
        stopping = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
                await self._watch()
        finally:
            for task in (starting, stopping):
                task.cancel()
            await asyncio.gather(starting, stopping, return_exceptions=True)
            await asyncio.to_thread(self._stop_all)

    async def _start(self) -> None:
        begun = time.monotonic()
        platform = self._platform
        # Those of services that were killed would be left for ever.
        shutil.rmtree(platform.sockets, ignore_errors=True)
        platform.sockets.mkdir(mode=0o700)
        tell("starting PostgreSQL and two Valkeys")
        platform.meter.start()
        platform.cache.start()
        await asyncio.to_thread(platform.postgres.start)
        await asyncio.gather(platform.postgres.wait_ready(), platform.meter.wait_ready(), platform.cache.wait_ready())
        tell("making databases, migrating")
        await ensure_databases(platform.postgres.admin_dsn, platform.database, platform.role_passwords)
        await self._migrate()
        tell("starting seven services and two workers")
        self._members = platform.members()
        for member in self._members:
            member.process.start()
        await asyncio.gather(*(self._ready(member, begun) for member in self._members))
        base_url = f"http://127.0.0.1:{platform.port}"
        self._credentials = await ensure_demo(platform, base_url)
        self._write_run_file()
        tell(banner(base_url, self._credentials, platform.logs, time.monotonic() - begun))

    async def _migrate(self) -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "alembic", "upgrade", "head",
            env=self._platform.migrating,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        told, _ = await process.communicate()
        if process.returncode:
            raise LocalError(f"the migrations failed: {told.decode().strip()[-500:]}")

    async def _ready(self, member: Member, begun: float) -> None:
        process = member.process
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=3)) as session:
            deadline = time.monotonic() + READY_SECONDS
            while time.monotonic() < deadline:
                if process.exit_code is not None:
                    raise LocalError(f"{process.name} did not start: {process.last_words()}")
                with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
                    async with session.get(f"http://127.0.0.1:{member.ops_port}/readyz") as response:
                        if response.status == 200:
                            tell(f"  {process.name} ready after {time.monotonic() - begun:.1f} s")
                            return
                await asyncio.sleep(0.1)
        raise LocalError(f"{process.name} was not ready within {READY_SECONDS:g} s: {process.last_words()}")

    async def _watch(self) -> None:
        """Starts again what dies, after growing pauses, until told to stop."""
        processes = [*self._platform.engines, *(member.process for member in self._members)]
        started = {process.name: time.monotonic() for process in processes}
        due: dict[str, float] = {}
        while not self._stop.is_set():
            for process in processes:
                self._mend(process, started, due)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), WATCH_SECONDS)
        tell("stopping")

    def _mend(self, process: Process, started: dict[str, float], due: dict[str, float]) -> None:
        if process.exit_code is None:
            return
        now = time.monotonic()
        if process.name not in due:
            if now - started[process.name] > WELL_AFTER_SECONDS:
                process.restarts = 0
            pause = PAUSES[min(process.restarts, len(PAUSES) - 1)]
            due[process.name] = now + pause
            tell(f"{process.name} died (exit code {process.exit_code}); starting it again in {pause:g} s")
        elif now >= due[process.name]:
            del due[process.name]
            process.restarts += 1
            started[process.name] = now
            process.start()
            self._write_run_file()
            tell(f"{process.name} started again")

    def _write_run_file(self) -> None:
        platform, credentials = self._platform, self._credentials
        processes = [*platform.engines, *(member.process for member in self._members)]
        write_private(
            self._file,
            {
                "base_url": f"http://127.0.0.1:{platform.port}",
                "ops_url": f"http://127.0.0.1:{platform.ops_port}",
                "api_key": credentials.api_key,
                "email": credentials.email,
                "password": credentials.password,
                "tenant_id": credentials.tenant_id,
                "operator": {"email": credentials.operator_email, "password": credentials.operator_password},
                "pids": {process.name: process.pid for process in processes},
            },
        )

    def _stop_all(self) -> None:
        """Services first, then stores; what does not end in time is killed."""
        self._file.unlink(missing_ok=True)
        deadline = time.monotonic() + STOP_SECONDS
        for group in ([member.process for member in self._members], self._platform.engines):
            for process in group:
                process.ask_to_stop()
            for process in group:
                process.wait(deadline - (0 if group is self._platform.engines else 2))
        for process in [*(member.process for member in self._members), *self._platform.engines]:
            process.kill()
        tell("stopped")


def _check_disk(directory: Path) -> None:
    free = shutil.disk_usage(directory).free
    if free < MIN_FREE_BYTES:
        raise LocalError(f"the disk of {directory} is nearly full ({free // 1024**2} MB free; 1 GB is needed)")


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            message = f"port {port} is taken: stop what uses it, or set AI_PLATFORM_GATEWAY__PORT (0 takes a free one)"
            raise LocalError(message) from None
