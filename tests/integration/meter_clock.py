"""The meter's library on a clock that tests set: the key test:now, in milliseconds."""

import re

from usage_service.adapters import library

NOW = "test:now"
NOON = 1_795_521_600_000
_CLOCK = re.compile(r"^local function store_ms\(\)\n.*?^end\n", re.MULTILINE | re.DOTALL)


def clocked_library() -> str:
    """Its text. Of so late a revision that no process puts the real one back."""
    text = library.source().replace(f"-- revision {library.REVISION}", "-- revision 999999")
    told = f"local function store_ms() return tonumber(redis.call('GET', '{NOW}')) end\n"
    found, replaced = _CLOCK.subn(told, text)
    assert replaced == 1
    return found
