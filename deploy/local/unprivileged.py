"""How a program that refuses to run as root runs all the same, when root starts the platform.

A user namespace of its own: there it is an ordinary user, and outside it still owns the files, also below a directory
that only root may enter. Where the kernel forbids that (some containers), it runs as nobody.
"""

import contextlib
import ctypes
import os
import pwd
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

CLONE_NEWUSER = 0x10000000
INSIDE = 1000
"""The user's number in the namespace; any but 0."""


@dataclass(frozen=True, slots=True)
class Unprivileged:
    """What a child does before it becomes the program, or the user it becomes; neither, if we are not root."""

    enter: Callable[[], None] | None = None
    user: int | None = None


def find_unprivileged() -> Unprivileged:
    """The way that works on this machine."""
    if os.geteuid() != 0:
        return Unprivileged()
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        told = subprocess.run(["id", "-u"], preexec_fn=enter_namespace, capture_output=True, check=True)  # noqa: S607  # one call, before any thread of ours exists there
        if told.stdout.strip() == str(INSIDE).encode():
            return Unprivileged(enter=enter_namespace)
    return Unprivileged(user=pwd.getpwnam("nobody").pw_uid)


def enter_namespace() -> None:
    """Puts this process into a user namespace in which root's files are its own, and it is not root."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER):
        raise OSError(ctypes.get_errno(), "no user namespace")
    for name, mapping in (("setgroups", "deny"), ("gid_map", f"{INSIDE} 0 1"), ("uid_map", f"{INSIDE} 0 1")):
        descriptor = os.open(f"/proc/self/{name}", os.O_WRONLY)
        os.write(descriptor, mapping.encode())
        os.close(descriptor)
