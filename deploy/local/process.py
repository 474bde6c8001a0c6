"""A child process: started with a log of its own, stopped politely, dead when its parent is."""

import contextlib
import ctypes
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.local.unprivileged import Unprivileged

PR_SET_PDEATHSIG = 1
PORTS = (15_000, 32_000)
MAX_SOCKET_PATH = 104
"""Bytes of a Unix socket's path, with the zero behind it; the least that systems have."""
MAX_LOG_BYTES = 20 * 1024 * 1024


_claims: dict[int, socket.socket] = {}


def free_port() -> int:
    """A loopback port that nobody uses at this moment, outside of those that outgoing connections take by themselves:
    what is free now is free still when a service that has to start first listens on it. None is given twice, by any
    process on this machine, while the one that was given it lives.
    """
    for _ in range(1000):
        port = random.SystemRandom().randrange(*PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in _claims:
                _claims[port] = _claim(port)
                return port
    message = "no free port on the loopback address"
    raise OSError(message)


def as_socket(path: Path) -> str:
    """The path, or nothing where it is too long for a Unix socket."""
    return str(path) if len(os.fsencode(path)) < MAX_SOCKET_PATH else ""


def _claim(port: int) -> socket.socket:
    """A name in Linux's abstract namespace, which only one process can have, and which goes with it. OSError."""
    claim = socket.socket(socket.AF_UNIX)
    if sys.platform == "linux":
        try:
            claim.bind(f"\0aisp-port-{port}")
        except OSError:
            claim.close()
            raise
    return claim


def _die_with_parent() -> None:
    """Linux ends the child when this process goes, even by `kill -9`."""
    with contextlib.suppress(OSError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Process:
    """One program, and what it needs to be started again."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        unprivileged: Unprivileged | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.name = name
        self.restarts = 0
        self._log = log
        self._environment = dict(environment or os.environ)
        self._user = unprivileged.user if unprivileged else None
        self._command = [*(unprivileged.prefix if unprivileged else ()), *command]
        self._stop_signal = stop_signal
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process's id; 0 if it was not started."""
        return self._child.pid if self._child else 0

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._child.poll() if self._child else None

    def start(self) -> None:
        """Starts the program in a process group of its own, so that a Ctrl-C reaches only the launcher."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        if self._log.exists() and self._log.stat().st_size > MAX_LOG_BYTES:
            self._log.replace(self._log.with_suffix(".log.1"))
        with self._log.open("ab") as sink:
            self._child = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env=self._environment,
                user=self._user,
                group=self._user,
                extra_groups=None if self._user is None else [],
                start_new_session=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509  # one call, which takes no lock
            )

    def ask_to_stop(self) -> None:
        """Sends the polite signal."""
        self._signal(self._stop_signal)

    def wait(self, deadline: float) -> bool:
        """Waits until time.monotonic() reaches `deadline`; whether it ended."""
        while self._child is not None and self._child.poll() is None:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)
        return True

    def kill(self) -> None:
        """Ends it and what it started, now."""
        if self._child is not None and self._child.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGKILL)
            self._child.wait()

    def stop(self, seconds: float = 5) -> None:
        """Politely, then not."""
        self.ask_to_stop()
        if not self.wait(time.monotonic() + seconds):
            self.kill()

    def last_words(self) -> str:
        """The last line of its log, for an error message."""
        with contextlib.suppress(OSError):
            lines = self._log.read_text(errors="replace").strip().splitlines()
            return lines[-1][:500] if lines else ""
        return ""

    def _signal(self, number: signal.Signals) -> None:
        if self._child is not None and self._child.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                self._child.send_signal(number)
