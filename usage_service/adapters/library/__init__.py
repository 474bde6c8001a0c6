"""The meter's function library: Lua in parts, loaded as one text under a versioned name (see METER.md of the protos).

A changed signature gets a new version: during a rollout the old and the new stand side by side and share the state. A
text that changes under the same signatures gets a new revision: who still has the older one leaves the newer in place.
"""

import re
from functools import cache
from pathlib import Path

VERSION = 3
REVISION = 8
NAME = f"aisp_meter_v{VERSION}"


@cache
def source() -> str:
    """The text for FUNCTION LOAD."""
    parts = sorted(Path(__file__).parent.glob("*.lua"))
    return "\n".join([f"#!lua name={NAME}", f"-- revision {REVISION}", *(part.read_text() for part in parts)])


def revision_of(text: str) -> int:
    """The revision of a loaded text; 0 if it tells none."""
    found = re.search(r"^-- revision (\d+)$", text, re.MULTILINE)
    return int(found[1]) if found else 0
