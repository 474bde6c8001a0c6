"""What the running platform tells of itself: run.json while it runs, credentials that stay, and the lock."""

import contextlib
import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from deploy.local.errors import LocalError

RUN_FILE = "run.json"
CREDENTIALS_FILE = "credentials.json"


@dataclass
class Credentials:
    """Of the demo tenant and the operator; made at the first start. `api_key` is empty until then."""

    email: str = "demo@example.com"
    password: str = ""
    operator_email: str = "operator@example.com"
    operator_password: str = ""
    tenant_id: str = ""
    api_key: str = ""

    @classmethod
    def load(cls, directory: Path) -> "Credentials":
        """Those that are there, or new ones."""
        path = directory / CREDENTIALS_FILE
        if path.exists():
            return cls(**json.loads(path.read_text()))
        return cls(password=secrets.token_urlsafe(12), operator_password=secrets.token_urlsafe(18))

    def save(self, directory: Path) -> None:
        """Keeps them, readable by the owner only."""
        write_private(directory / CREDENTIALS_FILE, asdict(self))


def write_private(path: Path, document: dict[str, Any]) -> None:
    """Writes JSON whole or not at all, mode 0600."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.touch(mode=0o600)
    partial.write_text(json.dumps(document, indent=2) + "\n")
    partial.replace(path)


def read_run(directory: Path) -> dict[str, Any]:
    """What the running platform tells of itself. LocalError if none runs."""
    try:
        document: dict[str, Any] = json.loads((directory / RUN_FILE).read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        raise LocalError("the platform is not running: start it with `make run` in another terminal") from None
    return document


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Holds the data directory. LocalError if another platform does, or if it cannot be written."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        file = (directory / "lock").open("w")
    except OSError as error:
        raise LocalError(f"cannot write to the data directory {directory}: {error.strerror}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            message = f"the platform runs already on {directory}: stop it first, or set AI_PLATFORM_DATA_DIR"
            raise LocalError(message) from None
        yield
