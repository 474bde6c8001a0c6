"""Generates protos/gen from protos/aisp, or with --check tells whether it is current. Owns nothing else.

Run as `python -m protos.generate [--check]` from the repository root. The stubs are made by the pinned grpcio-tools:
those of a newer one refuse to load under the grpcio that the services run on.
"""

import filecmp
import shutil
import sys
import tempfile
from importlib import resources
from pathlib import Path

from grpc_tools import protoc

SOURCE = Path(__file__).parent
GENERATED = SOURCE / "gen"


def generate(target: Path) -> None:
    """Writes the generated packages below `target`; exits with protoc's message on a broken proto."""
    well_known = str(resources.files("grpc_tools") / "_proto")
    protos = sorted(str(path.relative_to(SOURCE)) for path in SOURCE.glob("aisp/*/v1/*.proto"))
    outputs = [f"--{kind}_out={target}" for kind in ("python", "pyi", "grpc_python")]
    status = protoc.main(["protoc", f"-I{SOURCE}", f"-I{well_known}", *outputs, *protos])
    if status:
        sys.exit(status)
    for directory in sorted(path for path in (target / "aisp").rglob("*") if path.is_dir()):
        (directory / "__init__.py").touch()
    (target / "aisp" / "__init__.py").touch()
    # Deadlines and retries travel with the contracts: an installed package has no protos folder beside it.
    shutil.copyfile(SOURCE / "service_config.json", target / "aisp" / "service_config.json")


def is_current() -> bool:
    """Whether what is committed equals what the protos give."""
    with tempfile.TemporaryDirectory() as directory:
        fresh = Path(directory)
        generate(fresh)
        expected = {path.relative_to(fresh) for path in fresh.rglob("*.*") if path.is_file()}
        found = {
            path.relative_to(GENERATED)
            for path in GENERATED.rglob("*.*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        return expected == found and all(
            filecmp.cmp(fresh / path, GENERATED / path, shallow=False) for path in expected
        )


def main() -> None:
    """Generates, or checks and exits 1 with one sentence."""
    if "--check" in sys.argv[1:]:
        if not is_current():
            sys.exit("protos/gen is not current: run `make proto` and commit what it writes")
        return
    GENERATED.mkdir(exist_ok=True)
    generate(GENERATED)


if __name__ == "__main__":
    main()
