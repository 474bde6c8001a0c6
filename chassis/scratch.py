"""Files of the moment: a directory of this process's own, which goes with it, however it ends.

A process that is killed removes nothing. So each holds a lock on its directory, which the kernel lets go, and whoever
starts removes the directories of its kind whose lock nobody holds: what customers sent does not stay behind.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import structlog

log = structlog.get_logger()


@contextmanager
def scratch(name: str) -> Iterator[Path]:
    """The directory, below the system's for such files; those that dead processes of that name left are removed."""
    prefix = f"aisp-{name}-"
    for left in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        _remove_if_left(left)
    made, held = _made(prefix)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
        os.close(held)


def _made(prefix: str) -> tuple[Path, int]:
    """The directory, and what holds its lock."""
    while True:
        made = Path(tempfile.mkdtemp(prefix=prefix))
        with suppress(OSError):  # another one that starts took it for left
            held = os.open(made, os.O_RDONLY | os.O_CLOEXEC)
            with suppress(BlockingIOError):
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if made.exists():
                    return made, held
            os.close(held)


def _remove_if_left(directory: Path) -> None:
    with suppress(OSError):  # held by a process that lives, another user's, or gone meanwhile
        held = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(directory)
            log.info("removed what a process left behind", directory=str(directory))
        finally:
            os.close(held)
