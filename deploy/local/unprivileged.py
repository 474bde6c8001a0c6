"""How a program that refuses to run as root runs all the same, when root starts the platform.

A user namespace of its own: there it is an ordinary user, and outside it still owns the files, also below a directory
that only root may enter. Where the kernel forbids that (some containers), it runs as nobody.

This file is a program as well: `python unprivileged.py COMMAND...` enters a namespace and becomes the command. A
process of its own does it, since a fork of one with threads may do little before it becomes another program.
"""

import contextlib
import ctypes
import os
import pwd
import signal
import subprocess
import sys
from dataclasses import dataclass

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
INSIDE = 1000
"""The user's number in the namespace; any but 0."""


@dataclass(frozen=True, slots=True)
class Unprivileged:
    """What stands before the command, or the user that it runs as; neither, if we are not root."""

    prefix: tuple[str, ...] = ()
    user: int | None = None


def find_unprivileged() -> Unprivileged:
    """The way that works on this machine."""
    if os.geteuid() != 0:
        return Unprivileged()
    prefix = (sys.executable, "-S", "-E", __file__)
    with contextlib.suppress(OSError):
        told = subprocess.run([*prefix, "id", "-u"], capture_output=True, check=False)
        if told.stdout.strip() == str(INSIDE).encode():
            return Unprivileged(prefix)
    return Unprivileged(user=pwd.getpwnam("nobody").pw_uid)


def enter_namespace() -> None:
    """Puts this process into a user namespace in which root's files are its own, and it is not root."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER):
        raise OSError(ctypes.get_errno(), "no user namespace")
    for name, mapping in (("setgroups", "deny"), ("gid_map", f"{INSIDE} 0 1"), ("uid_map", f"{INSIDE} 0 1")):
        descriptor = os.open(f"/proc/self/{name}", os.O_WRONLY)
        os.write(descriptor, mapping.encode())
        os.close(descriptor)
    # Entering forgot it: the command is to end when whoever started us does.
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


if __name__ == "__main__":
    enter_namespace()
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606  # that is what it is for
