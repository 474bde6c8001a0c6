"""The revisions of each service's database are one chain: two that are written at once must not both be the next."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICES = sorted(path.parent.name for path in ROOT.glob("*/migrations") if path.is_dir())


@pytest.mark.parametrize("service", SERVICES)
def test_each_revision_follows_the_one_before(service: str) -> None:
    before = None
    files = sorted((ROOT / service / "migrations").glob("[0-9]*.py"))
    assert files
    for number, path in enumerate(files, 1):
        told = dict(re.findall(r'^(revision|down_revision) = "?(\w+)"?$', path.read_text(), re.MULTILINE))
        assert path.name.startswith(f"{number:04}_"), path.name
        assert told["revision"].endswith(f"_{number:04}"), path.name
        assert told["down_revision"] == str(before), path.name
        before = told["revision"]
