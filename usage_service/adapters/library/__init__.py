"""The meter's function library: Lua in parts, loaded as one text under a versioned name (see METER.md of the protos).

A changed signature gets a new version: during a rollout the old and the new stand side by side and share the state.
"""

from pathlib import Path

VERSION = 2
NAME = f"aisp_meter_v{VERSION}"


def source() -> str:
    """The text for FUNCTION LOAD."""
    parts = sorted(Path(__file__).parent.glob("*.lua"))
    return "\n".join([f"#!lua name={NAME}", *(part.read_text() for part in parts)])
