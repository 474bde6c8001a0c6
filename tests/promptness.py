"""How long tests wait: for what must come at some time, and for what is promised to come soon.

A change of identity, limits or the catalogue is promised to be in force within a second. That holds on a machine that
has time for it; the suites run beside each other on two cores, where a process may not have its turn for seconds. So a
test of such a promise waits PROMPT seconds, far less than what a cache would hold by itself, and where it measures more
than once, its median is held to the second. `AISP_PROMPT_SECONDS=1` (`make chaos`) holds every single one to it.
"""

import os

PROMPT = float(os.environ.get("AISP_PROMPT_SECONDS", "10"))
"""Seconds for what is promised within one."""
PATIENCE = 90.0
"""Seconds for what has to come at some time: only a test that fails waits for so long."""
